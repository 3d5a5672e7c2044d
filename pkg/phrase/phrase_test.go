package phrase

import (
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

var (
	now   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	alice = deployment.Actor{ID: 1, Login: "alice"}
	bob   = deployment.Actor{ID: 2, Login: "bob"}
)

// example is a deployment of acme/api that alice asked for, changed by f.
func example(f func(*deployment.Deployment)) deployment.Deployment {
	d := deployment.Deployment{
		Request: deployment.Request{
			ID:          12,
			Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
			Environment: "production",
			Ref:         "main",
			SHA:         "abc1234000000000000000000000000000000000",
			Asked:       &deployment.Asked{By: alice},
		},
		State: deployment.Waiting,
	}
	if f != nil {
		f(&d)
	}
	return d
}

func waits(rule string, code policy.Code, message, who string, until time.Time) policy.Verdict {
	o := policy.Outcome{Rule: rule, Decision: policy.DecisionWait, Code: code, Message: message, Who: who, Until: until}
	return policy.Verdict{Decision: policy.DecisionWait, Outcomes: []policy.Outcome{o}, Until: until}
}

func rejects(rule string, code policy.Code, message, who string) policy.Verdict {
	o := policy.Outcome{Rule: rule, Decision: policy.DecisionReject, Code: code, Message: message, Who: who}
	return policy.Verdict{Decision: policy.DecisionReject, Outcomes: []policy.Outcome{o}}
}

var (
	allowed = policy.Verdict{
		Decision: policy.DecisionAllow,
		Outcomes: []policy.Outcome{{Decision: policy.DecisionAllow}},
	}
	unchecked = waits("approvals", policy.CodeApprovalsMissing, "2 approvals from acme/sre", "acme/sre", time.Time{})
	frozen    = waits("freeze", policy.CodeFrozen, "the freeze to end (Monday 08:00)", "", now.Add(90*time.Minute))
)

// TestDeployment reads what is said of a deployment in each state.
func TestDeployment(t *testing.T) {
	rows := []struct {
		name   string
		change func(*deployment.Deployment)
		want   string
	}{
		{
			name: "waits for its turn",
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) is about to start.",
		},
		{
			name:   "waits for something",
			change: func(d *deployment.Deployment) { d.BlockedBy = "#11, which is running" },
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) waits for #11, which is " +
				"running.",
		},
		{
			name:   "is triggered",
			change: func(d *deployment.Deployment) { d.State = deployment.Triggering },
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) is being started at " +
				"CircleCI.",
		},
		{
			name:   "is looked up",
			change: func(d *deployment.Deployment) { d.State = deployment.Unconfirmed },
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) may have been started at " +
				"CircleCI, which Seraph is checking.",
		},
		{
			name: "runs",
			change: func(d *deployment.Deployment) {
				d.State, d.RunningSince = deployment.Running, now.Add(-3*time.Minute)
				d.Pipeline = &deployment.Pipeline{Number: 55}
			},
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) is running as pipeline 55, for " +
				"3 min now.",
		},
		{
			name:   "is held",
			change: func(d *deployment.Deployment) { d.State, d.HeldSince = deployment.Held, now.Add(-time.Hour) },
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) waits for the approval of a job in " +
				"CircleCI, for 1 h now.",
		},
		{
			name: "succeeded",
			change: func(d *deployment.Deployment) {
				d.State, d.StartedAt, d.EndedAt = deployment.Succeeded, now.Add(-100*time.Second), now
			},
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) succeeded after 1 min.",
		},
		{
			name:   "failed",
			change: func(d *deployment.Deployment) { d.State, d.Reason = deployment.Failed, "Workflow deploy failed" },
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) failed: Workflow deploy " +
				"failed.",
		},
		{
			name: "could not run",
			change: func(d *deployment.Deployment) {
				d.State, d.Reason = deployment.Errored, "main moved: wanted abc1234, got def5678"
			},
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) could not be run: main moved: wanted " +
				"abc1234, got def5678.",
		},
		{
			name: "was canceled by somebody",
			change: func(d *deployment.Deployment) {
				d.State, d.Reason = deployment.Canceled, "Canceled by bob: wrong branch"
			},
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) was canceled by bob: wrong " +
				"branch.",
		},
		{
			name:   "was rejected",
			change: func(d *deployment.Deployment) { d.State, d.Reason = deployment.Rejected, "superseded by #13" },
			want:   "#12 (acme/api@main at abc1234 to production, asked for by alice) was rejected: superseded by #13.",
		},
		{
			name: "a commit, by nobody known",
			change: func(d *deployment.Deployment) {
				d.Request.Ref, d.Request.Asked = d.Request.SHA, nil
			},
			want: "#12 (acme/api at abc1234 to production) is about to start.",
		},
	}

	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := Deployment(example(row.change), now); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

