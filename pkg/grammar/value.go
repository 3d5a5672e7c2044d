package grammar

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of values.
const (
	maxValues    = 20
	maxValueText = 512 // characters
)

// valueKey matches KEY= at the front of a word.
var valueKey = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.-]{0,63})=`)

// isValue says whether a word is KEY=VALUE.
func isValue(word string) bool { return valueKey.MatchString(word) }

// readValue reads KEY=VALUE. A value in quotes may have spaces.
func (p *parser) readValue(c *Command) *Error {
	key, text, _ := strings.Cut(p.word(), "=")
	runes := []rune(text)
	if n := len(runes); n >= 2 && strings.ContainsRune(quotes, runes[0]) && strings.ContainsRune(quotes, runes[n-1]) {
		text = string(runes[1 : n-1])
	}
	if err := p.addValue(c, Value{Key: key, Text: strings.TrimSpace(text)}); err != nil {
		return err
	}

	p.at++
	return nil
}

// addValue adds a value to the payload.
func (p *parser) addValue(c *Command, v Value) *Error {
	same := func(other Value) bool { return other.Key == v.Key }
	switch {
	case strings.EqualFold(v.Key, "seraph"):
		return p.fail(CodeBadValue, `The key "seraph" of the payload is Seraph's own, and nothing was done.`)
	case slices.ContainsFunc(c.Values, same):
		return p.fail(CodeBadValue, "The line gives "+quote("key", v.Key)+" twice, and nothing was done.")
	case len(c.Values) >= maxValues || utf8.RuneCountInString(v.Text) > maxValueText:
		return p.fail(CodeBadValue, "The line has too many values, or one that is too long, and nothing was done.")
	case strings.ContainsAny(v.Text, quotes+"`") || strings.ContainsFunc(v.Text, invisible):
		return p.fail(CodeBadValue, "The value of "+quote("key", v.Key)+" has a quote, a backtick or an invisible "+
			"character, and nothing was done.")
	default:
		c.Values = append(c.Values, v)
		return nil
	}
}
