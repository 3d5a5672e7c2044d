package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

const (
	askedSHA = "abc"
	otherSHA = "0123456789abcdef0123456789abcdef01234567"
)

var mainOnly = policy.Policy{Refs: []string{"main"}}

// What is read at GitHub before a trigger, and what comes of it.
func TestStart_ComparesWithGitHub(t *testing.T) {
	branch := deployment.Ref{Kind: deployment.RefBranch, Name: "main"}
	down := errors.New("503")
	hidden := &deployment.RefsHiddenError{Err: errors.New("403")}

	for _, c := range []struct {
		name    string
		rules   policy.Policy
		target  func(*deployment.Target)
		github  fakeGitHub
		want    deployment.State
		words   string // of the reason, or of what it waits for
		built   deployment.Ref
		reads   int // of the deployment
		refRead int
	}{
		{
			name:    "no rules, bare name",
			want:    deployment.Running,
			built:   branch,
			refRead: 1,
		},
		{
			name:   "no rules, branch",
			target: func(t *deployment.Target) { t.Ref = branch },
			want:   deployment.Running,
			built:  branch,
		},
		{
			name:    "no rules, bare name, GitHub is down",
			github:  fakeGitHub{failure: down},
			want:    deployment.Running,
			built:   branch,
			refRead: 1,
		},
		{
			name:    "no rules, bare name, strict, moved",
			target:  func(t *deployment.Target) { t.Revision = deployment.RevisionStrict },
			github:  fakeGitHub{heads: &deployment.Heads{Branch: otherSHA}},
			want:    deployment.Errored,
			words:   "main moved: wanted abc, is 0123456",
			refRead: 1,
		},
		{
			name:    "rules",
			rules:   mainOnly,
			want:    deployment.Running,
			built:   branch,
			reads:   1,
			refRead: 1,
		},
		{
			name:    "rules, moved",
			rules:   mainOnly,
			github:  fakeGitHub{heads: &deployment.Heads{Branch: otherSHA}},
			want:    deployment.Errored,
			words:   "main moved: wanted abc, is 0123456",
			reads:   1,
			refRead: 1,
		},
		{
			name:  "rules, moved, fixed configuration",
			rules: mainOnly,
			target: func(t *deployment.Target) {
				t.Ref, t.Revision, t.FixedRef, t.FixedConfig = branch, deployment.RevisionNote, true, true
			},
			github: fakeGitHub{heads: &deployment.Heads{Branch: otherSHA}},
			want:   deployment.Running,
			built:  branch,
			reads:  1,
		},
		{
			name:  "rules, moved, configuration of the requester",
			rules: mainOnly,
			target: func(t *deployment.Target) {
				t.Ref, t.Revision, t.FixedRef = branch, deployment.RevisionNote, true
				t.ConfigRef = deployment.Ref{Kind: deployment.RefBranch, Name: "evil"}
			},
			github:  fakeGitHub{heads: &deployment.Heads{Branch: otherSHA}},
			want:    deployment.Errored,
			words:   "configuration: evil moved: wanted abc, is 0123456",
			reads:   1,
			refRead: 1,
		},
		{
			name:    "rules, a tag in place of the branch",
			rules:   mainOnly,
			github:  fakeGitHub{heads: &deployment.Heads{Branch: otherSHA, Tag: askedSHA}},
			want:    deployment.Rejected,
			words:   "refs/tags/main may not be deployed to production (allowed: main)",
			reads:   1,
			refRead: 1,
		},
		{
			name:   "rules, another ref is built than was asked for",
			rules:  mainOnly,
			target: func(t *deployment.Target) { t.Ref = deployment.ParseRef("evil") },
			want:   deployment.Rejected,
			words:  "evil may not be deployed to production (allowed: main)",
			reads:  1,
		},
		{
			name:   "rules, another creator",
			rules:  mainOnly,
			github: fakeGitHub{change: func(r *deployment.Request) { r.Creator.ID = 666 }},
			want:   deployment.Rejected,
			words:  "GitHub shows another deployment",
			reads:  1,
		},
		{
			name:   "rules, GitHub shows an old deployment",
			rules:  mainOnly,
			github: fakeGitHub{change: func(r *deployment.Request) { r.CreatedAt = r.CreatedAt.Add(-48 * time.Hour) }},
			want:   deployment.Errored,
			words:  "arrived too late, deploy again (created 48h0m0s before it arrived, the limit is 1h0m0s)",
			reads:  1,
		},
		{
			name:   "rules, no such deployment yet",
			rules:  mainOnly,
			github: fakeGitHub{missing: true},
			want:   deployment.Waiting,
			words:  "GitHub to show the deployment",
			reads:  1,
		},
		{
			name:   "rules, GitHub is down",
			rules:  mainOnly,
			github: fakeGitHub{failure: down},
			want:   deployment.Waiting,
			words:  "GitHub to answer",
			reads:  1,
		},
		{
			name:   "rules, refs may not be read",
			rules:  mainOnly,
			github: fakeGitHub{failure: hidden},
			want:   deployment.Waiting,
			words:  "the permission contents: read, without which GitHub does not let Seraph read refs",
			reads:  1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newTestEngine(t)
			github, circleci := c.github, fakeCircleCI{}
			e.between(&github, &circleci, c.rules)
			e.pass(time.Minute)
			d := e.accept(t, 1, func(d *deployment.Deployment) {
				if c.target != nil {
					c.target(&d.Target)
				}
			})

			d = e.advanceOnce(t, d.Row)
			if words := d.Reason + d.BlockedBy; d.State != c.want || words != c.words {
				t.Errorf("got %s %q, want %s %q", d.State, words, c.want, c.words)
			}
			if github.deploymentReads != c.reads || github.refReads != c.refRead || github.statusReads != 0 {
				t.Errorf("got %d reads of the deployment, %d of refs, %d of statuses, want %d, %d, 0",
					github.deploymentReads, github.refReads, github.statusReads, c.reads, c.refRead)
			}
			if c.built != (deployment.Ref{}) && (len(circleci.triggers) != 1 || circleci.triggers[0] != c.built) {
				t.Errorf("got triggers %+v, want %+v", circleci.triggers, c.built)
			}
			if c.built == (deployment.Ref{}) && len(circleci.triggers) != 0 {
				t.Errorf("got triggers %+v, want none", circleci.triggers)
			}
		})
	}
}

