package route

import (
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// PinnedNames returns the names in the routes file that are to keep their id at GitHub: users and teams
// in rules, and the repositories of routes that name one without a pattern. They are only needed where
// a route has rules.
func (t *Table) PinnedNames() []policy.PinnedName {
	if !slices.ContainsFunc(t.routes, func(r Route) bool { return r.hasRules }) {
		return nil
	}

	var names []policy.PinnedName
	add := func(kind policy.PinKind, name string, id int64, through deployment.Repository) {
		pin := policy.Pin{Kind: kind, Name: strings.ToLower(name), ID: id}
		i := slices.IndexFunc(names, func(n policy.PinnedName) bool { return n.Kind == pin.Kind && n.Name == pin.Name })
		if i < 0 {
			names = append(names, policy.PinnedName{Pin: pin, Through: through})
			return
		}
		if id != 0 {
			names[i].ID = id
		}
	}

	for _, r := range t.routes {
		through := t.literalOf(r)
		if owner, name, ok := r.LiteralRepository(); ok {
			add(policy.PinRepository, owner+"/"+name, r.repositoryID, through)
		}

		users, teams := r.Policy.Names()
		for _, user := range users {
			add(policy.PinUser, user, 0, through)
		}
		for _, team := range teams {
			add(policy.PinTeam, team, 0, through)
		}
	}

	return names
}

// literalOf returns the repository of a route. Of one with a pattern it returns another one of the same
// owner if a route names it: the credentials of an App are those of an owner.
func (t *Table) literalOf(r Route) deployment.Repository {
	owner, _, _ := strings.Cut(r.Repository, "/")
	for _, candidate := range slices.Concat([]Route{r}, t.routes) {
		candidateOwner, name, ok := candidate.LiteralRepository()
		if ok && strings.EqualFold(candidateOwner, owner) {
			return deployment.Repository{Owner: owner, Name: name}
		}
	}
	return deployment.Repository{Owner: owner, Name: "any"}
}
