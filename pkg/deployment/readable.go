package deployment

import (
	"strings"
	"unicode"
)

// maxReadable is how long a text for people is kept, in code points. A configuration error at CircleCI
// can be far longer.
const maxReadable = 1000

// Readable makes one line of text that others wrote: CircleCI, GitHub, a configuration in a
// repository, or people. All such text that people read goes through it: reasons, the timeline, logs
// and what is reported to GitHub. It takes out control characters, which PostgreSQL partly refuses and which
// forge lines of a log, and invisible format characters, which change the order of what is read. Of
// those it keeps the joiners inside words, which scripts and emoji need.
func Readable(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case !IsHidden(r) && r != unicode.ReplacementChar:
			return r
		case unicode.Is(unicode.Cf, r):
			return -1
		default:
			return ' '
		}
	}, s)

	return cut(joinWords(s), maxReadable)
}

// IsHidden says whether Readable takes a rune out: it ends a line, or it is invisible and no joiner.
func IsHidden(r rune) bool {
	if r == zeroWidthJoiner || r == zeroWidthNonJoiner {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// joinWords puts one space between words. A joiner at the end of a word joins nothing.
func joinWords(s string) string {
	words := strings.Fields(s)
	kept := words[:0]
	for _, word := range words {
		if word = strings.Trim(word, string(zeroWidthJoiner)+string(zeroWidthNonJoiner)); word != "" {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, " ")
}

// cut shortens a text to at most limit code points.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return s
}

// withCause adds the cause to what happened, where there is one.
func withCause(text, cause string) string {
	if cause = Readable(cause); cause == "" {
		return text
	}
	return text + ": " + cause
}
