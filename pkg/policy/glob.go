package policy

import "unicode/utf8"

// Match says whether a text fits a glob: * stands for any run of characters, / included, ? for one.
// Case counts.
func Match(glob, text string) bool {
	return Fits(glob, text, func(p, t rune) bool { return p == '?' || p == t })
}

// Fits says whether a text fits a pattern whose * stand for any run of characters; same says
// whether a character fits one of the pattern. It takes time proportional to the product of both
// lengths at worst: the last * takes one character more whenever the rest does not fit.
func Fits(pattern, text string, same func(p, t rune) bool) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		have, width := utf8.DecodeRuneInString(text[t:])
		want, long := utf8.DecodeRuneInString(pattern[p:])
		switch {
		case long > 0 && want == '*':
			star, mark = p, t
			p += long
		case long > 0 && same(want, have):
			p += long
			t += width
		case star >= 0:
			_, width = utf8.DecodeRuneInString(text[mark:])
			mark += width
			p, t = star+1, mark
		default:
			return false
		}
	}

	for p < len(pattern) && pattern[p] == '*' {
		p++
	}

	return p == len(pattern)
}