// A deployment that GitHub does not show is rejected when GitHub had time to show it.
func TestStart_DeploymentThatDoesNotExist(t *testing.T) {
	e := newTestEngine(t)
	github, circleci := &fakeGitHub{missing: true}, &fakeCircleCI{}
	e.between(github, circleci, mainOnly)
	d := e.run(t, e.accept(t, 1, nil).Row, 70*time.Second)

	if d.State != deployment.Rejected || d.Reason != "GitHub shows another deployment" || len(circleci.triggers) > 0 {
		t.Errorf("got %s %q after %d triggers, want it rejected", d.State, d.Reason, len(circleci.triggers))
	}
}

// A deployment whose event was forged is ended without a status, and the one that GitHub shows is taken in.
func TestStart_ForgedEventGivesWay(t *testing.T) {
	for _, c := range []struct {
		name    string
		problem string
	}{
		{name: "that could run"},
		{name: "with a problem", problem: "the parameter hosts does not match"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newTestEngine(t)
			github := &fakeGitHub{change: func(r *deployment.Request) {
				r.Creator.ID, r.Environment, r.ReadAtGitHub = 666, "staging", true
			}}
			e.between(github, &fakeCircleCI{}, mainOnly)
			var shown []deployment.Request
			e.Readmit = func(_ context.Context, r deployment.Request) error {
				shown = append(shown, r)
				return nil
			}

			d := e.accept(t, 1, func(d *deployment.Deployment) { d.Problem, d.Target.HasRules = c.problem, true })
			d = e.advanceOnce(t, d.Row)
			if d.State != deployment.Rejected || d.Reason != "GitHub shows another deployment" {
				t.Errorf("got %s %q, want it rejected", d.State, d.Reason)
			}
			if reports, err := e.db.Reports(t.Context(), d.Row); err != nil || len(reports) != 0 {
				t.Errorf("got the reports %+v (%v), want none", reports, err)
			}
			if len(shown) != 1 || shown[0].Environment != "staging" {
				t.Fatalf("got %+v taken in, want the one that GitHub shows", shown)
			}

			// what was read at GitHub is not compared with it
			reads := github.deploymentReads
			genuine := e.accept(t, 2, func(d *deployment.Deployment) { d.Request.ReadAtGitHub = shown[0].ReadAtGitHub })
			if genuine = e.advanceOnce(t, genuine.Row); genuine.State != deployment.Running {
				t.Errorf("the real one: got %s %q, want it running", genuine.State, genuine.Reason)
			}
			if got := github.deploymentReads - reads; got != 0 {
				t.Errorf("the real one: got %d reads of the deployment, want none", got)
			}
		})
	}
}

