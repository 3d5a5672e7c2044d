package policy

import "unicode/utf8"

// Match says whether a text matches a glob: * stands for any number of characters, / included, and ?
// for one. Case counts.
func Match(glob, text string) bool {
	return MatchFunc(glob, text, func(p, t rune) bool { return p == '?' || p == t })
}

// MatchFunc says whether a text matches a pattern in which * stands for any number of characters;
// same says whether another character of the pattern matches one of the text. In the worst case it
// takes time proportional to the product of both lengths: whenever the rest does not match, only the
// last * is extended, by one character.
func MatchFunc(pattern, text string, same func(p, t rune) bool) bool {
	p, t := 0, 0
	star, starEnd := -1, 0 // where the last * stands in the pattern, and where its run ends in the text

	for t < len(text) {
		have, width := utf8.DecodeRuneInString(text[t:])
		want, length := utf8.DecodeRuneInString(pattern[p:])
		switch {
		case length > 0 && want == '*':
			star, starEnd = p, t
			p += length
		case length > 0 && same(want, have):
			p += length
			t += width
		case star >= 0:
			_, width = utf8.DecodeRuneInString(text[starEnd:])
			starEnd += width
			p, t = star+1, starEnd
		default:
			return false
		}
	}

	for p < len(pattern) && pattern[p] == '*' {
		p++
	}

	return p == len(pattern)
}
