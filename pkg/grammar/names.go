package grammar

import (
	"cmp"
	"regexp"
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
	Repository   string // owner/name, or a pattern for several as in Environment
	Environments []Environment
}

// Environment is one environment of an app, or a pattern for several: * stands for any number of
// characters, ? for one.
type Environment struct {
	Name       string
	Production bool
}

// Pattern says whether the name stands for several environments.
func (e Environment) Pattern() bool { return strings.ContainsAny(e.Name, "*?") }

// Label is what a command calls the app.
func (a App) Label() string {
	if a.Name != "" {
		return a.Name
	}
	return a.Repository
}

// environmentNames lists the environments that are no patterns.
func (a App) environmentNames() []string {
	var names []string
	for _, e := range a.Environments {
		if !e.Pattern() {
			names = append(names, e.Name)
		}
	}
	return names
}

// onlyEnvironment returns the environment that is meant where none is named: the app has exactly one
// that is not production, and no pattern of production fits its name.
func (a App) onlyEnvironment() (string, bool) {
	others := slices.DeleteFunc(slices.Clone(a.Environments), func(e Environment) bool { return e.Production })
	if len(others) != 1 || others[0].Pattern() {
		return "", false
	}

	name := others[0].Name
	production := func(e Environment) bool { return e.Production && e.Pattern() && match(e.Name, name) }
	if slices.ContainsFunc(a.Environments, production) {
		return "", false
	}
	return name, true
}

// fullName matches owner/name.
var fullName = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)

// repository returns what is known of a repository: all apps in it as one, called owner/name. It does not return a
// repository that only a pattern allows and whose name looks like a misspelled name of another one.
func (n Names) repository(name string) (App, bool) {
	if !fullName.MatchString(name) {
		return App{}, false
	}

	var all App
	for _, a := range n.Apps {
		switch {
		case strings.EqualFold(a.Repository, name):
			all.Repository = cmp.Or(all.Repository, a.Repository)
		case a.Pattern() && match(a.Repository, name):
		default:
			continue
		}
		all.Environments = mergeEnvironments(all.Environments, a.Environments)
	}

	if all.Repository == "" && (len(all.Environments) == 0 || nearest(name, n.repositories()) != "") {
		return App{}, false
	}
	all.Repository = cmp.Or(all.Repository, name)
	return all, true
}

// Matches says whether the app is in a repository.
func (a App) Matches(repository string) bool { return match(a.Repository, repository) }

// Environment returns the environment of the app that has a name, or whose pattern fits it.
func (a App) Environment(name string) (Environment, bool) {
	var found Environment
	for _, e := range a.Environments {
		if strings.EqualFold(e.Name, name) {
			return e, true
		}
		if e.Pattern() && found.Name == "" && match(e.Name, name) {
			found = e
		}
	}
	return found, found.Name != ""
}

// Pattern says whether the app stands for several repositories.
func (a App) Pattern() bool { return strings.ContainsAny(a.Repository, "*?") }

// mergeEnvironments adds environments to a list, each name once.
func mergeEnvironments(list, more []Environment) []Environment {
	for _, e := range more {
		same := func(known Environment) bool { return strings.EqualFold(known.Name, e.Name) }
		i := slices.IndexFunc(list, same)
		if i < 0 {
			list = append(list, e)
			continue
		}
		list[i].Production = list[i].Production || e.Production
	}
	return list
}

// repositories lists the repositories that are no patterns.
func (n Names) repositories() []string {
	var all []string
	for _, a := range n.Apps {
		if !a.Pattern() {
			all = append(all, a.Repository)
		}
	}
	return all
}

// all returns an app without a name that has the environments of all apps.
func (n Names) all() App {
	var all App
	for _, a := range n.Apps {
		all.Environments = append(all.Environments, a.Environments...)
	}
	return all
}

// App returns the app that a whole word names: owner/name before a route's name.
func (n Names) App(word string) (App, bool) {
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
	for _, known := range []func(string) (App, bool){n.repository, n.App} {
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
		if !a.Pattern() && !slices.Contains(all, a.Label()) {
			all = append(all, a.Label())
		}
	}
	return all
}

// words lists every word that names an app.
func (n Names) words() []string { return append(n.labels(), n.repositories()...) }