// An event that makes a deployment older than it is does not end it as too late: GitHub's is taken in.
func TestStart_ForgedAgeGivesWay(t *testing.T) {
	for _, c := range []struct {
		name      string
		forgedBy  time.Duration
		wantState deployment.State
		wantShown int
	}{
		{name: "made old", forgedBy: 48 * time.Hour, wantState: deployment.Rejected, wantShown: 1},
		{name: "really old", forgedBy: 0, wantState: deployment.Errored, wantShown: 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newTestEngine(t)
			github := &fakeGitHub{change: func(r *deployment.Request) { r.CreatedAt = r.CreatedAt.Add(c.forgedBy) }}
			e.between(github, &fakeCircleCI{}, mainOnly)
			shown := 0
			e.Readmit = func(context.Context, deployment.Request) error {
				shown++
				return nil
			}

			created := e.now.Add(-48 * time.Hour)
			d := e.accept(t, 1, func(d *deployment.Deployment) {
				d.Request.CreatedAt, d.Problem = created, e.Machine.ArrivedTooLate(created, e.now)
			})
			d = e.advanceOnce(t, d.Row)
			if d.State != c.wantState || shown != c.wantShown {
				t.Errorf("got %s %q and %d taken in, want %s and %d", d.State, d.Reason, shown, c.wantState, c.wantShown)
			}
		})
	}
}

// A route that got rules after it had let a deployment wait does not trust its event.
func TestStart_RulesAddedMeanwhile(t *testing.T) {
	e := newTestEngine(t)
	circleci := &fakeCircleCI{}
	github := &fakeGitHub{change: func(r *deployment.Request) { r.Creator.ID = 666 }}
	e.between(github, circleci, policy.Policy{})
	d := e.accept(t, 1, nil, deployment.Admitted{})

	e.between(github, circleci, mainOnly)
	d = e.advanceOnce(t, d.Row)
	if d.State != deployment.Rejected || len(circleci.triggers) > 0 {
		t.Errorf("got %s %q after %d triggers, want it rejected", d.State, d.Reason, len(circleci.triggers))
	}
}

// What waits for its rules is compared once, and its ref is not read before it may go on.
func TestStart_AsksOnceWhileItWaits(t *testing.T) {
	e := newTestEngine(t)
	github, circleci := &fakeGitHub{}, &fakeCircleCI{}
	from := e.now.Add(-time.Hour)
	e.between(github, circleci, policy.Policy{Freezes: []policy.Freeze{{From: from, To: from.Add(65 * time.Minute)}}})
	e.pass(time.Minute)
	d := e.run(t, e.accept(t, 1, nil).Row, 6*time.Minute)

	if d.State != deployment.Running {
		t.Fatalf("got %s, waiting for %q, want it running", d.State, d.BlockedBy)
	}
	if github.deploymentReads != 1 || github.refReads != 1 {
		t.Errorf("got %d reads of the deployment, %d of the ref, want one of each", github.deploymentReads, github.refReads)
	}
}

// A pause that a clock ahead of now has made ends no later than a pause can.
func TestStart_ClockSetBack(t *testing.T) {
	for _, c := range []struct {
		name  string
		pause time.Duration // until it may start
		want  deployment.State
	}{
		{name: "a pause", pause: 15 * time.Minute, want: deployment.Waiting},
		{name: "longer than a pause can be", pause: 16 * time.Minute, want: deployment.Running},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newTestEngine(t)
			e.between(&fakeGitHub{}, &fakeCircleCI{}, policy.Policy{})
			d := e.accept(t, 1, func(d *deployment.Deployment) { d.NotBefore = e.now.Add(c.pause) })
			if d = e.advanceOnce(t, d.Row); d.State != c.want {
				t.Errorf("got %s, want %s", d.State, c.want)
			}
		})
	}
}

