package grammar

import (
	"slices"
	"strings"
)

// fail makes an error. Error.Near is from the first of the lines that gives one: the line itself if it is a command,
// and otherwise what is suggested in its place. p.suggestions limits how many suggestions may build on each other.
func (p *parser) fail(code Code, message string, lines ...string) *Error {
	e := &Error{Code: code, Message: message}
	if p.suggestions == 0 {
		return e
	}

	for _, line := range lines {
		c, err := parse(line, p.names, p.suggestions-1)
		if err == nil {
			e.Near = c.String()
			return e
		}
		if err.Near != "" {
			e.Near = err.Near
			return e
		}
	}
	return e
}

// word returns the next word; empty: there is none.
func (p *parser) word() string {
	if p.at < len(p.words) {
		return p.words[p.at]
	}
	return ""
}

// next says whether the next word is one of some words.
func (p *parser) next(words ...string) bool {
	return p.at < len(p.words) && slices.ContainsFunc(words, func(w string) bool {
		return strings.EqualFold(w, p.words[p.at])
	})
}

// skip reads each of the words that comes next.
func (p *parser) skip(words ...string) {
	for _, w := range words {
		if p.next(w) {
			p.at++
		}
	}
}

// line is the whole line, in which other words stand in place of the next n ones.
func (p *parser) line(n int, words ...string) string {
	all := append([]string{p.verb}, p.words[:p.at]...)
	all = append(all, words...)
	all = append(all, p.words[min(p.at+n, len(p.words)):]...)
	if p.given {
		all = append(all, "because", p.reason)
	}
	return strings.Join(all, " ")
}

// end is the error for words or a reason after a command that takes no more.
func (p *parser) end() *Error {
	if p.at < len(p.words) {
		return p.trailing()
	}
	if p.given {
		lines := []string{strings.Join(append([]string{p.verb}, p.words...), " ")}
		return p.fail(CodeTrailingWords, "This command takes no reason, and nothing was done.", lines...)
	}
	return nil
}

// trailing is the error for words that the command does not take. Lines come first among what is
// suggested; then the line without these words, unless they may mean the opposite.
func (p *parser) trailing(lines ...string) *Error {
	if !p.negated() {
		lines = append(lines, p.line(len(p.words)))
	}
	if oneTimeCode.MatchString(p.words[len(p.words)-1]) {
		return p.fail(CodeOneTimeCode, "Seraph takes no one-time codes: it knows you by your link. Nothing was done.",
			lines...)
	}
	message := "Seraph does not understand " + quote("word", p.word()) + " there, and nothing was done."
	return p.fail(CodeTrailingWords, message, lines...)
}

// negated says whether one of the next words turns a line into its opposite.
func (p *parser) negated() bool { return slices.ContainsFunc(p.words[p.at:], negation.MatchString) }

// readReason reads what follows "because". A placeholder is no reason.
func (p *parser) readReason(c *Command, required bool) *Error {
	c.Reason = p.reason
	if !p.given && !required || p.given && isReason(p.reason) {
		return nil
	}

	c.Reason = "REASON"
	e := p.fail(CodeReasonMissing, "Say why: everybody who looks at it will see the reason. Nothing was done.")
	e.Form = c.String()
	return e
}

// isReason says whether a text says anything.
func isReason(text string) bool {
	return text != "REASON" && strings.ContainsFunc(text, isLetterOrDigit)
}
