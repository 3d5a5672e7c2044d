package command

import (
	"errors"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

const notFound5 = "not_found not_found: no deployment has this id; use GitHub's deployment id"

func TestApprove(t *testing.T) {
	for _, test := range []struct {
		name    string
		id      int64
		state   deployment.State
		refused string
		comment string
		want    string
	}{
		{name: "waiting", id: 5, state: deployment.Waiting, comment: "looks good", want: "done"},
		{name: "without a comment", id: 5, state: deployment.Waiting, want: "done"},
		{name: "unknown deployment", id: 6, state: deployment.Waiting, want: notFound5},
		{
			name:  "running",
			id:    5,
			state: deployment.Running,
			want:  "conflict not_waiting: the deployment is running: only a waiting deployment can be approved",
		},
		{
			name:    "not an approver",
			id:      5,
			state:   deployment.Waiting,
			refused: "alice is not an approver",
			want:    "forbidden not_an_approver: alice is not an approver",
		},
		{
			name:    "comment too long",
			id:      5,
			state:   deployment.Waiting,
			comment: strings.Repeat("ä", maxReason+1),
			want:    "invalid reason_too_long: the reason has more than 200 characters",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.deployments.deployment.State = test.state
			f.gate.refused = test.refused

			_, _, err := s.Approve(t.Context(), Caller{By: alice}, test.id, test.comment)
			if got := outcome(err); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			if stored := len(f.deployments.approvals) == 1; stored != (test.want == "done") {
				t.Fatalf("got approvals %+v", f.deployments.approvals)
			}
			if test.want != "done" {
				return
			}

			if got := f.deployments.approvals[0]; got.By != alice || got.Comment != test.comment {
				t.Errorf("got approval %+v, want one by alice with comment %q", got, test.comment)
			}
			if got := f.deployments.events[0]; got.Kind != deployment.AuditApproved || got.Deployment != 5 {
				t.Errorf("got audit %+v, want an approval of deployment 5", got)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	tooLate := &deployment.InvalidTransitionError{State: deployment.Canceled, Event: "cancel"}
	for _, test := range []struct {
		name      string
		admin     bool
		refused   string
		engineErr error
		want      string
	}{
		{name: "member", want: "done"},
		{
			name:    "not a member",
			refused: "alice is not allowed to deploy",
			want:    "forbidden not_allowed: alice is not allowed to deploy",
		},
		{name: "admin who is not a member", admin: true, refused: "alice is not allowed to deploy", want: "done"},
		{
			name:      "ended already",
			engineErr: tooLate,
			want:      "conflict too_late: the deployment was canceled: it is too late for that",
		},
		{name: "database away", engineErr: errors.New("503"), want: "fault: 503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.gate.refused, f.engine.err = test.refused, test.engineErr

			_, err := s.Cancel(t.Context(), Caller{By: alice, Admin: test.admin}, 5, "wrong branch")
			if got := outcome(err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.want != "done" {
				return
			}

			if got := *f.engine.canceled; got.By != alice || got.Reason != "wrong branch" {
				t.Errorf("got %+v, want it canceled by alice for the wrong branch", got)
			}
			if got, want := string(f.engine.events[0].Detail), `{"reason":"wrong branch","state":"waiting"}`; got != want {
				t.Errorf("got audit detail %s, want %s", got, want)
			}
		})
	}
}

// A token forces only with the scope admin, and nobody forces where the rules do not let them.
func TestForce(t *testing.T) {
	for _, test := range []struct {
		name    string
		by      Caller
		refused string
		reason  string
		want    string
	}{
		{name: "person", by: Caller{By: alice}, reason: "fire", want: "done"},
		{name: "admin token", by: Caller{By: ops, Admin: true}, reason: "fire", want: "done"},
		{
			name:   "other token",
			by:     Caller{By: ops},
			reason: "fire",
			want:   "forbidden not_allowed: a token needs the scope admin to force a deployment",
		},
		{
			name:    "admin token that the rules refuse",
			by:      Caller{By: ops, Admin: true},
			refused: "token ops may not force",
			reason:  "fire",
			want:    "forbidden not_allowed: token ops may not force",
		},
		{
			name:    "person whom the rules refuse",
			by:      Caller{By: alice},
			refused: "alice may not force",
			reason:  "fire",
			want:    "forbidden not_allowed: alice may not force",
		},
		{name: "no reason", by: Caller{By: alice}, want: "invalid reason_missing: a reason is required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.gate.refused = test.refused

			_, err := s.Force(t.Context(), test.by, 5, test.reason)
			if got := outcome(err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if forced := f.engine.forced != nil; forced != (test.want == "done") {
				t.Errorf("got forced %v with outcome %q", forced, outcome(err))
			}
		})
	}
}

func TestExplain(t *testing.T) {
	s, _ := newTestService()
	d, v, err := s.Explain(t.Context(), 5)
	if err != nil || d.Row != 1 || v.Decision != policy.DecisionWait {
		t.Errorf("got row %d, %s, %v, want row 1, wait", d.Row, v.Decision, err)
	}

	if _, _, err := s.Explain(t.Context(), 6); outcome(err) != notFound5 {
		t.Errorf("unknown deployment: got %q, want %q", outcome(err), notFound5)
	}
}

// What does not exist is refused; what GitHub did not answer about is a fault.
func TestAsk(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{name: "answered", want: "done"},
		{
			name: "unknown person",
			err:  &policy.NotFoundError{What: "person bob"},
			want: "not_found not_found: there is no person bob",
		},
		{name: "outage", err: errors.New("503"), want: "fault: 503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.gate.askErr = test.err
			if _, err := s.Ask(t.Context(), policy.Question{}); outcome(err) != test.want {
				t.Errorf("got %q, want %q", outcome(err), test.want)
			}
		})
	}
}

// Of a deployment that has ended, Explain shows what was decided then.
func TestExplain_Ended(t *testing.T) {
	recorded := &policy.Verdict{Decision: policy.DecisionAllow}
	for _, test := range []struct {
		name     string
		state    deployment.State
		decision *policy.Verdict
		asked    int // how often the rules were evaluated
		want     string
	}{
		{name: "waits", state: deployment.Waiting, asked: 1, want: "wait "},
		{name: "runs", state: deployment.Running, decision: recorded, asked: 1, want: "wait "},
		{name: "succeeded", state: deployment.Succeeded, decision: recorded, want: "allow "},
		{
			name:  "canceled before the rules decided",
			state: deployment.Canceled,
			want:  "reject it was canceled before the rules decided",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.deployments.deployment.State, f.deployments.decision = test.state, test.decision

			_, v, err := s.Explain(t.Context(), 5)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(v.Decision) + " " + v.Deciding().Message; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if f.gate.decided != test.asked {
				t.Errorf("got the rules evaluated %d times, want %d", f.gate.decided, test.asked)
			}
		})
	}
}

// An id that deployments of two repositories have does not say which of them is meant.
func TestService_IDOfTwoRepositories(t *testing.T) {
	const want = "conflict ambiguous: deployments of 2 repositories have this id: " +
		"rotate the webhook secret, and deploy again"
	by := Caller{By: alice, Admin: true}

	for _, c := range []struct {
		name string
		act  func(*Service) error
	}{
		{name: "explain", act: func(s *Service) error { _, _, err := s.Explain(t.Context(), 5); return err }},
		{name: "approve", act: func(s *Service) error { _, _, err := s.Approve(t.Context(), by, 5, ""); return err }},
		{name: "cancel", act: func(s *Service) error { _, err := s.Cancel(t.Context(), by, 5, "fire"); return err }},
		{name: "force", act: func(s *Service) error { _, err := s.Force(t.Context(), by, 5, "fire"); return err }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, f := newTestService()
			f.deployments.others = []deployment.Record{{Deployment: deployment.Deployment{
				Row:     2,
				State:   deployment.Waiting,
				Request: deployment.Request{ID: 5, Repository: deployment.Repository{ID: 99}},
			}}}

			if got := outcome(c.act(s)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if f.engine.canceled != nil || f.engine.forced != nil || len(f.deployments.approvals) > 0 {
				t.Error("got a change of a deployment, want none")
			}
		})
	}
}
