package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPolicy_Needs(t *testing.T) {
	people := Subjects{Users: []string{"bob"}, Teams: []string{"Acme/SRE"}, Permission: PermissionWrite}
	peopleNeeds := &PersonNeeds{Permission: true, Teams: []string{"acme/sre"}}

	for _, c := range []struct {
		name  string
		given change
		want  Needs
	}{
		{
			name:  "no rules",
			given: unchanged,
			want:  Needs{},
		},
		{
			name: "rules that need nothing more",
			given: combine(
				allowedRefs("x"),
				frozenNow,
				withConcurrency(ConcurrencyCancel),
				whenLocked(ModeReject),
				withMaxWait(1),
			),
			want: Needs{},
		},
		{
			name:  "allow: person",
			given: restrictTo(people),
			want:  Needs{Requester: peopleNeeds},
		},
		{
			name:  "allow: app",
			given: combine(restrictTo(people), requestedBy(hubot)),
			want:  Needs{},
		},
		{
			name:  "allow: token",
			given: combine(restrictTo(people), requestedBy(token)),
			want:  Needs{},
		},
		{
			name:  "allow: only the requester's id",
			given: restrictTo(Subjects{Users: []string{"id:1"}}),
			want:  Needs{},
		},
		{
			name:  "allow: only another id",
			given: restrictTo(Subjects{Users: []string{"id:2"}}),
			want:  Needs{},
		},
		{
			name: "allow: the requester's id with a permission",
			given: restrictTo(Subjects{
				Users:      []string{"id:1"},
				Teams:      []string{"acme/sre"},
				Permission: PermissionAdmin,
			}),
			want: Needs{Requester: &PersonNeeds{Permission: true}},
		},
		{
			name:  "allow: login",
			given: restrictTo(Subjects{Users: []string{"bob"}}),
			want:  Needs{Requester: &PersonNeeds{}},
		},
		{
			name:  "allow: everybody",
			given: restrictTo(Subjects{}),
			want:  Needs{},
		},
		{
			name:  "allow: only apps",
			given: restrictTo(Subjects{Apps: []string{"x"}}),
			want:  Needs{},
		},
		{
			name:  "require_ahead",
			given: requireAhead(Known(""), Known(ComparisonAhead)),
			want:  Needs{Deployed: true, Compared: true},
		},
		{
			name:  "checks: all",
			given: requireChecks(allChecks),
			want:  Needs{Checks: true, Pipelines: true},
		},
		{
			name:  "checks: required",
			given: requireChecks(branchChecks),
			want:  Needs{Checks: true, Required: true, Pipelines: true},
		},
		{
			name:  "after: an environment outside the list",
			given: requireAfter("Staging"),
			want:  Needs{After: []string{"staging"}},
		},
		{
			name:  "after: the second of the list",
			given: combine(toEnvironment("STAGING"), requireAfter("Dev", "staging", "canary")),
			want:  Needs{After: []string{"dev"}},
		},
		{
			name:  "after: the first of the list",
			given: combine(toEnvironment("dev"), requireAfter("Dev", "staging")),
			want:  Needs{},
		},
		{
			name:  "approvals",
			given: requireApprovals(twoApprovals),
			want:  Needs{Approvals: true},
		},
		{
			name:  "approvals: question",
			given: combine(requireApprovals(twoApprovals), asQuestion),
			want:  Needs{},
		},
		{
			name:  "force: by another person",
			given: combine(allowForce(people), forcedBy(bob)),
			want:  Needs{Forcer: peopleNeeds},
		},
		{
			name:  "force: by the requester",
			given: combine(allowForce(people), forcedBy(alice)),
			want:  Needs{Requester: peopleNeeds},
		},
		{
			name:  "force: by a token",
			given: combine(allowForce(people), forcedBy(token)),
			want:  Needs{},
		},
		{
			name:  "force: no force rule",
			given: forcedBy(bob),
			want:  Needs{},
		},
		{
			name:  "force: not forced",
			given: allowForce(people),
			want:  Needs{},
		},
		{
			name:  "allow and force by the requester",
			given: combine(restrictTo(Subjects{Teams: []string{"acme/dba"}}), allowForce(people), forcedBy(alice)),
			want:  Needs{Requester: &PersonNeeds{Permission: true, Teams: []string{"acme/dba", "acme/sre"}}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := scenarioWith(c.given)
			if diff := cmp.Diff(c.want, s.policy.Needs(s.request)); diff != "" {
				t.Errorf("needs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPolicy_ApproverNeeds(t *testing.T) {
	for _, c := range []struct {
		name string
		rule *Approvals
		want *PersonNeeds
	}{
		{name: "users and teams", rule: &twoApprovals, want: &PersonNeeds{Teams: []string{"acme/sre"}}},
		{name: "no rule"},
		{name: "only tokens", rule: &tokenApproval},
		{name: "only ids", rule: &Approvals{Users: []string{"id:4"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Policy{Approvals: c.rule}.ApproverNeeds()); diff != "" {
				t.Errorf("needs (-want +got):\n%s", diff)
			}
		})
	}
}