// Nothing slow stands between the last look at the rules and the trigger.
func TestStart_FreezeThatBeginsMeanwhile(t *testing.T) {
	e := newTestEngine(t)
	circleci := &fakeCircleCI{slow: func() { e.pass(14 * time.Second) }}
	from := e.now.Add(10 * time.Second)
	e.between(&fakeGitHub{}, circleci, policy.Policy{Freezes: []policy.Freeze{{From: from, To: from.Add(time.Hour)}}})

	d := e.advanceOnce(t, e.accept(t, 1, nil).Row)
	if d.State != deployment.Waiting || len(circleci.triggers) > 0 {
		t.Errorf("got %s after %d triggers, want it to wait for the end of the freeze", d.State, len(circleci.triggers))
	}
}

// The window in which a request may leave is measured by the wall clock. The monotonic one stands still
// while the machine is suspended.
func TestTrigger_SendWindowIsWallClock(t *testing.T) {
	e := newTestEngine(t)
	circleci := &fakeCircleCI{}
	e.between(&fakeGitHub{}, circleci, policy.Policy{})
	d := e.accept(t, 1, nil)
	e.Now = time.Now

	e.advance(t.Context(), d.Row)
	if got := circleci.sendBefore; got != got.Round(0) || got.IsZero() {
		t.Errorf("got %s, want a time without a monotonic reading", got)
	}
}

// GitHub may show a new deployment late. It is asked every few seconds for a minute.
func TestStart_DeploymentThatIsShownLate(t *testing.T) {
	e := newTestEngine(t)
	github, circleci := &fakeGitHub{missing: true}, &fakeCircleCI{}
	e.between(github, circleci, mainOnly)
	d := e.run(t, e.accept(t, 1, nil).Row, 50*time.Second)
	if d.State != deployment.Waiting || github.deploymentReads != 10 {
		t.Errorf("got %s %q after %d reads, want waiting after 10", d.State, d.Reason, github.deploymentReads)
	}

	github.missing = false
	if d = e.run(t, d.Row, 5*time.Second); d.State != deployment.Running {
		t.Errorf("got %s %q, want running", d.State, d.Reason)
	}
}

// slowGate takes its time for all decisions but the first.
type slowGate struct {
	Gate
	slow    func()
	decided int
}

func (g *slowGate) Decide(ctx context.Context, d deployment.Deployment) (policy.Verdict, error) {
	if g.decided++; g.decided > 1 {
		g.slow()
	}
	return g.Gate.Decide(ctx, d)
}

// The ref is read again if the last look at the rules took long: somebody may have pushed meanwhile.
func TestStart_PushDuringLastDecision(t *testing.T) {
	for _, c := range []struct {
		name string
		took time.Duration
		head string // after the decision
		want deployment.State
		read int
	}{
		{name: "quick", took: time.Second, head: askedSHA, want: deployment.Running, read: 1},
		{name: "slow", took: 10 * time.Second, head: askedSHA, want: deployment.Running, read: 2},
		{name: "slow, with a push", took: 10 * time.Second, head: otherSHA, want: deployment.Errored, read: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newTestEngine(t)
			github, circleci := &fakeGitHub{}, &fakeCircleCI{}
			e.between(github, circleci, mainOnly)
			e.Gate = &slowGate{Gate: e.Gate, slow: func() {
				e.pass(c.took)
				github.heads = &deployment.Heads{Branch: c.head}
			}}

			d := e.advanceOnce(t, e.accept(t, 1, nil).Row)
			if d.State != c.want || github.refReads != c.read || len(circleci.triggers) > 0 != (c.want == deployment.Running) {
				t.Errorf("got %s %q after %d reads of the ref and triggers %v, want %s after %d",
					d.State, d.Reason+d.BlockedBy, github.refReads, circleci.triggers, c.want, c.read)
			}
		})
	}
}
