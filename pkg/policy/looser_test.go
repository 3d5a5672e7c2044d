package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPolicy_WeakerIn(t *testing.T) {
	allow := func(s Subjects) Policy { return Policy{Allow: &s} }
	approvals := func(a Approvals) Policy { return Policy{Approvals: &a} }
	checks := func(c Checks) Policy { return Policy{Checks: &c} }
	night := Freeze{Cron: "0 22 * * *", Duration: 8 * time.Hour}
	weekend := Freeze{Cron: "0 16 * * 5", Duration: 64 * time.Hour}

	for _, test := range []struct {
		name    string
		policy  Policy
		other   Policy
		missing []string
		looser  []string
	}{
		{name: "none", other: allow(Subjects{Users: []string{"bob"}})},
		{
			name:   "the same",
			policy: allow(Subjects{Users: []string{"alice"}}),
			other:  allow(Subjects{Users: []string{"ALICE"}}),
		},
		{
			name:   "other people",
			policy: allow(Subjects{Users: []string{"alice"}}),
			other:  allow(Subjects{Users: []string{"bob"}}),
		},
		{
			name:    "all missing",
			policy:  Policy{Allow: &Subjects{}, Refs: []string{"main"}, RequireAhead: true, After: []string{"staging"}},
			missing: []string{RuleAllow, RuleRefs, RuleRequireAhead, RuleAfter},
		},
		{
			name:   "everybody in place of a team",
			policy: allow(Subjects{Teams: []string{"acme/leads"}}),
			other:  allow(Subjects{}),
			looser: []string{RuleAllow},
		},
		{
			name:   "everybody who may write in place of a team",
			policy: allow(Subjects{Teams: []string{"acme/leads"}}),
			other:  allow(Subjects{Permission: PermissionWrite}),
			looser: []string{RuleAllow},
		},
		{
			name:   "everybody who is an admin in place of a team",
			policy: allow(Subjects{Teams: []string{"acme/leads"}}),
			other:  allow(Subjects{Permission: PermissionAdmin}),
		},
		{
			name:   "a team in place of everybody",
			policy: allow(Subjects{Permission: PermissionWrite}),
			other:  allow(Subjects{Teams: []string{"acme/leads"}}),
		},
		{
			name:   "more people",
			policy: allow(Subjects{Users: []string{"alice"}}),
			other:  allow(Subjects{Users: []string{"bob", "alice"}}),
			looser: []string{RuleAllow},
		},
		{
			name:   "more apps",
			policy: allow(Subjects{Users: []string{"alice"}, Apps: []string{"a"}}),
			other:  allow(Subjects{Users: []string{"bob"}, Apps: []string{"A[bot]", "b"}}),
			looser: []string{RuleAllow},
		},
		{
			name:   "a lower permission",
			policy: allow(Subjects{Permission: PermissionAdmin}),
			other:  allow(Subjects{Permission: PermissionWrite}),
			looser: []string{RuleAllow},
		},
		{
			name:   "more people, who need a permission",
			policy: allow(Subjects{Users: []string{"alice"}}),
			other:  allow(Subjects{Users: []string{"bob", "alice"}, Permission: PermissionMaintain}),
		},
		{
			name:   "more refs",
			policy: Policy{Refs: []string{"main"}},
			other:  Policy{Refs: []string{"*"}},
			looser: []string{RuleRefs},
		},
		{name: "other refs", policy: Policy{Refs: []string{"main"}}, other: Policy{Refs: []string{"dev"}}},
		{name: "the same refs", policy: Policy{Refs: []string{"main"}}, other: Policy{Refs: []string{"refs/heads/main"}}},
		{name: "fewer refs", policy: Policy{Refs: []string{"release/*"}}, other: Policy{Refs: []string{"release/1"}}},
		{
			name:   "tags as well",
			policy: Policy{Refs: []string{"main"}},
			other:  Policy{Refs: []string{"main", "refs/tags/*"}},
			looser: []string{RuleRefs},
		},
		{
			name:   "fewer checks",
			policy: checks(Checks{Set: ChecksListed, Names: []CheckName{{Name: "build"}, {Name: "test"}}}),
			other:  checks(Checks{Set: ChecksListed, Names: []CheckName{{Name: "build"}}}),
			looser: []string{RuleChecks},
		},
		{
			name:   "more checks ignored",
			policy: checks(Checks{Set: ChecksAll}),
			other:  checks(Checks{Set: ChecksAll, Ignore: []string{"*"}}),
			looser: []string{RuleChecks},
		},
		{name: "another set of checks", policy: checks(Checks{Set: ChecksAll}), other: checks(Checks{Set: ChecksRequired})},
		{
			name:   "after fewer environments",
			policy: Policy{After: []string{"dev", "staging"}},
			other:  Policy{After: []string{"Staging"}},
			looser: []string{RuleAfter},
		},
		{
			name:   "fewer freezes",
			policy: Policy{Freezes: []Freeze{weekend, night}},
			other:  Policy{Freezes: []Freeze{night}},
			looser: []string{RuleFreeze},
		},
		{
			name:   "fewer approvals",
			policy: approvals(Approvals{Count: 2, Users: []string{"alice"}}),
			other:  approvals(Approvals{Count: 1, Users: []string{"bob"}}),
			looser: []string{RuleApprovals},
		},
		{
			name:   "more people may approve",
			policy: approvals(Approvals{Count: 1, Users: []string{"alice"}}),
			other:  approvals(Approvals{Count: 1, Users: []string{"alice"}, Teams: []string{"acme/all"}}),
			looser: []string{RuleApprovals},
		},
		{
			name:   "a token may approve as well",
			policy: approvals(Approvals{Count: 1, Users: []string{"alice"}}),
			other:  approvals(Approvals{Count: 1, Users: []string{"alice"}, Tokens: []string{"ci"}}),
			looser: []string{RuleApprovals},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			missing, looser := test.policy.WeakerIn(test.other)
			if diff := cmp.Diff(test.missing, missing); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.looser, looser); diff != "" {
				t.Errorf("looser (-want +got):\n%s", diff)
			}
		})
	}
}