// TestSentences reads the answers to commands.
func TestSentences(t *testing.T) {
	running := example(func(d *deployment.Deployment) { d.State = deployment.Running })
	ended := example(func(d *deployment.Deployment) { d.State, d.Reason = deployment.Canceled, "Canceled by bob" })
	back := example(func(d *deployment.Deployment) { d.Request.Asked.Cause = deployment.CauseRollback })
	blocked := example(func(d *deployment.Deployment) { d.BlockedBy = "#11, which is running" })
	lock := policy.Lock{
		Repository:  "acme/api",
		Environment: "production",
		Owner:       bob,
		Reason:      "release",
		TakenAt:     now.Add(-2 * time.Hour),
		ExpiresAt:   now.Add(30 * time.Minute),
	}
	locked := rejects("locks", policy.CodeLocked, "acme/api production is locked by bob: release", "bob, or an admin")

	const follow = ` "why #12" says how far it is, and "cancel #12" takes it back.`
	rows := []struct {
		name string
		got  string
		want string
	}{
		{
			name: "created, and starts",
			got:  Prefix("").Created(example(nil), allowed, now),
			want: "#12 deploys acme/api@main at abc1234 to production. It starts now." + follow,
		},
		{
			name: "created, and runs already",
			got:  Prefix("").Created(running, allowed, now),
			want: "#12 deploys acme/api@main at abc1234 to production. It is running. " +
				`"why #12" says how far it is, and "cancel #12" stops it.`,
		},
		{
			name: "created, and waits for approvals",
			got:  Prefix("").Created(example(nil), unchecked, now),
			want: "#12 deploys acme/api@main at abc1234 to production. It waits for 2 approvals from acme/sre. " +
				`To approve it, one of acme/sre says "approve #12".` + follow,
		},
		{
			name: "created, and waits for one person",
			got: Prefix("").Created(example(nil),
				waits("approvals", policy.CodeApprovalsMissing, "1 approval from bob", "bob", time.Time{}), now),
			want: "#12 deploys acme/api@main at abc1234 to production. It waits for 1 approval from bob. " +
				`To approve it, bob says "approve #12".` + follow,
		},
		{
			name: "created, and waits for a freeze to end",
			got:  Prefix("").Created(example(nil), frozen, now),
			want: "#12 deploys acme/api@main at abc1234 to production. It waits for the freeze to end (Monday 08:00). " +
				"That ends by itself in 1 h 30 min." + follow,
		},
		{
			name: "created, and waits for its turn",
			got:  Prefix("").Created(blocked, allowed, now),
			want: "#12 deploys acme/api@main at abc1234 to production. It waits for #11, which is running." + follow,
		},
		{
			name: "created by a rollback",
			got:  Prefix("").Created(back, allowed, now),
			want: "#12 rolls production back to acme/api@main at abc1234. It starts now." + follow,
		},
		{
			name: "not known yet",
			got:  Prefix("").Pending("acme/api@main to staging", "status api in staging"),
			want: "GitHub has not confirmed yet that it has the deployment of acme/api@main to staging. Seraph finds out " +
				`by itself, and "status api in staging" shows the deployment once it is there. You need not ask again.`,
		},
		{
			name: "rejected because of a lock",
			got:  Refused("acme/api@main to production", locked, now),
			want: "acme/api@main to production is not deployed: acme/api production is locked by bob: release. " +
				"The lock can be released by bob, or an admin. Nothing was made at GitHub.",
		},
		{
			name: "rejected because of the person",
			got: Refused("acme/api@main to production", rejects("allow", policy.CodeNotAllowed,
				"mallory is not allowed to deploy to production", "acme/devs"), now),
			want: "acme/api@main to production is not deployed: mallory is not allowed to deploy to production. " +
				"Those who may: acme/devs. Nothing was made at GitHub.",
		},
		{
			name: "rejected because of the checks",
			got: Refused("acme/api@main to production", rejects("checks", policy.CodeChecksFailed,
				`check "build" failed`, "a rerun and a new deployment"), now),
			want: `acme/api@main to production is not deployed: check "build" failed. ` +
				"What helps: a rerun and a new deployment. Nothing was made at GitHub.",
		},
		{
			name: "approved, and starts",
			got:  Prefix("").Approved(bob, example(nil), allowed, now),
			want: "bob approved #12 (acme/api@main at abc1234 to production). It starts as soon as it is its turn.",
		},
		{
			name: "approved, and waits on",
			got:  Prefix("").Approved(bob, example(nil), unchecked, now),
			want: "bob approved #12 (acme/api@main at abc1234 to production). It still waits for 2 approvals from " +
				`acme/sre. To approve it, one of acme/sre says "approve #12".`,
		},
		{
			name: "a held job was approved",
			got:  Prefix("").HoldApproved(bob, approvedIn(running)),
			want: "bob approved the job that CircleCI held for #12 (acme/api@main at abc1234 to production). " +
				`CircleCI goes on with it; "why #12" says how far it is.`,
		},
		{
			name: "a held job that was approved before by somebody else",
			got:  Prefix("").HoldApproved(bob, running),
			want: "Somebody else has approved the job that CircleCI held for #12 (acme/api@main at abc1234 to production). " +
				`CircleCI goes on with it; "why #12" says how far it is.`,
		},
		{
			name: "a job of a deployment that has ended",
			got:  Prefix("").HoldApproved(bob, ended),
			want: "That job of #12 (acme/api@main at abc1234 to production) was approved before, and nothing was approved " +
				"now: #12 was canceled by bob.",
		},
		{
			name: "canceled while it waited",
			got:  Canceled(ended),
			want: "#12 (acme/api@main at abc1234 to production) was canceled by bob.",
		},
		{
			name: "canceled while it runs",
			got:  Canceled(running),
			want: "#12 (acme/api@main at abc1234 to production) is being canceled: CircleCI is asked to stop its " +
				"workflows, and it ends once they have.",
		},
		{
			name: "why it waits",
			got:  Prefix("").Why(blocked, unchecked, now),
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) waits for #11, which is running.\n" +
				`- approvals: it waits for 2 approvals from acme/sre. To approve it, one of acme/sre says "approve #12".`,
		},
		{
			name: "why it runs",
			got:  Prefix("").Why(running, allowed, now),
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) is running.\n" +
				"All its rules allow it.\n" +
				`"cancel #12" stops it.`,
		},
		{
			name: "why it failed",
			got: Prefix("").Why(example(func(d *deployment.Deployment) {
				d.State, d.Reason = deployment.Failed, "Workflow deploy failed"
				d.Failure = &deployment.Failure{Job: "build", Step: "Run tests", Lines: []string{"FAIL a", "exit 1"}}
			}), rejects("state", policy.CodeEnded, "it ended", ""), now),
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) failed: Workflow deploy failed.\n" +
				"The job build failed at the step \"Run tests\", whose output ended with:\n  FAIL a\n  exit 1",
		},
		{
			name: "why it failed, as far as it is known",
			got: Prefix("").Why(example(func(d *deployment.Deployment) {
				d.State, d.Reason, d.Failure = deployment.Failed, "Workflow deploy failed", &deployment.Failure{Job: "build"}
			}), allowed, now),
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) failed: Workflow deploy failed.\n" +
				"The job build failed.",
		},
		{
			name: "why it was rejected",
			got: Prefix("").Why(example(func(d *deployment.Deployment) {
				d.State, d.Reason = deployment.Rejected, "mallory may not"
			}), rejects("allow", policy.CodeNotAllowed, "mallory may not", "acme/devs"), now),
			want: "#12 (acme/api@main at abc1234 to production, asked for by alice) was rejected: mallory may not.\n" +
				"- allow: mallory may not. Those who may: acme/devs.",
		},
		{
			name: "locked",
			got:  Prefix("").Locked(lock, "unlock api in production", now),
			want: "acme/api in production is locked by bob for 30 min: release. Deployments of others wait meanwhile, " +
				`and "unlock api in production" releases it.`,
		},
		{
			name: "unlocked",
			got:  Unlocked(lock, 2),
			want: "acme/api in production is no longer locked. 2 deployments that waited go on.",
		},
		{
			name: "locks",
			got:  Locks([]policy.Lock{lock}, now),
			want: "acme/api in production is locked by bob (taken 2 h ago, ends in 30 min): release.",
		},
		{name: "no locks", got: Locks(nil, now), want: "Nothing is locked."},
		{
			name: "nothing to unlock",
			got:  Prefix("").NotLocked("api", "production"),
			want: `api in production is not locked. "locks" lists all locks.`,
		},
		{
			name: "only a wider lock",
			got: LockedWider("api", "production",
				policy.Lock{Owner: bob, TakenAt: now.Add(-time.Minute), Reason: "outage"}, now),
			want: "That was not done: api in production has no lock of its own. A wider one covers it: everything is locked " +
				"by bob (taken 1 min ago): outage.",
		},
		{
			name: "where",
			got:  Prefix("").Where("api", []string{"production", "staging"}, []string{"pr-*"}, "deploy api to production"),
			want: "api can be deployed to production and staging, and to environments whose names fit pr-*. " +
				`For example: "deploy api to production". "status api" says what runs there.`,
		},
		{
			name: "who somebody is",
			got:  WhoAmI(alice),
			want: "For Seraph you are alice at GitHub (id 1). Where you have write permission there, you may do " +
				"here what the rules of the route let you do.",
		},
		{
			name: "a token",
			got:  WhoAmI(deployment.Actor{Token: "ci"}),
			want: "For Seraph you are token ci, and no person at GitHub.",
		},
		{
			name: "refused",
			got:  NotDone("the deployment is running: it is too late for that", Prefix("").Hint("too_late", grammar.Command{ID: 12})),
			want: "That was not done: the deployment is running: it is too late for that. " +
				`"why #12" says how far it is and who can help.`,
		},
	}

	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if row.got != row.want {
				t.Errorf("got  %s\nwant %s", row.got, row.want)
			}
		})
	}
}

