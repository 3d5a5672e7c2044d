package route

import "strings"

// glob is a pattern: * stands for any run of characters, / included, ? for one. There is no other magic, and case does not count.
type glob string

// match says whether a text fits, in time proportional to the product of both lengths at worst.
func (g glob) match(text string) bool {
	return fits([]rune(strings.ToLower(string(g))), []rune(strings.ToLower(text)), func(p, t rune) bool { return p == '?' || p == t })
}

// covers says whether whatever fits other fits g. It may say false for odd pairs (?* and *?), never true wrongly: other is read as a text in
// which * can be met by * only.
func (g glob) covers(other glob) bool {
	return fits([]rune(strings.ToLower(string(g))), []rune(strings.ToLower(string(other))), func(p, t rune) bool {
		return p == t && p != '*' || p == '?' && t != '*'
	})
}

// fits is the usual walk with one step back: the last * takes one character more whenever the rest does not fit.
func fits(pattern, text []rune, same func(p, t rune) bool) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && same(pattern[p], text[t]):
			p++
			t++
		case star >= 0:
			mark++
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

func (g glob) literal() bool { return !strings.ContainsAny(string(g), "*?") }
