package route

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

func (r *reader) parameters(route *Route, outer mapping) {
	n, ok := outer.values["parameters"]
	if !ok {
		return
	}

	m, ok := r.mapping(n, "parameters", nil)
	if !ok {
		return
	}
	if len(m.order) > maxParameters {
		r.wrong(n, "CircleCI takes at most %d parameters", maxParameters)
	}

	for _, name := range m.order {
		if !parameterName.MatchString(name) || len(name) > maxNameLength {
			r.wrong(
				m.keys[name],
				"parameter name %q: it must start with a letter and have only letters, digits, _ and -, at most %d",
				name,
				maxNameLength,
			)

			continue
		}

		if p, ok := r.parameter(name, m.values[name]); ok {
			route.parameters = append(route.parameters, p)
		}
	}
}

func (r *reader) parameter(name string, n ast.Node) (parameter, bool) {
	p := parameter{name: name, kind: "string"}
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return r.ruled(p, n)
	}

	source, ok := scalar(n)
	if !ok {
		r.wrong(n, "parameter %s must be a scalar, a template, or {value, type, match, required}", name)
		return p, false
	}
	if strings.Contains(source, "{{") {
		return r.templated(p, n, source)
	}

	switch n.(type) {
	case *ast.IntegerNode:
		p.kind = "integer"
	case *ast.BoolNode:
		p.kind, source = "boolean", strings.ToLower(source)
	}

	return r.fixed(p, n, source)
}

// ruled is a parameter given as {value, type, match, required}.
func (r *reader) ruled(p parameter, n ast.Node) (parameter, bool) {
	before := len(r.problems)
	m, _ := r.mapping(n, "parameter "+p.name, []string{"value", "type", "match", "required"})
	value, ok := scalar(m.values["value"])
	if !ok {
		r.wrong(m.first(), "parameter %s needs a value: a scalar or a template", p.name)
	}

	if kind, k := r.text(m, "type"); k != nil {
		p.kind = kind
		if !contains([]string{"string", "boolean", "integer"}, kind) {
			r.wrong(k, "parameter %s: type %q must be string, boolean or integer", p.name, kind)
		}
	}

	if match, k := r.text(m, "match"); k != nil {
		var err error
		if p.match, err = regexp.Compile(`^(?:` + match + `)$`); err != nil {
			r.wrong(k, "parameter %s: match is no regular expression: %v", p.name, err)
		}
	}

	if k, given := m.values["required"]; given {
		b, isBool := k.(*ast.BoolNode)
		if !isBool {
			r.wrong(k, "parameter %s: required must be true or false", p.name)
		}

		p.required = isBool && b.Value
	}

	if len(r.problems) > before {
		return p, false
	}
	if strings.Contains(value, "{{") {
		return r.templated(p, m.values["value"], value)
	}

	return r.fixed(p, m.values["value"], value)
}

func (r *reader) templated(p parameter, n ast.Node, source string) (parameter, bool) {
	p.text = r.template(n, "parameter "+p.name, source, newText)
	p.usesKey = p.text != nil && p.text.usesField("Key")
	return p, p.text != nil
}

// fixed is a parameter that is the same for every deployment: it is checked here and now. Without a
// rule of its own a fixed text is free, because the operator wrote it.
func (r *reader) fixed(p parameter, n ast.Node, source string) (parameter, bool) {
	checked := p
	if checked.match == nil {
		checked.match = regexp.MustCompile(`(?s)^.*$`)
	}
	if rule := checked.breaks(source); rule != "" {
		r.wrong(n, "%s", p.problem(rule))
		return p, false
	}

	raw, rule := convert(p.kind, source)
	if rule != "" {
		r.wrong(n, "%s", p.problem(rule))
	}

	p.fixed = bytes.Clone(json.RawMessage(raw))
	return p, rule == ""
}
