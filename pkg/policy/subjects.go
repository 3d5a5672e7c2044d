package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// match says whether somebody is one of the Subjects.
type match struct {
	included        bool
	lacksPermission bool // not included, and only because the permission is too low
	missing         missingFact
}

// missingFact is a fact about a person that could not be read, and without which it is uncertain
// whether they are included.
type missingFact struct {
	what      string // empty: no fact is missing
	problem   string
	noAccount bool // GitHub shows no account of the person
}

func (m match) uncertain() bool { return m.missing.what != "" }

// missingAccount is a person's account that could not be read.
func missingAccount(m Fact[Membership]) missingFact {
	return missingFact{what: "GitHub account", problem: m.Problem, noAccount: m.Value.NoAccount}
}

// of names the missing fact of a person.
func (f missingFact) of(person string) string { return person + "'s " + f.what }

// unknown waits for the missing fact of a person.
func (f missingFact) unknown(person string) Outcome {
	o := unknown(f.of(person), f.problem)
	o.NoAccount = f.noAccount
	return o
}

// match says whether somebody is one of the subjects. It is certain as soon as one fact alone
// decides, whatever the other facts would be.
func (s Subjects) match(a deployment.Actor, membership Fact[Membership]) match {
	if a.App != "" {
		return match{included: s.listsApp(a.App)}
	}
	if a.ID == 0 {
		return match{}
	}

	listed := s.matchLists(a, membership)
	if !s.requiresPermission() || !listed.included && !listed.uncertain() {
		return listed
	}

	permitted := s.matchPermission(membership)
	if !permitted.included && !permitted.uncertain() {
		return permitted
	}
	if listed.uncertain() {
		return listed
	}

	return permitted
}

// matchLists says whether a person is in one of the lists.
func (s Subjects) matchLists(a deployment.Actor, membership Fact[Membership]) match {
	switch {
	case s.hasNoList() || s.listsID(a.ID):
		return match{included: true}
	case !s.listsLogins() && len(s.Teams) == 0:
		return match{}
	case !membership.Known:
		return match{missing: missingAccount(membership)}
	case s.listsLogin(membership.Value.Login) && membership.Value.OtherLogin == "":
		return match{included: true}
	}

	var m match
	if s.listsLogin(membership.Value.Login) {
		m.missing = missingFact{what: "GitHub account", problem: membership.Value.OtherLogin}
	}
	for _, team := range s.Teams {
		member := membership.Value.Teams[strings.ToLower(team)]
		if member.Known && member.Value {
			return match{included: true}
		}
		if !member.Known && !m.uncertain() {
			m.missing = missingFact{what: "membership in " + team, problem: member.Problem}
		}
	}

	return m
}

// matchPermission says whether a person has the permission that is required.
func (s Subjects) matchPermission(membership Fact[Membership]) match {
	has := membership.Value.Permission
	switch {
	case !membership.Known:
		return match{missing: missingAccount(membership)}
	case !has.Known:
		return match{missing: missingFact{what: "permission", problem: has.Problem}}
	}

	enough := permissionRank(s.Permission) >= 0 && permissionRank(has.Value) >= permissionRank(s.Permission)
	return match{included: enough, lacksPermission: !enough}
}

// permissionRank orders the permissions; -1: it is none that we know.
func permissionRank(p Permission) int {
	return slices.Index([]Permission{
		PermissionNone,
		PermissionRead,
		PermissionTriage,
		PermissionWrite,
		PermissionMaintain,
		PermissionAdmin,
	}, p)
}

// needs returns what must be asked about somebody to know whether they are one of the subjects;
// nil: nothing.
func (s *Subjects) needs(a deployment.Actor) *PersonNeeds {
	if s == nil || a.App != "" || a.ID == 0 {
		return nil
	}

	needs := PersonNeeds{Permission: s.requiresPermission()}
	inLists := s.hasNoList() || s.listsID(a.ID)
	if !inLists {
		needs.Teams = lowerAll(s.Teams)
	}

	needsLogin := !inLists && s.listsLogins()
	if !needs.Permission && len(needs.Teams) == 0 && !needsLogin {
		return nil
	}

	return &needs
}

func (s Subjects) hasNoList() bool { return len(s.Users)+len(s.Teams)+len(s.Apps) == 0 }

func (s Subjects) requiresPermission() bool {
	return s.Permission != "" && s.Permission != PermissionNone
}

func (s Subjects) listsApp(slug string) bool {
	return slices.ContainsFunc(s.Apps, func(app string) bool { return strings.EqualFold(appSlug(app), appSlug(slug)) })
}

func (s Subjects) listsID(id int64) bool { return slices.Contains(s.Users, fmt.Sprintf("id:%d", id)) }

// listsLogins says whether Users names anybody by login.
func (s Subjects) listsLogins() bool {
	return slices.ContainsFunc(s.Users, func(user string) bool { return !isID(user) })
}

func (s Subjects) listsLogin(login string) bool {
	return slices.ContainsFunc(s.Users, func(user string) bool { return !isID(user) && strings.EqualFold(user, login) })
}

func isID(user string) bool { return strings.HasPrefix(user, "id:") }

// appSlug returns the slug of an app that may be named by its bot's login.
func appSlug(app string) string { return strings.TrimSuffix(app, "[bot]") }

// isTokenOnly says whether somebody is known only by the API token that was used.
func isTokenOnly(a deployment.Actor) bool { return a.ID == 0 && a.App == "" && a.Token != "" }

func lowerAll(list []string) []string {
	var lower []string
	for _, s := range list {
		lower = append(lower, strings.ToLower(s))
	}
	return lower
}

// String names the subjects for people.
func (s Subjects) String() string {
	all := slices.Concat(s.Users, s.Teams, s.Apps)
	switch {
	case len(all) > 0:
		return listNames(all)
	case s.requiresPermission():
		return "anyone with " + string(s.Permission) + " permission"
	default:
		return "everybody"
	}
}
