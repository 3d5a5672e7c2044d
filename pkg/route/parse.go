package route

import (
	"cmp"
	"errors"
	"fmt"
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

// maxTableSize bounds a routes file, in bytes.
const maxTableSize = 1 << 20

// DefaultTaskPrefix is the task that deploys if the operator names no other.
const DefaultTaskPrefix = "deploy"

// Options are what the operator configures for all routes outside the routes file.
type Options struct {
	// TaskPrefix is the task that deploys, without * and ?. The prefix with :lock and :unlock is
	// reserved for locks. Empty: DefaultTaskPrefix.
	TaskPrefix string
}

// Parse reads a routes file in YAML or JSON. file is its name in problems. The error is a
// ParseError with all problems.
func Parse(text []byte, file string, o Options) (*Table, error) {
	r := &reader{file: file}
	t := &Table{taskPrefix: cmp.Or(o.TaskPrefix, DefaultTaskPrefix)}

	if root := r.document(text); root != nil {
		r.table(t, root)
	}
	if len(r.problems) > 0 {
		return nil, r.problems.sorted()
	}

	return t, nil
}

// document returns the root of the only document in a text; nil if there is a problem.
func (r *reader) document(text []byte) ast.Node {
	if len(text) > maxTableSize {
		r.problem(nil, "a routes file has at most %d bytes", maxTableSize)
		return nil
	}

	refused := []token.Type{token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType}
	tokens := lexer.Tokenize(string(text))
	for _, t := range tokens {
		if slices.Contains(refused, t.Type) {
			r.problems = append(r.problems, Problem{
				File: r.file,
				Line: t.Position.Line,
				Text: "anchors, aliases and tags are not supported: write the value out",
			})

			return nil
		}
	}

	if t := tooDeep(tokens); t != nil {
		r.problems = append(r.problems, Problem{
			File: r.file,
			Line: t.Position.Line,
			Text: fmt.Sprintf(
				"lists and mappings are nested more than %d deep: write the routes one below the other",
				maxDepth,
			),
		})

		return nil
	}

	f, err := parser.Parse(tokens, 0)
	if err != nil {
		r.syntaxProblem(err)
		return nil
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil {
		r.problem(nil, `the file must hold one document: "routes:" and a list of at least one route`)
		return nil
	}

	return f.Docs[0].Body
}

func (r *reader) syntaxProblem(err error) {
	text, line := err.Error(), 0
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		text = syntax.GetMessage()
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
	}

	r.problems = append(r.problems, Problem{
		File: r.file,
		Line: line,
		Text: "not valid YAML: " + strings.Join(strings.Fields(text), " "),
	})
}

// sharedAccounts is the key of the accounts that several people use.
const sharedAccounts = "shared_accounts"

// table reads the whole file into t.
func (r *reader) table(t *Table, root ast.Node) {
	m, ok := r.mapping(root, "the file", fileKeys)
	if !ok {
		return
	}

	r.slack(t, m)
	r.people(t, m)
	list, ok := m.values["routes"].(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		r.problem(root, `"routes:" must be a list of at least one route`)
		return
	}

	freezesOfAll, shared := r.freezes(m), r.users(m, sharedAccounts)
	defaults := r.routeDefaults(m)
	for _, n := range list.Values {
		route, ok := r.route(n, t, &defaults)
		if !ok {
			continue
		}

		route.Policy.Freezes = slices.Concat(route.Policy.Freezes, freezesOfAll)
		route.Policy.SharedAccounts = shared
		r.sharedApprovers(n, route.Policy)
		route.hasRules = !route.Policy.Empty()

		shadowing := slices.IndexFunc(t.routes, func(earlier Route) bool { return earlier.shadows(route) })
		if shadowing >= 0 {
			r.problem(
				n,
				"this route is never reached: the route in line %d matches all that it matches; "+
					"move this one before it",
				t.routes[shadowing].Line,
			)
		}

		t.routes = append(t.routes, route)
	}

	r.checkUnused(defaults, list.Values[0], t)
	t.nameApps()
}

var fileKeys = []string{"routes", "defaults", "people", faceSlack, policy.RuleFreeze, sharedAccounts}

var routeKeys = []string{
	"repository",
	"repository_id",
	"name",
	"environment",
	"task",
	"apps",
	"circleci",
	"parameters",
	"timeout",
	"hold_timeout",
	"environment_url",
	"production",
	"deploys",
	"ask",
	"notify",
	"logs",
	policy.RuleAllow,
	policy.RuleRefs,
	policy.RuleRequireAhead,
	policy.RuleChecks,
	policy.RuleAfter,
	policy.RuleConcurrency,
	policy.RuleFreeze,
	policy.RuleApprovals,
	policy.RuleForce,
	"holds",
	"rollback",
	"locked",
	policy.RuleMaxWait,
}

func (r *reader) route(n ast.Node, t *Table, defaults *routeDefaults) (Route, bool) {
	before := len(r.problems)
	m, ok := r.mapping(n, "a route", routeKeys)
	if !ok {
		return Route{}, false
	}

	defaults.merge(m)
	route := r.routeOf(m, t)
	if len(r.problems) > before {
		return Route{}, false
	}

	route.applyParameters()
	return route, true
}

// routeOf reads the keys of a route. Where it finds a problem, the route cannot be used.
func (r *reader) routeOf(m mapping, t *Table) Route {
	route := Route{
		Line:        lineOf(m.first()),
		Environment: "*",
	}

	r.selectors(&route, m, t)
	route.operation = m.values["deploys"] != nil && !r.boolean(m, "deploys")
	r.asking(&route, m)
	r.rules(&route, m)
	r.circleci(&route, m)
	r.parameters(&route, m)
	route.timeout = r.duration(m, "timeout", time.Hour)
	route.holdTimeout = r.duration(m, "hold_timeout", 24*time.Hour)
	if s, n := r.text(m, "environment_url"); n != nil {
		route.environmentURL = r.template(n, "environment_url", s, parseURLTemplate)
	}

	return route
}

// circleci reads what CircleCI builds.
func (r *reader) circleci(route *Route, outer mapping) {
	m, ok := r.optionalMapping(outer, "circleci", "project", "definition", "ref", "branch", "config_ref", "revision")
	if !ok && outer.values["circleci"] != nil {
		return
	}

	r.project(route, m)
	r.refs(route, m)

	switch revision := r.choice(m, "revision", "strict", "note", "auto"); revision {
	case "strict":
		route.Revision = deployment.RevisionStrict
	case "note":
		route.Revision = deployment.RevisionNote
	}
}

func (r *reader) project(route *Route, m mapping) {
	project, n := r.text(m, "project")
	parts := strings.Split(project, "/")
	if n != nil && (len(parts) != 3 || slices.Contains(parts, "")) {
		r.problem(n, "project %q must have three parts, such as gh/acme/api or circleci/ORG/PROJECT", project)
	}
	route.Project = project

	definition, d := r.text(m, "definition")
	route.Definition = definition
	if n != nil && d == nil && strings.HasPrefix(project, "circleci/") {
		r.problem(n,
			"project %q needs a definition: CircleCI triggers GitHub App projects by pipeline definition only", project)
	}
}

func (r *reader) refs(route *Route, m mapping) {
	source, n := r.text(m, "ref")
	branch, b := r.text(m, "branch")
	switch {
	case n != nil && b != nil:
		r.problem(b, "branch is short for ref: give only one of them")
	case b != nil:
		source, n = "refs/heads/"+strings.TrimPrefix(branch, "refs/heads/"), b
	case n == nil:
		source = "{{ .Ref }}"
	}
	route.ref = r.template(n, "ref", source, parseTemplate)

	configRef, n := r.text(m, "config_ref")
	if n == nil {
		return
	}
	if route.Definition == "" {
		r.problem(n, "config_ref works only with a definition")
	}
	route.configRef = r.template(n, "config_ref", configRef, parseTemplate)
}

// template parses a template; nil if there is a problem.
func (r *reader) template(
	n ast.Node,
	what, source string,
	parse func(string) (*textTemplate, error),
) *textTemplate {
	t, err := parse(source)
	if err != nil {
		r.problem(n, "%s: bad template: %v", what, err)
		return nil
	}
	return t
}

// applyParameters sets what depends on the parameters and the refs of a route: whether a parameter
// carries the key, and what revision: auto means. A pipeline that gets the commit can check it out
// itself, so that CircleCI's revision need not be enforced. But this holds only where the requester
// cannot choose the configuration, which would say what the pipeline does with the commit.
func (r *Route) applyParameters() {
	for _, p := range r.parameters {
		r.CarriesKey = r.CarriesKey || p.usesKey
		r.CarriesSHA = r.CarriesSHA || p.template != nil && p.template.usesField("SHA")
	}

	r.FixedRef = r.ref.literal
	r.FixedConfig = r.FixedRef
	if r.configRef != nil {
		r.FixedConfig = r.configRef.literal
	}

	switch {
	case r.Revision != "":
	case r.CarriesSHA && r.FixedConfig:
		r.Revision = deployment.RevisionNote
	default:
		r.Revision = deployment.RevisionStrict
	}
}
