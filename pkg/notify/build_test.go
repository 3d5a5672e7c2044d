package notify

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// plain is what a text says, with links in angle brackets.
func plain(t Text) string {
	var all strings.Builder
	for _, s := range t {
		all.WriteString(s.Text)
		if s.URL != "" {
			all.WriteString("<" + s.URL + ">")
		}
	}
	return all.String()
}

func linesOf(c Card) string {
	var all []string
	for _, l := range c.Lines {
		all = append(all, plain(l))
	}
	return strings.Join(all, "\n")
}

func verbsOf(c Card) string {
	var all []string
	for _, b := range c.Buttons {
		verb := string(b.Verb)
		if b.Verb == VerbOpen {
			verb = b.Label
		}
		if b.ConfirmWord != "" {
			verb += "!"
		}
		all = append(all, verb)
	}
	return strings.Join(all, " ")
}

func factOf(c Card, label string) string {
	i := slices.IndexFunc(c.Facts, func(f Fact) bool { return f.Label == label })
	if i < 0 {
		return ""
	}
	return plain(c.Facts[i].Value)
}

// waitingFor is a deployment that waits for one rule.
func waitingFor(o policy.Outcome) Facts {
	f := factsIn(deployment.Waiting)
	o.Decision = policy.DecisionWait
	f.Verdict = &policy.Verdict{Decision: policy.DecisionWait, Outcomes: []policy.Outcome{o}}
	return f
}

func change(f Facts, how func(*Facts)) Facts {
	how(&f)
	return f
}