// TestStatus reads the lines about environments.
func TestStatus(t *testing.T) {
	current := example(func(d *deployment.Deployment) {
		d.State, d.EndedAt = deployment.Succeeded, now.Add(-3*time.Hour)
	})
	active := example(func(d *deployment.Deployment) { d.State, d.Request.ID = deployment.Running, 13 })
	waiting := example(func(d *deployment.Deployment) { d.BlockedBy, d.Request.ID = "#13, which is running", 14 })

	got := Prefix("").Status([]Environment{
		{
			App:  "api",
			Name: "production",
			Status: &deployment.EnvironmentStatus{
				Current: &current,
				Active:  &active,
				Waiting: []deployment.Deployment{waiting},
				Queued:  3,
			},
			Lock: &policy.Lock{Owner: bob, TakenAt: now.Add(-time.Minute), Reason: "release"},
		},
		{App: "api", Name: "staging"},
		{App: "api", Name: "qa", Status: &deployment.EnvironmentStatus{Active: &active}},
		{App: "web", Name: "staging"},
	}, 3, now)

	want := "api in production: main at abc1234, deployed 3 h ago as #12 for alice. " +
		"#13 (acme/api@main at abc1234 to production, asked for by alice) is running. " +
		"#14 (acme/api@main at abc1234 to production, asked for by alice) waits for #13, which is running. " +
		"2 more wait behind it. Locked by bob (taken 1 min ago): release.\n" +
		"api in staging: Seraph knows of no deployment there.\n" +
		"api in qa: Seraph knows of no successful deployment there. " +
		"#13 (acme/api@main at abc1234 to production, asked for by alice) is running.\n" +
		`1 more is not shown: "status APP" shows those of one app.`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestHelp wants that every verb is in the list, and explained.
func TestHelp(t *testing.T) {
	all := Prefix("").Help("")
	for _, v := range grammar.Verbs() {
		if !strings.Contains(all, "  "+grammar.Form(v)+"\n") {
			t.Errorf("help does not list %s", grammar.Form(v))
		}
		if one := Prefix("").Help(v); !strings.HasPrefix(one, grammar.Form(v)+"\n") || !strings.HasSuffix(one, ".") {
			t.Errorf("help about %s: got %q", v, one)
		}
	}
}

// TestDuration reads durations of each size.
func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                 "a moment",
		-time.Second:                      "a moment",
		499 * time.Millisecond:            "a moment",
		59*time.Second + time.Millisecond: "59 s",
		90 * time.Second:                  "1 min",
		2*time.Hour - time.Microsecond:    "2 h",
		90 * time.Minute:                  "1 h 30 min",
		47 * time.Hour:                    "47 h",
		72 * time.Hour:                    "3 days",
	} {
		t.Run(want, func(t *testing.T) {
			if got := Duration(d); got != want {
				t.Errorf("got %s for %v, want %s", got, d, want)
			}
		})
	}
}

// approvedIn returns a deployment with a job that bob has approved in CircleCI.
func approvedIn(d deployment.Deployment) deployment.Deployment {
	d.HoldApprovals = []deployment.HoldApproval{{By: bob, Workflow: "deploy", Job: "go-live"}}
	return d
}
