// Package route maps a deployment to its target: which CircleCI project, which ref, which
// parameters. Tables are read strictly, with the line of every problem; templates are rendered
// once, when a deployment is accepted.
package route

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Table is an ordered list of routes; the first that matches counts.
type Table struct {
	routes []Route
	prefix string // of tasks: it and whatever follows it and a colon deploy, but for lock and unlock
	own    Own
}

// For gives the table as it is for a service whose own App is known: requests are admitted and
// judged by the same routes.
func (t *Table) For(own Own) *Table {
	known := *t
	known.own = own
	return &known
}

// Routes gives the routes in their order.
func (t *Table) Routes() []Route { return slices.Clone(t.routes) }

// Route is one row of the table.
type Route struct {
	Line        int    // in the file
	Repository  string // as written
	Environment string
	Task        string // as written; empty: the task prefix, and it with :*
	Project     string // as written; empty: gh/ and the repository
	Definition  string
	CarriesKey  bool // a parameter uses .Key
	Policy      policy.Policy

	ruled          bool // Policy says something
	tasks          []glob
	apps           []string
	ref            *text
	configRef      *text
	revision       deployment.Revision
	parameters     []parameter
	timeout        time.Duration
	holdTimeout    time.Duration
	environmentURL *text
}

// Name says which route it is, for people.
func (r Route) Name() string {
	return fmt.Sprintf("line %d (%s to %s)", r.Line, r.Repository, r.Environment)
}

// LiteralRepository gives owner and name when the route names one repository.
func (r Route) LiteralRepository() (owner, name string, ok bool) {
	owner, name, ok = strings.Cut(r.Repository, "/")
	return owner, name, ok && glob(r.Repository).literal()
}

// Own is Seraph's own GitHub App, whose deployments always count.
type Own struct {
	AppID   int64
	AppSlug string
}

// place says whether a route is about a request's repository and environment.
func (r Route) place(req deployment.Request) bool {
	return glob(r.Repository).match(req.Repository.FullName()) && glob(r.Environment).match(req.Environment)
}

func (r Route) matches(req deployment.Request) bool {
	return r.place(req) && slices.ContainsFunc(r.tasks, func(g glob) bool { return g.match(req.Task) })
}

// hides says whether no deployment can reach other because this earlier route takes it.
func (r Route) hides(other Route) bool {
	if !glob(r.Repository).covers(glob(other.Repository)) || !glob(r.Environment).covers(glob(other.Environment)) {
		return false
	}
	return covers(r.tasks, other.tasks)
}

// covers says whether each of the others is covered by one of all.
func covers(all, others []glob) bool {
	return !slices.ContainsFunc(others, func(other glob) bool {
		return !slices.ContainsFunc(all, func(g glob) bool { return g.covers(other) })
	})
}

// Admit says where a request goes, or why it is ignored, or why it must end at once. key is what
// .Key renders to; it must be unguessable and unique to the deployment.
func (t *Table) Admit(req deployment.Request, key string) deployment.Admission {
	if act := t.act(req.Task); act != "" {
		return t.admitAct(req, key, act)
	}

	r, ok := t.find(req)
	if !ok {
		return deployment.Admission{Ignored: "no route matches this repository, environment and task"}
	}

	if who := madeBy(req); !r.counts(req, t.own, who) {
		return deployment.Admission{
			Ignored: fmt.Sprintf("it was made by %s, which the route's apps do not name", strings.Join(who, ", ")),
		}
	}

	return r.render(req, key)
}

// find gives the route of a deployment.
func (t *Table) find(req deployment.Request) (Route, bool) {
	i := slices.IndexFunc(t.routes, func(r Route) bool { return r.matches(req) })
	if i < 0 {
		return Route{}, false
	}
	return t.routes[i], true
}

// Policy gives the rules for a request; false: no route matches it. A request without a task is a
// question about the usual one.
func (t *Table) Policy(req deployment.Request) (policy.Policy, bool) {
	if t.act(req.Task) != "" {
		r, ok := t.findAct(req)
		return r.Policy, ok
	}
	if req.Task == "" {
		req.Task = t.prefix
	}

	r, ok := t.find(req)
	return r.Policy, ok
}

// madeBy names the app or bot behind a deployment; a person's has none.
func madeBy(req deployment.Request) []string {
	var names []string
	if req.App.Slug != "" {
		names = append(names, req.App.Slug)
	}
	if req.Creator.Type == "Bot" {
		names = append(names, strings.TrimSuffix(req.Creator.Login, "[bot]"))
	}
	if len(names) > 0 {
		return names
	}

	switch {
	case req.WorkflowRun:
		return []string{"github-actions"}
	case req.App.ID != 0:
		return []string{fmt.Sprintf("app %d", req.App.ID)}
	case strings.EqualFold(req.Environment, "github-pages"):
		return []string{"github-pages"}
	default:
		return nil
	}
}