func TestNewCard_States(t *testing.T) {
	ran := func(f *Facts) {
		f.Before = &deployment.Success{DeploymentID: 11, SHA: strings.Repeat("b", 40)}
		f.Current, f.Back = f.Before, f.Before
		f.Ahead = &Ahead{Ahead: 3}
	}

	for _, tt := range []struct {
		name    string
		f       Facts
		title   string
		lines   string // part of them
		buttons string
	}{
		{
			name: "approvals", f: needingApproval(), title: "api → production: waits for approval",
			lines:   `It waits for 1 approval from acme/sre. Those who can approve it: acme/sre.`,
			buttons: "approve! why cancel!",
		},
		{
			name: "a lock", title: "api → production: waits for a lock",
			f: change(waitingFor(policy.Outcome{Code: policy.CodeLocked, Message: "bob's lock", Who: "bob, or an admin"}), func(f *Facts) {
				f.Lock = &policy.Lock{
					ID: 4, Repository: "acme/api", Environment: "production", Reason: "load test", TakenAt: noon,
					Owner: deployment.Actor{ID: 6, Login: "bob"},
				}
			}),
			lines: "acme/api in production is locked by bob since 2026-11-22 12:00 UTC: load test. " +
				"The lock can be released by bob, or an admin.",
			buttons: "why ask-for-lock cancel!",
		},
		{
			name: "the line", title: "api → production: waits in line",
			f: change(waitingFor(policy.Outcome{Code: policy.CodeInLine}), func(f *Facts) {
				f.Queue = &policy.Queue{Holder: 9, HolderState: deployment.Running, Before: []int64{10, 11}}
			}),
			lines: "It is 4th in line, behind #11.", buttons: "why cancel!",
		},
		{
			name: "a freeze", title: "api → production: waits for the end of a freeze",
			f:     waitingFor(policy.Outcome{Code: policy.CodeFrozen, Message: "the end of the freeze", Until: noon.Add(time.Hour)}),
			lines: "It waits for the end of the freeze. That ends by itself: 2026-11-22 13:00 UTC.", buttons: "why cancel!",
		},
		{
			name: "running", f: change(factsIn(deployment.Running), ran), title: "api → production: running",
			lines: "It runs as pipeline 40.", buttons: "cancel! Log What changes",
		},
		{
			name: "held, and nobody may here", title: "api → production: held, waits for an approval in CircleCI",
			f:     change(factsIn(deployment.Held), func(f *Facts) { f.Held = []string{"release"} }),
			lines: "The job release waits for an approval. It can be approved in CircleCI only.", buttons: "cancel! Open in CircleCI",
		},
		{
			name: "held", title: "api → production: held, waits for an approval in CircleCI",
			f: change(factsIn(deployment.Held), func(f *Facts) {
				f.Held, f.Route.HoldApprovers = []string{"a", "b"}, "acme/leads"
			}),
			lines: "Those who may: acme/leads.", buttons: "approve-hold! approve-hold! cancel! Open in CircleCI",
		},
		{
			name: "canceling", title: "api → production: being canceled",
			f: change(factsIn(deployment.Running), func(f *Facts) {
				f.Deployment.Cancel = &deployment.Cancel{By: deployment.Actor{Login: "bob"}, Reason: "wrong commit"}
			}),
			lines: "It is being canceled for bob: wrong commit.", buttons: "Log",
		},
		{
			name: "succeeded", title: "api → production: succeeded", buttons: "rollback! Log What changes",
			f: change(change(factsIn(deployment.Succeeded), ran), func(f *Facts) {
				f.Current = &deployment.Success{DeploymentID: 12}
			}),
		},
		{
			name: "succeeded, as somebody has approved", title: "api → production: succeeded", lines: "Approved by bob.",
			f: change(change(factsIn(deployment.Succeeded), ran), func(f *Facts) {
				f.Current = &deployment.Success{DeploymentID: 13}
				f.Approvals = []policy.Approval{{By: deployment.Actor{ID: 6, Login: "bob"}}}
			}),
			buttons: "Log What changes",
		},
		{
			name: "succeeded, and replaced since", title: "api → production: succeeded", buttons: "Log What changes",
			f: change(change(factsIn(deployment.Succeeded), ran), func(f *Facts) {
				f.Current = &deployment.Success{DeploymentID: 13}
			}),
		},
		{
			name: "failed", f: change(failedWith("boom"), ran), title: "api → production: failed",
			lines: `The job test failed at the step "go test".`, buttons: "rollback! again! Log What changes",
		},
		{
			name: "failed, and logs are not shown", title: "api → production: failed", buttons: "again! Log",
			f:     change(failedWith("boom"), func(f *Facts) { f.Route.Logs, f.Deployment.Reason = false, "workflow ci failed" }),
			lines: "Workflow ci failed.",
		},
		{
			name: "errored", title: "api → production: could not be run", lines: "No pipeline.", buttons: "why again! Log",
			f: change(factsIn(deployment.Errored), func(f *Facts) { f.Deployment.Reason = "no pipeline" }),
		},
		{name: "canceled", f: factsIn(deployment.Canceled), title: "api → production: canceled", buttons: "why again! Log"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := NewCard(tt.f, noon)
			if c.Title != tt.title {
				t.Errorf("got title %q, want %q", c.Title, tt.title)
			}
			if got := linesOf(c); !strings.Contains(got, tt.lines) {
				t.Errorf("got lines %q, want %q among them", got, tt.lines)
			}
			if got := verbsOf(c); got != tt.buttons {
				t.Errorf("got buttons %q, want %q", got, tt.buttons)
			}
			if strings.Contains(linesOf(c), "boom") {
				t.Error("got output of the step on the card, want it below only")
			}
			if later := NewCard(tt.f, noon.Add(time.Minute)); later.Hash() != c.Hash() {
				t.Errorf("got another card a minute later: %+v, want the same", later)
			}
		})
	}
}

func TestNewCard_Facts(t *testing.T) {
	f := factsIn(deployment.Succeeded)
	f.Deployment.Request.Asked = &deployment.Asked{
		By: deployment.Actor{ID: 5, Login: "alice"}, Via: "slack", Reason: "hot fix",
	}
	f.Before = &deployment.Success{DeploymentID: 11, SHA: strings.Repeat("b", 40)}
	f.Ahead = &Ahead{Ahead: 3, Behind: 1}
	c := NewCard(f, noon)
	sha := f.Deployment.Request.SHA
	for label, want := range map[string]string{
		"Commit":   "main @ abcdef0<https://github.com/acme/api/commit/" + sha + ">",
		"Asked by": "alice via Slack: hot fix",
		"Changes": "3 new commits, without 1 that run now<https://github.com/acme/api/compare/" +
			strings.Repeat("b", 40) + "..." + sha + "> (bbbbbbb → abcdef0)",
		"Took": "59 s, ended 2026-11-22 12:01 UTC",
	} {
		if got := factOf(c, label); got != want {
			t.Errorf("%s: got %q, want %q", label, got, want)
		}
	}
	if !strings.Contains(c.Summary, "asked for by alice") {
		t.Errorf("got summary %q, want who asked in it", c.Summary)
	}
}

