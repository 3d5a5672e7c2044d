package route

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// parameters reads a route's pipeline parameters.
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
		r.problem(n, "CircleCI takes at most %d parameters", maxParameters)
	}

	for _, name := range m.order {
		if !parameterName.MatchString(name) || len(name) > maxParameterName {
			r.problem(m.keys[name],
				"parameter name %q must start with a letter and hold only letters, digits, _ and -, at most %d",
				name, maxParameterName)
			continue
		}

		if p, ok := r.parameter(name, m.values[name]); ok {
			route.parameters = append(route.parameters, p)
		}
	}
}

// parameter reads one parameter: a scalar, a template, or a mapping with rules.
func (r *reader) parameter(name string, n ast.Node) (parameter, bool) {
	p := parameter{name: name, typ: typeString}
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return r.parameterWithRules(p, n)
	}

	source, ok := scalar(n)
	if !ok {
		r.problem(n, "parameter %s must be a scalar, a template, or {value, type, match, required}", name)
		return p, false
	}
	if isTemplate(source) {
		return r.templateParameter(p, n, source)
	}

	switch n.(type) {
	case *ast.IntegerNode:
		if printsAsWritten(source) {
			p.typ = typeInteger
		}
	case *ast.BoolNode:
		p.typ = typeBoolean
		source = strings.ToLower(source)
	}

	return r.fixedParameter(p, n, source)
}

// printsAsWritten says whether a number is sent as the digits that stand in the file. One with a leading
// zero, a plus sign or underscores, one in another base and one that is too large is not: it is
// rather an account number or a version, and goes out as text.
func printsAsWritten(source string) bool {
	n, err := strconv.ParseInt(source, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == source
}

func isTemplate(source string) bool { return strings.Contains(source, "{{") }

// parameterWithRules reads a parameter that is given as {value, type, match, required}.
func (r *reader) parameterWithRules(p parameter, n ast.Node) (parameter, bool) {
	before := len(r.problems)
	m, _ := r.mapping(n, "parameter "+p.name, []string{"value", "type", "match", "required"})

	source, ok := scalar(m.values["value"])
	if !ok {
		r.problem(m.first(), "parameter %s needs a value: a scalar or a template", p.name)
	}

	if typ, n := r.text(m, "type"); n != nil {
		p.typ = typ
		if !slices.Contains([]string{typeString, typeBoolean, typeInteger}, typ) {
			r.problem(n, "parameter %s: type %q must be string, boolean or integer", p.name, typ)
		}
	}

	if match, n := r.text(m, "match"); n != nil {
		compiled, err := compileMatch(match)
		if err != nil {
			r.problem(n, "parameter %s: match is not a regular expression: %v", p.name, err)
		}
		p.match = compiled
	}

	if n, given := m.values["required"]; given {
		required, isBool := n.(*ast.BoolNode)
		if !isBool {
			r.problem(n, "parameter %s: required must be true or false", p.name)
		}
		p.required = isBool && required.Value
	}

	if len(r.problems) > before {
		return p, false
	}
	if isTemplate(source) {
		return r.templateParameter(p, m.values["value"], source)
	}

	return r.fixedParameter(p, m.values["value"], source)
}

func (r *reader) templateParameter(p parameter, n ast.Node, source string) (parameter, bool) {
	p.template = r.template(n, "parameter "+p.name, source, parseTemplate)
	p.usesKey = p.template != nil && p.template.usesField("Key")
	return p, p.template != nil
}

var anyText = regexp.MustCompile(`(?s)^.*$`)

// fixedParameter reads a value that is the same for every deployment, and checks it at once. Without
// a match of its own it may hold any character, because the operator wrote it.
func (r *reader) fixedParameter(p parameter, n ast.Node, source string) (parameter, bool) {
	checked := p
	if checked.match == nil {
		checked.match = anyText
	}
	if rule := checked.brokenRule(source); rule != "" {
		r.problem(n, "%s", p.problem(rule))
		return p, false
	}

	value, rule := encodeValue(p.typ, source)
	if rule != "" {
		r.problem(n, "%s", p.problem(rule))
	}

	p.fixed = bytes.Clone(value)
	return p, rule == ""
}
