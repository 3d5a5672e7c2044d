package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// maxTable bounds a table's text, in bytes.
const maxTable = 1 << 20

// Parse reads a route table in YAML or JSON. The error is Problems: everything that is wrong, with lines of file.
func Parse(text []byte, file string) (*Table, error) {
	r := &reader{file: file}
	t := &Table{}
	if root := r.document(text); root != nil {
		r.table(t, root)
	}
	if len(r.problems) > 0 {
		return nil, r.problems.sorted()
	}
	return t, nil
}

// document gives the one document of a text.
func (r *reader) document(text []byte) ast.Node {
	if len(text) > maxTable {
		r.wrong(nil, "a route table has at most %d bytes", maxTable)
		return nil
	}
	tokens := lexer.Tokenize(string(text))
	for _, t := range tokens {
		if t.Type == token.AnchorType || t.Type == token.AliasType || t.Type == token.TagType || t.Type == token.MergeKeyType {
			r.problems = append(r.problems, Problem{File: r.file, Line: t.Position.Line, Text: "anchors, aliases and tags are not supported: write it out"})
			return nil
		}
	}
	f, err := parser.Parse(tokens, 0)
	if err != nil {
		r.syntax(err)
		return nil
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil {
		r.wrong(nil, `there must be one document: "routes:" and a list of at least one route`)
		return nil
	}
	return f.Docs[0].Body
}

func (r *reader) syntax(err error) {
	p := Problem{File: r.file, Text: strings.TrimSpace(err.Error())}
	var own yaml.Error
	if errors.As(err, &own) {
		p.Text = own.GetMessage()
		if t := own.GetToken(); t != nil && t.Position != nil {
			p.Line = t.Position.Line
		}
	}
	p.Text = "this is no YAML: " + strings.Join(strings.Fields(p.Text), " ")
	r.problems = append(r.problems, p)
}

func (r *reader) table(t *Table, root ast.Node) {
	m, ok := r.mapping(root, "the table", []string{"routes"})
	if !ok {
		return
	}
	list, ok := m.values["routes"].(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		r.wrong(root, `"routes:" must be a list of at least one route`)
		return
	}
	for _, n := range list.Values {
		route, ok := r.route(n)
		if !ok {
			continue
		}
		for _, earlier := range t.routes {
			if earlier.hides(route) {
				r.wrong(n, "this route is never reached: the route in line %d takes everything it matches; put it before that one", earlier.Line)
				break
			}
		}
		t.routes = append(t.routes, route)
	}
}

var routeKeys = []string{"repository", "environment", "task", "apps", "circleci", "parameters", "timeout", "hold_timeout", "environment_url"}

func (r *reader) route(n ast.Node) (Route, bool) {
	before := len(r.problems)
	m, ok := r.mapping(n, "a route", routeKeys)
	if !ok {
		return Route{}, false
	}
	route := Route{Line: lineOf(m.first()), Environment: "*", apps: r.texts(m, "apps")}
	r.selector(&route, m)
	r.circleci(&route, m)
	r.parameters(&route, m)
	route.timeout = r.duration(m, "timeout", time.Hour)
	route.holdTimeout = r.duration(m, "hold_timeout", 24*time.Hour)
	if s, n := r.text(m, "environment_url"); n != nil {
		route.environmentURL = r.template(n, "environment_url", s, newURL)
	}
	route.settle()
	return route, len(r.problems) == before
}

// first is the node that a problem with the whole mapping points at.
func (m mapping) first() ast.Node {
	if len(m.order) > 0 {
		return m.keys[m.order[0]]
	}
	return m.node
}

var ownerPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func (r *reader) selector(route *Route, m mapping) {
	repository, n := r.text(m, "repository")
	owner, name, ok := strings.Cut(repository, "/")
	switch {
	case n == nil && m.values["repository"] == nil:
		r.wrong(m.first(), "repository is required, such as acme/api or acme/*")
	case n != nil && (!ok || strings.Contains(name, "/") || name == ""):
		r.wrong(n, "repository %q must be OWNER/NAME", repository)
	case n != nil && !ownerPattern.MatchString(owner):
		r.wrong(n, "repository %q: the owner must be written out; only the name may hold * and ?", repository)
	}
	route.Repository = repository
	if s, n := r.text(m, "environment"); n != nil {
		route.Environment = s
	}
	task, n := r.text(m, "task")
	route.Task = task
	route.tasks = []glob{"deploy", "deploy:*"}
	if n == nil {
		return
	}
	route.tasks = []glob{glob(task)}
	if isReserved(task) {
		r.wrong(n, "task %q is reserved for locks and never deploys", task)
	}
}

// circleciKeys are the keys of a route's circleci part.
var circleciKeys = []string{"project", "definition", "ref", "branch", "config_ref", "revision"}

func (r *reader) circleci(route *Route, outer mapping) {
	m := mapping{values: map[string]ast.Node{}}
	if n, ok := outer.values["circleci"]; ok {
		if m, ok = r.mapping(n, "circleci", circleciKeys); !ok {
			return
		}
	}
	r.project(route, m)
	r.refs(route, m)
	s, n := r.text(m, "revision")
	switch s {
	case "", "auto":
	case "strict":
		route.revision = deployment.RevisionStrict
	case "note":
		route.revision = deployment.RevisionNote
	default:
		r.wrong(n, "revision %q must be strict, note or auto", s)
	}
}

func (r *reader) project(route *Route, m mapping) {
	project, n := r.text(m, "project")
	if parts := strings.Split(project, "/"); n != nil && (len(parts) != 3 || contains(parts, "")) {
		r.wrong(n, "project %q must have three parts, such as gh/acme/api or circleci/ORG/PROJECT", project)
	}
	route.Project = project
	definition, d := r.text(m, "definition")
	route.Definition = definition
	if n != nil && d == nil && strings.HasPrefix(project, "circleci/") {
		r.wrong(n, "project %q needs a definition: CircleCI triggers GitHub App projects by pipeline definition only", project)
	}
}

func (r *reader) refs(route *Route, m mapping) {
	source, n := r.text(m, "ref")
	branch, b := r.text(m, "branch")
	switch {
	case n != nil && b != nil:
		r.wrong(b, "branch is short for ref: give one of them")
	case b != nil:
		source, n = "refs/heads/"+strings.TrimPrefix(branch, "refs/heads/"), b
	case n == nil:
		source = "{{ .Ref }}"
	}
	route.ref = r.template(n, "ref", source, newText)
	config, c := r.text(m, "config_ref")
	if c == nil {
		return
	}
	if route.Definition == "" {
		r.wrong(c, "config_ref works only with a definition")
	}
	route.configRef = r.template(c, "config_ref", config, newText)
}

func (r *reader) template(n ast.Node, what, source string, parse func(string) (*text, error)) *text {
	t, err := parse(source)
	if err != nil {
		r.wrong(n, "%s: bad template: %v", what, err)
	}
	return t
}

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
			r.wrong(m.keys[name], "parameter name %q: it must start with a letter and have only letters, digits, _ and -, at most %d", name, maxNameLength)
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

// fixed is a parameter that is the same for every deployment: it is checked here and now. Without a rule of its own a fixed text is free, because
// the operator wrote it.
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

// settle decides what depends on the whole route.
func (r *Route) settle() {
	usesSHA := false
	for _, p := range r.parameters {
		r.CarriesKey = r.CarriesKey || p.usesKey
		usesSHA = usesSHA || p.text != nil && p.text.usesField("SHA")
	}
	if r.revision == "" {
		r.revision = deployment.RevisionStrict
		if usesSHA {
			r.revision = deployment.RevisionNote
		}
	}
}