// Text of strangers makes no lines, no hidden characters, and nothing that is too long.
func TestNewCard_HostileText(t *testing.T) {
	f := failedWith("x")
	f.Deployment.Request.Ref = strings.Repeat("\u202ea\n<!channel>", 100)
	f.Deployment.Request.Environment = strings.Repeat("prod\u2028", 60)
	f.Deployment.Reason = strings.Repeat("y", 5000)
	f.Deployment.Failure.Step = "\x1b[31mstep"
	c := NewCard(f, noon)
	if n := utf8.RuneCountInString(c.Title); n > maxTitle || !strings.HasSuffix(c.Title, ": failed") {
		t.Errorf("got a title of %d characters, %q, want at most %d with the state", n, c.Title, maxTitle)
	}

	texts := []string{c.Title, c.Summary, linesOf(c)}
	for _, fact := range c.Facts {
		texts = append(texts, plain(fact.Value))
	}
	for _, text := range texts {
		for line := range strings.SplitSeq(text, "\n") {
			if strings.ContainsFunc(line, deployment.IsHidden) || utf8.RuneCountInString(line) > 2*maxText {
				t.Errorf("got %q, want one short line without hidden characters", line)
			}
		}
	}
}

func TestGeneration(t *testing.T) {
	waiting := needingApproval()
	first := Generation(waiting)
	if len(first) != 12 {
		t.Errorf("got generation %q, want 12 digits", first)
	}

	for _, tt := range []struct {
		name string
		how  func(*Facts)
		same bool
	}{
		{name: "progress", how: func(f *Facts) { f.Deployment.Version++; f.Deployment.BlockedBy = "x" }, same: true},
		{name: "a place in line", how: func(f *Facts) { f.Queue = &policy.Queue{Holder: 3} }, same: true},
		{name: "commits were counted", how: func(f *Facts) { f.Ahead = &Ahead{Ahead: 1} }, same: true},
		{name: "another state", how: func(f *Facts) { f.Deployment.State = deployment.Running }},
		{name: "another commit", how: func(f *Facts) { f.Deployment.Request.SHA = strings.Repeat("9", 40) }},
		{name: "other parameters", how: func(f *Facts) { f.Deployment.Target.Definition = "d" }},
		{name: "another payload", how: func(f *Facts) { f.Deployment.Request.PayloadDigest = "p" }},
		{name: "no approval is missing", how: func(f *Facts) { f.Verdict = nil }},
		{name: "a lock to ask for", how: func(f *Facts) { f.Lock = &policy.Lock{ID: 1} }},
		{name: "it is being canceled", how: func(f *Facts) { f.Deployment.Cancel = &deployment.Cancel{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Generation(change(needingApproval(), tt.how)); (got == first) != tt.same {
				t.Errorf("got %s after %s, want the same: %v", got, first, tt.same)
			}
		})
	}
}

func TestSummaryNote(t *testing.T) {
	n := SummaryNote([]deployment.Deployment{
		{State: deployment.Succeeded}, {State: deployment.Succeeded},
		{State: deployment.Failed, Request: deployment.Request{ID: 12}},
	})
	want := "While messages could not be sent, 3 deployments ended: 2 succeeded, 1 failed. Not run to success: #12."
	if n.Summary != want {
		t.Errorf("got %q, want %q", n.Summary, want)
	}
}

// TestNewCard_Confirm checks which buttons ask before anything happens: in production all that change something ask for
// the name of the environment, elsewhere those that cannot be taken back ask for a yes.
func TestNewCard_Confirm(t *testing.T) {
	held := change(factsIn(deployment.Held), func(f *Facts) { f.Held, f.Route.HoldApprovers = []string{"a"}, "carol" })
	failed := change(factsIn(deployment.Failed), func(f *Facts) {
		f.Current = &deployment.Success{DeploymentID: 11, SHA: strings.Repeat("b", 40)}
		f.Back = f.Current
	})

	for _, production := range []bool{true, false} {
		for _, f := range []Facts{needingApproval(), held, failed} {
			f.Route.Production = production
			for _, b := range NewCard(f, noon).Buttons {
				asks := b.Verb != VerbOpen && b.Verb != VerbWhy
				if !production && (b.Verb == VerbApprove || b.Verb == VerbApproveHold) {
					asks = false
				}
				if b.Confirm != asks || (b.ConfirmWord == "production") != (asks && production) {
					t.Errorf("%s, production %v: got %+v, want that it asks: %v", b.Verb, production, b, asks)
				}
			}
		}
	}
}
