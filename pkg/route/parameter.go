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
	maxParameters = 100
	maxNameLength = 128
	maxValue      = 512
)

var parameterName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// parameter is one pipeline parameter: a fixed value, or a template with rules.
type parameter struct {
	name     string
	fixed    json.RawMessage // set: always this
	text     *text
	kind     string // string, boolean or integer
	match    *regexp.Regexp
	required bool
	usesKey  bool
}

// unsafeInShell are the characters that CircleCI's substitution of parameters into shell text would
// make dangerous.
const unsafeInShell = "`$;&|<>\\\"'"

// render gives the JSON value, nil where there is none to send, or the problem, which never shows
// the value.
func (p parameter) render(d data) (json.RawMessage, string) {
	if p.fixed != nil {
		return p.fixed, ""
	}

	value, err := p.text.render(d)
	if err != nil {
		return nil, p.problem(err.Error())
	}
	if value == "" {
		return p.empty()
	}
	if rule := p.breaks(value); rule != "" {
		return nil, p.problem(rule)
	}

	raw, rule := convert(p.kind, value)
	if rule != "" {
		return nil, p.problem(rule)
	}

	return raw, ""
}

func (p parameter) problem(rule string) string { return fmt.Sprintf("parameter %s: %s", p.name, rule) }

// empty is what an empty text means: nothing to send, but for a string, which may be empty if the
// rules let it.
func (p parameter) empty() (json.RawMessage, string) {
	switch {
	case p.required:
		return nil, p.problem("it is required, and empty")
	case p.kind != "string":
		return nil, ""
	case p.match != nil && !p.match.MatchString(""):
		return nil, p.problem("it is empty, which does not match " + p.match.String())
	}

	return json.RawMessage(`""`), ""
}

// breaks names the rule that a text does not keep.
func (p parameter) breaks(value string) string {
	if n := utf8.RuneCountInString(value); n > maxValue {
		return fmt.Sprintf("it is longer than %d characters", maxValue)
	}
	if !utf8.ValidString(value) {
		return "it is not UTF-8"
	}

	if p.match != nil {
		if !p.match.MatchString(value) {
			return "it does not match " + shown(p.match)
		}

		return ""
	}

	if strings.ContainsAny(value, unsafeInShell) || strings.ContainsFunc(value, unicode.IsControl) {
		return "it holds a control character or one of " + unsafeInShell + " (allow it with match, and quote it in the job)"
	}

	return ""
}

// shown is a rule as the operator wrote it.
func shown(re *regexp.Regexp) string {
	return strings.TrimSuffix(strings.TrimPrefix(re.String(), `^(?:`), `)$`)
}

// convert makes the typed JSON value of a text.
func convert(kind, value string) (json.RawMessage, string) {
	switch kind {
	case "integer":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, "it is no integer"
		}

		return json.RawMessage(strconv.FormatInt(n, 10)), ""
	case "boolean":
		if value != "true" && value != "false" {
			return nil, "it is neither true nor false"
		}

		return json.RawMessage(value), ""
	default:
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, "it is no text"
		}

		return raw, ""
	}
}
