package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// membership is yes, no, or that it could not be asked.
type membership struct {
	yes    bool
	unsure string // not empty: what could not be asked, and why
	lacks  bool   // no, because of the permission alone
}

// include says whether somebody is one of the subjects.
func (s Subjects) include(a deployment.Actor, standing Fact[Membership]) membership {
	switch {
	case a.App != "":
		return membership{
			yes: slices.ContainsFunc(
				s.Apps,
				func(app string) bool { return strings.EqualFold(slug(app), slug(a.App)) },
			),
		}
	case a.ID == 0:
		return membership{}
	}

	listed := s.listed(a, standing)
	if listed.unsure == "" && !listed.yes || s.requiresNoPermission() {
		return listed
	}

	permitted := s.permitted(standing)
	if permitted.unsure == "" && !permitted.yes {
		return permitted // whatever the lists say
	}
	if listed.unsure != "" {
		return listed
	}

	return permitted
}

func slug(app string) string { return strings.TrimSuffix(app, "[bot]") }

// open says that every person is one, as far as the lists go.
func (s Subjects) open() bool { return len(s.Users)+len(s.Teams)+len(s.Apps) == 0 }

func (s Subjects) requiresNoPermission() bool {
	return s.Permission == "" || s.Permission == PermissionNone
}

// listed says whether a person is in one of the lists. One place is enough, whatever is unknown of
// the others.
func (s Subjects) listed(a deployment.Actor, standing Fact[Membership]) membership {
	switch {
	case s.open() || s.byID(a):
		return membership{yes: true}
	case !s.byLogin() && len(s.Teams) == 0:
		return membership{}
	case !standing.Known:
		return membership{unsure: because("who they are", standing.Problem)}
	case slices.ContainsFunc(s.Users, func(u string) bool { return !isID(u) && strings.EqualFold(u, standing.Value.Login) }):
		return membership{yes: true}
	}

	var unsure string
	for _, team := range s.Teams {
		member := standing.Value.Teams[strings.ToLower(team)]
		if member.Known && member.Value {
			return membership{yes: true}
		}
		if !member.Known && unsure == "" {
			unsure = because("the team "+team, member.Problem)
		}
	}

	return membership{unsure: unsure}
}

func (s Subjects) permitted(standing Fact[Membership]) membership {
	have := standing.Value.Permission
	switch {
	case !standing.Known:
		return membership{unsure: because("who they are", standing.Problem)}
	case !have.Known:
		return membership{unsure: because("their permission", have.Problem)}
	}

	ok := rank(s.Permission) >= 0 && rank(have.Value) >= rank(s.Permission)
	return membership{yes: ok, lacks: !ok}
}

// permissions are all of them, the least first.
var permissions = []Permission{
	PermissionNone,
	PermissionRead,
	PermissionTriage,
	PermissionWrite,
	PermissionMaintain,
	PermissionAdmin,
}

func rank(p Permission) int { return slices.Index(permissions, p) }

func isID(user string) bool { return strings.HasPrefix(user, "id:") }

func (s Subjects) byID(a deployment.Actor) bool {
	return slices.Contains(s.Users, fmt.Sprintf("id:%d", a.ID))
}

func (s Subjects) byLogin() bool {
	return slices.ContainsFunc(s.Users, func(u string) bool { return !isID(u) })
}

// ask is what GitHub must be asked to know whether somebody is one; nil: nothing.
func (s *Subjects) ask(a deployment.Actor) *PersonNeeds {
	if s == nil || a.App != "" || a.ID == 0 {
		return nil
	}

	ask, settled := PersonNeeds{Permission: !s.requiresNoPermission()}, s.open() || s.byID(a)
	if !settled {
		ask.Teams = lower(s.Teams)
	}
	if !ask.Permission && len(ask.Teams) == 0 && (settled || !s.byLogin()) {
		return nil
	}

	return &ask
}

// and asks for both.
func (a *PersonNeeds) and(b *PersonNeeds) *PersonNeeds {
	if a == nil || b == nil {
		if a == nil {
			return b
		}

		return a
	}

	both := PersonNeeds{Permission: a.Permission || b.Permission, Teams: slices.Concat(a.Teams, b.Teams)}
	slices.Sort(both.Teams)
	both.Teams = slices.Compact(both.Teams)
	return &both
}

func lower(list []string) []string {
	var all []string
	for _, s := range list {
		all = append(all, strings.ToLower(s))
	}
	return all
}

// String names the subjects for people.
func (s Subjects) String() string {
	all := slices.Concat(s.Users, s.Teams, s.Apps)
	switch {
	case len(all) > 0:
		return few(all)
	case s.requiresNoPermission():
		return "everybody"
	default:
		return "whoever has " + string(s.Permission) + " permission"
	}
}
