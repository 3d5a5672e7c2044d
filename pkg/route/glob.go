package route

import (
	"strings"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

// glob is a pattern: * stands for any run of characters, / included, ? for one. There is no other
// magic, and case does not count.
type glob string

// match says whether a text fits, in time proportional to the product of both lengths at worst.
func (g glob) match(text string) bool {
	return policy.Match(strings.ToLower(string(g)), strings.ToLower(text))
}

// covers says whether whatever fits other fits g. It may say false for odd pairs (?* and *?), never
// true wrongly: other is read as a text in which * can be met by * only.
func (g glob) covers(other glob) bool {
	return policy.Fits(strings.ToLower(string(g)), strings.ToLower(string(other)), func(p, t rune) bool {
		return p == t && p != '*' || p == '?' && t != '*'
	})
}

func (g glob) literal() bool { return !strings.ContainsAny(string(g), "*?") }
