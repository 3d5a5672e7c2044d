package route

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CircleCI's limits on pipeline parameters (API v2 reference, "trigger a pipeline").
const (
	maxParameters    = 100
	maxParameterName = 128
	maxValue         = 512
)

// The types of a pipeline parameter.
const (
	typeString  = "string"
	typeInteger = "integer"
	typeBoolean = "boolean"
)

var parameterName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// parameter is one pipeline parameter: a fixed value, or a template whose result must meet rules.
type parameter struct {
	name     string
	fixed    json.RawMessage // set: the value
	template *textTemplate
	typ      string
	match    *regexp.Regexp // nil: the default, see brokenRule
	required bool
	usesKey  bool
}

// unsafeInShell holds the characters that are refused unless match allows them: CircleCI substitutes
// parameters into shell text.
const unsafeInShell = "`$;&|<>\\\"'"

// render returns the JSON value of the parameter, or nil if it is not to be sent. A problem names
// the rule that is broken, never the value.
func (p parameter) render(data templateData) (value json.RawMessage, problem string) {
	if p.fixed != nil {
		return p.fixed, ""
	}

	text, err := p.template.render(data)
	if err != nil {
		return nil, p.problem(err.Error())
	}
	if text == "" {
		return p.renderEmpty()
	}
	if rule := p.brokenRule(text); rule != "" {
		return nil, p.problem(rule)
	}

	value, rule := encodeValue(p.typ, text)
	if rule != "" {
		return nil, p.problem(rule)
	}

	return value, ""
}

func (p parameter) problem(rule string) string { return fmt.Sprintf("parameter %s: %s", p.name, rule) }

// renderEmpty renders a template whose result is empty. A string may be empty if the rules allow it;
// a parameter of another type is not sent.
func (p parameter) renderEmpty() (value json.RawMessage, problem string) {
	switch {
	case p.required:
		return nil, p.problem("required, but empty")
	case p.typ != typeString:
		return nil, ""
	case p.match != nil && !p.match.MatchString(""):
		return nil, p.problem("empty, which does not match " + asWritten(p.match))
	}

	return json.RawMessage(`""`), ""
}

// brokenRule returns the rule that a text breaks; empty if it meets them all.
func (p parameter) brokenRule(text string) string {
	switch {
	case utf8.RuneCountInString(text) > maxValue:
		return fmt.Sprintf("longer than %d characters", maxValue)
	case !utf8.ValidString(text):
		return "not valid UTF-8"
	case p.match != nil && !p.match.MatchString(text):
		return "does not match " + asWritten(p.match)
	case p.match != nil:
		return ""
	case strings.ContainsAny(text, unsafeInShell) || strings.ContainsFunc(text, unicode.IsControl):
		return "contains a control character or one of " + unsafeInShell +
			" (allow it with match, and quote it in the job)"
	case p.typ != typeInteger && strings.HasPrefix(strings.TrimSpace(text), "-"):
		return "begins with -, as options do (allow it with match, and quote it in the job)"
	default:
		return ""
	}
}

// compileMatch compiles the match of a parameter, which must match the whole text. It must be a regular
// expression by itself: otherwise one such as a)|(?:b would match parts of a text.
func compileMatch(match string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(match); err != nil {
		return nil, err
	}
	return regexp.Compile(`^(?:` + match + `)$`)
}

// asWritten returns the match as it stands in the routes file.
func asWritten(match *regexp.Regexp) string {
	return strings.TrimSuffix(strings.TrimPrefix(match.String(), `^(?:`), `)$`)
}

// encodeValue returns the JSON value of a text in a type, or the rule that it breaks.
func encodeValue(typ, text string) (value json.RawMessage, rule string) {
	switch typ {
	case typeInteger:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, "not an integer"
		}

		return json.RawMessage(strconv.FormatInt(n, 10)), ""

	case typeBoolean:
		if text != "true" && text != "false" {
			return nil, "neither true nor false"
		}

		return json.RawMessage(text), ""

	default:
		value, err := json.Marshal(text)
		if err != nil {
			return nil, "not a text"
		}

		return value, ""
	}
}
