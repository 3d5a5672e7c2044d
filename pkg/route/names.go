package route

import (
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/grammar"
)

// Names returns what a line of text may name: the apps, and each repository that a pattern stands for
// by owner/name.
func (t *Table) Names() grammar.Names {
	var names grammar.Names
	for _, a := range t.Apps() {
		app := grammar.App{Name: a.Name, Repository: a.Repository}
		for _, e := range a.Environments {
			app.Environments = append(app.Environments, grammarEnvironment(e.Name, e.Production))
		}
		for _, pattern := range a.Patterns {
			app.Environments = append(app.Environments, grammarEnvironment(pattern, false))
		}
		names.Apps = append(names.Apps, app)
	}

	for _, r := range t.routes {
		if _, _, literal := r.LiteralRepository(); literal {
			continue
		}

		e := grammarEnvironment(r.Environment, r.production(r.Environment))
		names.Apps = append(names.Apps, grammar.App{Repository: r.Repository, Environments: []grammar.Environment{e}})
		for i, a := range names.Apps {
			if a.Repository != r.Repository && glob(r.Repository).match(a.Repository) {
				names.Apps[i].Environments = addEnvironment(a.Environments, e)
			}
		}
	}

	return names
}

// grammarEnvironment returns an environment as a line may name it. One whose name sounds like production
// counts as production, whatever its route says: nobody should get there without naming it.
func grammarEnvironment(name string, production bool) grammar.Environment {
	lower := strings.ToLower(name)
	sounds := strings.Contains(lower, "prod") || lower == "prd" || lower == "live"
	return grammar.Environment{Name: name, Production: production || sounds}
}

// addEnvironment adds an environment to a list that others may hold. One that is there already is one of
// production where either says so.
func addEnvironment(list []grammar.Environment, e grammar.Environment) []grammar.Environment {
	same := func(known grammar.Environment) bool { return strings.EqualFold(known.Name, e.Name) }
	i := slices.IndexFunc(list, same)
	if i < 0 {
		return append(slices.Clip(list), e)
	}

	list = slices.Clone(list)
	list[i].Production = list[i].Production || e.Production
	return list
}

// Names is Table.Names.
func (l *Live) Names() grammar.Names { return l.Table().Names() }
