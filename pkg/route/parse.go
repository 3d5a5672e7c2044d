package route

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// maxTable bounds a table's text, in bytes.
const maxTable = 1 << 20

// DefaultTaskPrefix is the task that deploys where the operator names no other.
const DefaultTaskPrefix = "deploy"

// Options are what the operator says of all routes outside the table. The zero Options are the
// defaults.
type Options struct {
	TaskPrefix string // the task that deploys, without * and ?; it with :lock and :unlock is about locks
}

// Parse reads a route table in YAML or JSON. The error is Problems: everything that is wrong, with
// lines of file.
func Parse(text []byte, file string) (*Table, error) { return ParseWith(text, file, Options{}) }

// ParseWith is Parse with options.
func ParseWith(text []byte, file string, o Options) (*Table, error) {
	r := &reader{file: file}
	t := &Table{prefix: cmp.Or(o.TaskPrefix, DefaultTaskPrefix)}
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
		if t.Type == token.AnchorType || t.Type == token.AliasType || t.Type == token.TagType ||
			t.Type == token.MergeKeyType {
			r.problems = append(r.problems, Problem{
				File: r.file,
				Line: t.Position.Line,
				Text: "anchors, aliases and tags are not supported: write it out",
			})

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
	m, ok := r.mapping(root, "the table", []string{"routes", "freeze"})
	if !ok {
		return
	}

	list, ok := m.values["routes"].(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		r.wrong(root, `"routes:" must be a list of at least one route`)
		return
	}

	everywhere := r.freezes(m)
	for _, n := range list.Values {
		route, ok := r.route(n, t)
		route.Policy.Freezes = slices.Concat(route.Policy.Freezes, everywhere)
		route.ruled = !route.Policy.None()
		if !ok {
			continue
		}

		for _, earlier := range t.routes {
			if earlier.hides(route) {
				r.wrong(
					n,
					"this route is never reached: the route in line %d takes everything it matches; put it before that one",
					earlier.Line,
				)

				break
			}
		}

		t.routes = append(t.routes, route)
	}
}

var routeKeys = []string{
	"repository", "environment", "task", "apps", "circleci", "parameters", "timeout", "hold_timeout", "environment_url",
	policy.RuleAllow, policy.RuleRefs, policy.RuleRequireAhead, policy.RuleChecks, policy.RuleAfter, policy.RuleConcurrency, policy.RuleFreeze,
	policy.RuleApprovals, policy.RuleForce, "locked", policy.RuleMaxWait,
}

func (r *reader) route(n ast.Node, t *Table) (Route, bool) {
	before := len(r.problems)
	m, ok := r.mapping(n, "a route", routeKeys)
	if !ok {
		return Route{}, false
	}

	route := Route{Line: lineOf(m.first()), Environment: "*", apps: r.texts(m, "apps")}
	r.selector(&route, m, t)
	r.rules(&route, m)
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

func (r *reader) selector(route *Route, m mapping, t *Table) {
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
	route.tasks = []glob{glob(t.prefix), glob(t.prefix + ":*")}
	if n == nil {
		return
	}

	route.tasks = []glob{glob(task)}
	if t.act(task) != "" {
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
		r.wrong(
			n,
			"project %q needs a definition: CircleCI triggers GitHub App projects by pipeline definition only",
			project,
		)
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
