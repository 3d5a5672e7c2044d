package policy

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// A rollback passes what is about new commits, and nothing that is about people.
func TestEvaluate_Rollback(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	alice := deployment.Actor{ID: 1, Login: "alice"}
	p := Policy{
		Allow:        &Subjects{Users: []string{"alice"}},
		RequireAhead: true,
		Checks:       &Checks{Set: ChecksAll},
		After:        []string{"staging"},
		Freezes:      []Freeze{{From: now.Add(-time.Hour), To: now.Add(time.Hour)}},
		Approvals:    &Approvals{Count: 1, Users: []string{"bob"}},
		Concurrency:  ConcurrencyReject,
	}
	facts := Facts{
		Locks:     Known[[]Lock](nil),
		Queue:     Known(Queue{}),
		Approvals: Known[[]Approval](nil),
		Requester: Known(Membership{Login: "alice"}),
	}

	for _, test := range []struct {
		name     string
		change   func(*Policy, *Request, *Facts)
		decision Decision
		code     Code
	}{
		{name: "waits for approvals", decision: DecisionWait, code: CodeApprovalsMissing},
		{
			name: "not allowed",
			change: func(_ *Policy, r *Request, f *Facts) {
				r.Requester, f.Requester = deployment.Actor{ID: 3}, Known(Membership{})
			},
			decision: DecisionReject,
			code:     CodeNotAllowed,
		},
		{
			name:     "others may roll back",
			change:   func(p *Policy, _ *Request, _ *Facts) { p.RollbackAllow = &Subjects{Users: []string{"carol"}} },
			decision: DecisionReject,
			code:     CodeNotAllowed,
		},
		{
			name: "only the rollback rule names them",
			change: func(p *Policy, _ *Request, _ *Facts) {
				p.Allow, p.RollbackAllow, p.Approvals = &Subjects{Users: []string{"carol"}}, p.Allow, nil
			},
			decision: DecisionAllow,
		},
		{
			name: "locked",
			change: func(p *Policy, _ *Request, f *Facts) {
				p.Approvals = nil
				f.Locks = Known([]Lock{{ID: 1, Owner: deployment.Actor{ID: 9}, RepositoryID: 7, Environment: "production"}})
			},
			decision: DecisionWait,
			code:     CodeLocked,
		},
		{
			name: "another one runs",
			change: func(p *Policy, _ *Request, f *Facts) {
				p.Approvals = nil
				f.Queue = Known(Queue{Holder: 4, HolderState: deployment.Running})
			},
			decision: DecisionWait,
			code:     CodeInLine,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy, facts := p, facts
			request := Request{
				Deployment:  5,
				Environment: "production",
				SHA:         "abc",
				Requester:   alice,
				AcceptedAt:  now,
				Rollback:    true,
			}
			if test.change != nil {
				test.change(&policy, &request, &facts)
			}

			v := policy.Evaluate(request, facts, now)
			if v.Decision != test.decision || v.Deciding().Code != test.code {
				t.Errorf("got %s %s, want %s %s: %+v", v.Decision, v.Deciding().Code, test.decision, test.code, v.Outcomes)
			}
			needs := policy.Needs(request)
			if needs.Checks || needs.Required || needs.Deployed || needs.Compared || len(needs.After) > 0 {
				t.Errorf("got needs %+v, want none of what a rollback passes", needs)
			}
		})
	}
}

// An approval is bound to the rules of the route, which are the same for a rollback.
func TestEvaluate_RollbackWithAllowIsApproved(t *testing.T) {
	s := scenarioWith(func(s *scenario) {
		s.policy.RollbackAllow = &Subjects{Users: []string{"alice"}}
		s.policy.Approvals = &Approvals{Count: 1, Users: []string{"bob"}}
		s.request.Rollback, s.request.AskedHere = true, true
	})
	s.facts.Approvals = Known([]Approval{{
		By:         bob,
		At:         s.now,
		SHA:        s.request.SHA,
		Parameters: s.request.Parameters,
		Policy:     s.policy.Digest(),
	}})

	if got, want := summarize(s.evaluate()), "allow"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A rollback to what was rolled back from, or was forced, meets the rules about what is new.
func TestEvaluate_RollbackToUnproven(t *testing.T) {
	for _, test := range []struct {
		name     string
		unproven bool
		want     string
		checks   bool
	}{
		{name: "proven", want: "allow"},
		{name: "unproven", unproven: true, want: "reject checks_failed: check \"ci\" failed", checks: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := scenarioWith(func(s *scenario) {
				s.policy.Checks = &Checks{Set: ChecksAll}
				s.facts.Checks = Known([]Check{{Name: "ci", State: CheckRed, At: s.now}})
				s.request.Rollback, s.request.Unproven = true, test.unproven
			})
			if got := summarize(s.evaluate()); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got := s.policy.Needs(s.request).Checks; got != test.checks {
				t.Errorf("got checks needed %v, want %v", got, test.checks)
			}
		})
	}
}
