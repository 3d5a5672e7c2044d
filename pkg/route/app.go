package route

import (
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// App is what people call the deployments of a repository, or of a part of it, and where they can go.
type App struct {
	// Name is the name that its routes give, or the repository's own. It is empty where another
	// repository has the name, too: the app is then called by Repository. Case does not count.
	Name string

	Repository string // owner/name, as written

	// Environments are those that its routes name without a pattern, in the order of the file.
	Environments []Environment

	// Patterns are the environments of its other routes, such as pr-*.
	Patterns []string
}

// Environment is one environment of an App.
type Environment struct {
	Name       string // as written
	Production bool   // any of its routes leads to production
}

// Apps returns what can be deployed by name, in the order of the file. A repository whose routes give
// several names is several apps. Routes whose repository is a pattern belong to none.
func (t *Table) Apps() []App {
	var apps []App
	for _, r := range t.routes {
		if _, _, literal := r.LiteralRepository(); !literal {
			continue
		}

		i := slices.IndexFunc(apps, func(a App) bool {
			return strings.EqualFold(a.Name, r.App) && strings.EqualFold(a.Repository, r.Repository)
		})
		if i < 0 {
			i = len(apps)
			apps = append(apps, App{Name: r.App, Repository: r.Repository})
		}

		apps[i].add(r)
	}
	return apps
}

// add adds the environment of a route. One that several routes name, such as with different tasks, is one
// of production where any of them says so.
func (a *App) add(r Route) {
	if !glob(r.Environment).literal() {
		if !slices.ContainsFunc(a.Patterns, func(p string) bool { return strings.EqualFold(p, r.Environment) }) {
			a.Patterns = append(a.Patterns, r.Environment)
		}
		return
	}

	production := r.production(r.Environment)
	known := func(e Environment) bool { return strings.EqualFold(e.Name, r.Environment) }
	if i := slices.IndexFunc(a.Environments, known); i >= 0 {
		a.Environments[i].Production = a.Environments[i].Production || production
		return
	}
	a.Environments = append(a.Environments, Environment{Name: r.Environment, Production: production})
}

// nameApps gives the routes that have no name that of their repository, where only one repository has
// it and people can type it.
func (t *Table) nameApps() {
	owner := map[string]string{} // of each name: its repository, or "" where several have it
	claim := func(name, repository string) {
		name, repository = strings.ToLower(name), strings.ToLower(repository)
		if first, ok := owner[name]; ok && first != repository {
			repository = ""
		}
		owner[name] = repository
	}

	for _, r := range t.routes {
		if _, name, literal := r.LiteralRepository(); literal {
			claim(name, r.Repository)
		}
		if r.App != "" {
			claim(r.App, r.Repository)
		}
	}

	for i, r := range t.routes {
		_, name, literal := r.LiteralRepository()
		if literal && r.App == "" && owner[strings.ToLower(name)] != "" && appProblem(name) == "" {
			t.routes[i].App = name
		}
	}
}

// production says whether the environment of a deployment is one of production: as the route says,
// or by its name, as at GitHub.
func (r Route) production(environment string) bool {
	if r.isProduction != nil {
		return *r.isProduction
	}
	return strings.EqualFold(environment, "production")
}

// Production says whether a deployment goes to production: as its route says, or where the
// environment is called production, in any case.
func (t *Table) Production(req deployment.Request) bool {
	r, _ := t.settings(req)
	return r.production(req.Environment)
}

// AskPlaces returns the channels or rooms in which a deployment may be asked for; nil: in any.
func (t *Table) AskPlaces(req deployment.Request) []string {
	r, _ := t.settings(req)
	return slices.Clone(r.Ask)
}

// Settings returns the route of a deployment, whose settings hold for it; false: none matches.
func (t *Table) Settings(req deployment.Request) (Route, bool) { return t.settings(req) }

// RollbackKeep returns how many successes of a deployment's environment are kept as targets of a
// rollback.
func (t *Table) RollbackKeep(req deployment.Request) int {
	if r, ok := t.settings(req); ok {
		return r.RollbackKeep
	}
	return defaultRollbackKeep
}

// settings returns the route of a request, whose settings hold for it. An empty task stands for the
// usual one.
func (t *Table) settings(req deployment.Request) (Route, bool) {
	if req.Task == "" {
		req.Task = t.taskPrefix
	}
	return t.find(req)
}
