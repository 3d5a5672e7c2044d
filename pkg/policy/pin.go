package policy

import (
	"slices"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Pin is the id that a name of the routes file had when it was first looked up. Names at GitHub are
// given to others: whoever gets one must not get the rights that were meant for the former owner.
type Pin struct {
	Kind PinKind
	Name string // in lower case: a login, org/team or owner/name
	ID   int64
}

// PinKind says what a pinned name is the name of.
type PinKind string

// The kinds of names.
const (
	PinUser       PinKind = "user"
	PinTeam       PinKind = "team"
	PinRepository PinKind = "repository"
)

// PinnedName is a name of the routes file that is to keep its id.
type PinnedName struct {
	Pin                           // with an id, if the routes file gives it
	Through deployment.Repository // the name is looked up with the credentials that see this one
}

// UsesTeams says whether a rule depends on who is in a team.
func (p Policy) UsesTeams() bool {
	named := func(s *Subjects) bool { return s != nil && len(s.Teams) > 0 }
	return named(p.Allow) || named(p.Force) || p.Approvals != nil && len(p.Approvals.Teams) > 0
}

// Names returns the logins and the teams that the rules and the shared accounts name, without those named by
// id.
func (p Policy) Names() (users, teams []string) {
	for _, s := range []*Subjects{p.Allow, p.Force, p.HoldApprovers, p.RollbackAllow} {
		if s != nil {
			users, teams = slices.Concat(users, s.Users), slices.Concat(teams, s.Teams)
		}
	}
	if p.Approvals != nil {
		users, teams = slices.Concat(users, p.Approvals.Users), slices.Concat(teams, p.Approvals.Teams)
	}
	users = slices.Concat(users, p.SharedAccounts)
	return slices.DeleteFunc(users, isID), slices.DeleteFunc(teams, isID)
}
