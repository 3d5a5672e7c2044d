package grammar

import (
	"cmp"
	"slices"
	"strings"
)

// Names are the apps that a line may name.
type Names struct {
	Apps []App
}

// App is something that can be deployed. Several apps may share a repository.
type App struct {
	Name         string // what people call it; empty: only owner/name
	Repository   string // owner/name
	Environments []Environment
}

// Environment is one environment of an app, or a pattern for several: * stands for any number of
// characters, ? for one.
type Environment struct {
	Name       string
	Production bool
}

// pattern says whether the name stands for several environments.
func (e Environment) pattern() bool { return strings.ContainsAny(e.Name, "*?") }

// label is what a command calls the app.
func (a App) label() string {
	if a.Name != "" {
		return a.Name
	}
	return a.Repository
}

// environmentNames lists the environments that are no patterns.
func (a App) environmentNames() []string {
	var names []string
	for _, e := range a.Environments {
		if !e.pattern() {
			names = append(names, e.Name)
		}
	}
	return names
}

// onlyEnvironment returns the environment that is meant where none is named: the app has exactly one
// that is not production.
func (a App) onlyEnvironment() (string, bool) {
	others := slices.DeleteFunc(slices.Clone(a.Environments), func(e Environment) bool { return e.Production })
	if len(others) != 1 || others[0].pattern() {
		return "", false
	}
	return others[0].Name, true
}

// repository returns what is known of a repository: all apps in it as one, called owner/name.
func (n Names) repository(name string) (App, bool) {
	var all App
	for _, a := range n.Apps {
		if !strings.EqualFold(a.Repository, name) {
			continue
		}

		all.Name = cmp.Or(all.Name, a.Repository)
		all.Repository = all.Name
		for _, e := range a.Environments {
			same := func(known Environment) bool { return strings.EqualFold(known.Name, e.Name) }
			if i := slices.IndexFunc(all.Environments, same); i >= 0 {
				all.Environments[i].Production = all.Environments[i].Production || e.Production
				continue
			}
			all.Environments = append(all.Environments, e)
		}
	}
	return all, all.Repository != ""
}

// all returns an app without a name that has the environments of all apps.
func (n Names) all() App {
	var all App
	for _, a := range n.Apps {
		all.Environments = append(all.Environments, a.Environments...)
	}
	return all
}

// app returns the app that a whole word names: owner/name before a route's name.
func (n Names) app(word string) (App, bool) {
	if a, ok := n.repository(word); ok {
		return a, true
	}

	i := slices.IndexFunc(n.Apps, func(a App) bool { return a.Name != "" && strings.EqualFold(a.Name, word) })
	if i < 0 {
		return App{}, false
	}
	return n.Apps[i], true
}

// splitApp splits APP, APP@REF or APP/REF. An owner/name is preferred to a route's name that is the
// owner.
func (n Names) splitApp(word string) (a App, ref string, hasRef, ok bool) {
	for _, known := range []func(string) (App, bool){n.repository, n.app} {
		for _, cut := range cuts(word) {
			if a, ok := known(word[:cut]); ok {
				if cut == len(word) {
					return a, "", false, true
				}
				return a, word[cut+1:], true, true
			}
		}
	}
	return App{}, "", false, false
}

// cuts lists where the app may end in a word: before each @ and /, and at the end.
func cuts(word string) []int {
	var all []int
	for i := range len(word) {
		if word[i] == '@' || word[i] == '/' {
			all = append(all, i)
		}
	}
	return append(all, len(word))
}

// labels lists what all apps are called, each name once.
func (n Names) labels() []string {
	var all []string
	for _, a := range n.Apps {
		if !slices.Contains(all, a.label()) {
			all = append(all, a.label())
		}
	}
	return all
}

// words lists every word that names an app.
func (n Names) words() []string {
	all := n.labels()
	for _, a := range n.Apps {
		all = append(all, a.Repository)
	}
	return all
}