func (r Route) counts(req deployment.Request, own Own, who []string) bool {
	if len(who) == 0 || own.AppID != 0 && req.App.ID == own.AppID {
		return true
	}

	for _, name := range who {
		if own.AppSlug != "" && strings.EqualFold(name, own.AppSlug) {
			return true
		}

		if slices.ContainsFunc(
			r.apps,
			func(a string) bool { return strings.EqualFold(strings.TrimSuffix(a, "[bot]"), name) },
		) {
			return true
		}
	}

	return false
}

// render makes the target. The first thing that cannot be made is the deployment's problem.
func (r Route) render(req deployment.Request, key string) deployment.Admission {
	a := deployment.Admission{Target: deployment.Target{
		Project:     r.Project,
		Definition:  r.Definition,
		Revision:    r.revision,
		Key:         key,
		CarriesKey:  r.CarriesKey,
		Timeout:     r.timeout,
		HoldTimeout: r.holdTimeout,
		Ruled:       r.ruled,
	}}

	d := newData(r.read(req), key)
	if a.Target.ForceReason, a.Problem = forceReason(d.Payload); a.Problem != "" {
		return a
	}
	if a.Target.Project == "" {
		a.Target.Project = "gh/" + req.Repository.FullName()
	}
	if (req.PayloadTooLarge || len(req.Payload) > deployment.MaxPayload) && r.usesPayload() {
		a.Problem = "the payload is larger than 1 MiB, and the route uses it"
		return a
	}
	if a.Problem = r.renderRefs(&a.Target, d); a.Problem != "" {
		return a
	}

	a.Target.Ref = r.asBranch(a.Target.Ref, req.Ref)
	for _, p := range r.parameters {
		if p.usesKey {
			a.Target.KeyParameters = append(a.Target.KeyParameters, p.name)
		}

		value, problem := p.render(d)
		if problem != "" {
			a.Problem = problem
			return a
		}
		if value != nil {
			a.Target.Parameters = append(a.Target.Parameters, deployment.Parameter{Name: p.name, Value: value})
		}
	}

	a.Target.EnvironmentURL, a.Notes = r.renderURL(d)
	return a
}

// read is the request with its payload, where that is to be read: one that no template names and
// that asks for no force need not be taken apart.
func (r Route) read(req deployment.Request) deployment.Request {
	if !r.usesPayload() && !bytes.Contains(req.Payload, []byte(forceKey)) &&
		!bytes.Contains(req.Payload, []byte(`\u`)) {
		req.Payload = nil
	}
	return req
}

// usesPayload says whether any template of the route may read the payload.
func (r Route) usesPayload() bool {
	texts := []*text{r.ref, r.configRef, r.environmentURL}
	for _, p := range r.parameters {
		texts = append(texts, p.text)
	}
	return slices.ContainsFunc(texts, func(t *text) bool { return t != nil && t.payload })
}

// asBranch makes a bare name that was asked for a branch's where the rules let no tag of that name
// go: as a tag it would only be rejected, and a branch that CircleCI does not see yet is asked for
// again.
func (r Route) asBranch(ref deployment.Ref, asked string) deployment.Ref {
	if ref.Kind == deployment.RefBare && ref == deployment.ParseRef(asked) && !r.Policy.FitsRef("refs/tags/"+ref.Name) {
		ref.Kind = deployment.RefBranch
	}
	return ref
}

func (r Route) renderRefs(t *deployment.Target, d data) (problem string) {
	name, err := r.ref.render(d)
	if err != nil {
		return "circleci.ref cannot be rendered: " + err.Error()
	}

	t.Ref = deployment.ParseRef(name)
	switch {
	case t.Ref.Name == "":
		return "circleci.ref rendered to nothing"
	case t.Ref.Kind == deployment.RefSHA:
		return "the ref is a commit, which CircleCI cannot build: set circleci.ref on the route"
	case r.configRef == nil:
		return ""
	}

	if name, err = r.configRef.render(d); err != nil {
		return "circleci.config_ref cannot be rendered: " + err.Error()
	}

	t.ConfigRef = deployment.ParseRef(name)
	if t.ConfigRef.Name == "" || t.ConfigRef.Kind == deployment.RefSHA {
		return "circleci.config_ref must be a branch"
	}
	if t.ConfigRef.Kind == deployment.RefBare {
		t.ConfigRef.Kind = deployment.RefBranch
	}

	return ""
}
