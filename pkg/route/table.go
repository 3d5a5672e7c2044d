// Package route maps a deployment to its target (the CircleCI project, the ref and the parameters)
// and to the rules that it must meet.
//
// The routes file is read strictly: every problem is reported with its line. Templates are rendered
// once, when a deployment is accepted.
package route

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Table is an ordered list of routes. The first one that matches a deployment is used.
type Table struct {
	routes     []Route
	taskPrefix string
	own        *OwnApp // nil: there is none

	people         []Person
	slackWorkspace string
}

// OwnApp is Seraph's own GitHub App. Its deployments are always accepted. Where an event does not name
// the App, it is known by the login of its bot, which holds the slug. It is safe for concurrent use.
type OwnApp struct {
	ID int64 // 0: there is none

	slug atomic.Pointer[string]
}

// SetSlug sets the slug, which GitHub tells only after the start.
func (o *OwnApp) SetSlug(slug string) { o.slug.Store(&slug) }

// made says whether the App made a request, of which automationNames gives the names.
func (o *OwnApp) made(req deployment.Request, names []string) bool {
	if o == nil || o.ID == 0 {
		return false
	}
	if req.App.ID == o.ID {
		return true
	}

	slug := o.slug.Load()
	return slug != nil && slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, *slug) })
}

// WithOwnApp returns the same table for a service that has an App of its own.
func (t *Table) WithOwnApp(own *OwnApp) *Table {
	copied := *t
	copied.own = own
	return &copied
}

// Routes returns the routes in their order.
func (t *Table) Routes() []Route { return slices.Clone(t.routes) }

// Repositories returns the repositories that routes name without a pattern, as they are written.
func (t *Table) Repositories() []deployment.Repository {
	var list []deployment.Repository
	for _, r := range t.routes {
		if owner, name, ok := r.LiteralRepository(); ok {
			list = append(list, deployment.Repository{Owner: owner, Name: name})
		}
	}
	return list
}

// Policy returns the rules for a request, as they are configured now; false if no route matches. An
// empty task stands for the usual one.
func (t *Table) Policy(req deployment.Request) (policy.Policy, bool) {
	if t.reservedTask(req.Task) != "" {
		r, ok := t.findLockRoute(req)
		return r.Policy, ok
	}

	if req.Task == "" {
		req.Task = t.taskPrefix
	}

	r, ok := t.find(req)
	return r.Policy, ok
}

// find returns the route of a deployment. If the deployment only comes to it by avoiding the rules of
// an earlier route, its policy rejects the deployment.
func (t *Table) find(req deployment.Request) (Route, bool) {
	i := slices.IndexFunc(t.routes, func(r Route) bool { return r.matches(req) })
	if i < 0 {
		return Route{}, false
	}

	r := t.routes[i]
	if detour := t.detour(req, i); detour != "" {
		r.Policy.WrongRoute = detour
		r.hasRules = true
	}

	return r, true
}

// Route is one row of the table.
type Route struct {
	Line        int    // in the routes file
	Repository  string // as written
	Environment string // as written; * if it is left out
	Task        string // as written; empty: the task prefix, alone or with a suffix such as ":migrate"
	Project     string // as written; empty: gh/ and the repository
	Definition  string
	CarriesKey  bool // a parameter uses .Key
	CarriesSHA  bool // a parameter uses .SHA
	FixedRef    bool // what is built does not depend on the deployment
	FixedConfig bool // nor does the ref that the configuration is read from
	Policy      policy.Policy
	Revision    deployment.Revision

	App    string         // what people call it; empty: they write out the repository
	Ask    []string       // channels or rooms in which it may be asked for; nil: in any
	Notify []Notification // the channels to which changes of its deployments are sent
	Logs   bool           // the last lines of a failing step may be shown

	HasRollback bool // it says something about rollbacks

	// RollbackKeep is how many successes of each environment are kept as targets of a rollback.
	RollbackKeep int

	hasRules       bool  // Policy is not empty
	operation      bool  // its pipelines deploy nothing
	isProduction   *bool // nil: the name of the environment decides
	repositoryID   int64
	tasks          []glob
	apps           []string
	ref            *textTemplate
	configRef      *textTemplate
	parameters     []parameter
	timeout        time.Duration
	holdTimeout    time.Duration
	environmentURL *textTemplate
}

// Name names the route for people.
func (r Route) Name() string {
	return fmt.Sprintf("line %d (%s to %s)", r.Line, r.Repository, r.Environment)
}

// HasRules says whether the route has rules.
func (r Route) HasRules() bool { return r.hasRules }

// LiteralRepository returns the owner and the name if the route is for one repository only.
func (r Route) LiteralRepository() (owner, name string, ok bool) {
	owner, name, ok = strings.Cut(r.Repository, "/")
	return owner, name, ok && glob(r.Repository).literal()
}

func (r Route) matches(req deployment.Request) bool {
	return r.matchesEnvironment(req) && r.matchesTask(req.Task)
}

// matchesEnvironment says whether a route is for a request's repository and environment, whatever
// the task is.
func (r Route) matchesEnvironment(req deployment.Request) bool {
	return glob(r.Repository).match(req.Repository.FullName()) && glob(r.Environment).match(req.Environment)
}

// shadows says whether no deployment can reach a later route, because this one matches everything
// that the later one matches.
func (r Route) shadows(later Route) bool {
	return glob(r.Repository).covers(glob(later.Repository)) &&
		glob(r.Environment).covers(glob(later.Environment)) &&
		coverAll(r.tasks, later.tasks)
}

// acceptsCreator says whether a deployment that was made by some apps or bots is accepted. Those of
// people always are.
func (r Route) acceptsCreator(req deployment.Request, own *OwnApp, apps []string) bool {
	if len(apps) == 0 || own.made(req, apps) {
		return true
	}

	return slices.ContainsFunc(apps, func(app string) bool {
		return slices.ContainsFunc(r.apps, func(accepted string) bool {
			return strings.EqualFold(strings.TrimSuffix(accepted, "[bot]"), app)
		})
	})
}

// automationNames names the app or bot that made a deployment; nil if a person did.
func automationNames(req deployment.Request) []string {
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
