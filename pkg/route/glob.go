package route

import (
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

// glob is a pattern in which * stands for any number of characters, / included, and ? for one. Case
// does not count.
type glob string

func (g glob) match(text string) bool {
	return policy.Match(strings.ToLower(string(g)), strings.ToLower(text))
}

// covers says whether whatever matches another glob matches this one. It may be false although it is
// so (for ?* and *?), but it is never true wrongly: the other glob is matched as a text whose * only
// a * can match.
func (g glob) covers(other glob) bool {
	return policy.MatchFunc(strings.ToLower(string(g)), strings.ToLower(string(other)), func(p, t rune) bool {
		return p == t && p != '*' || p == '?' && t != '*'
	})
}

// coverAll says whether each of the others is covered by one of the globs.
func coverAll(globs, others []glob) bool {
	return !slices.ContainsFunc(others, func(other glob) bool {
		return !slices.ContainsFunc(globs, func(g glob) bool { return g.covers(other) })
	})
}

func (g glob) literal() bool { return !strings.ContainsAny(string(g), "*?") }
