package slack

import (
	"fmt"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// The samples are what the golden files, the judge of types and the pictures in the documents show.

const generation = "3f9a1c27be04"

var (
	now     = time.Date(2026, 11, 28, 14, 2, 0, 0, time.UTC)
	options = RenderOptions{
		Hosts: []string{"github.com", "app.circleci.com", "seraph.acme.example"},
		Mention: func(id int64) string {
			return map[int64]string{583231: "U0ALICE01", 583232: "U0BOB0001"}[id]
		},
	}

	alice = notify.Span{Text: "alice", Person: 583231}
	why   = notify.Button{Verb: notify.VerbWhy, Label: "Why?"}
)

const ci = "https://app.circleci.com/pipelines/github/acme/api/412"

func at(hour, minute int) notify.Span {
	return notify.Span{Time: time.Date(2026, 11, 28, hour, minute, 0, 0, time.UTC)}
}

func spans(list ...notify.Span) notify.Text { return list }

func say(s string) notify.Span { return notify.Span{Text: s} }

func code(s string) notify.Span { return notify.Span{Text: s, Code: true} }

func link(s, path string) notify.Span {
	return notify.Span{Text: s, URL: "https://github.com/acme/api" + path}
}

var (
	commit = notify.Fact{
		Label: "Commit",
		Value: spans(code("main"), say(" @ "), link("1a2b3c4", "/commit/1a2b3c4d")),
	}
	changes = notify.Fact{
		Label: "Changes",
		Value: spans(link("7 new commits", "/compare/9f8e7d6...1a2b3c4"), say(" (9f8e7d6 → 1a2b3c4)")),
	}
)

// facts are those of a deployment of acme/api to production that alice has asked for.
func facts(state deployment.State) notify.Facts {
	const sha, before = "1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b", "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c"
	d := deployment.Deployment{
		Row:        77,
		State:      state,
		AcceptedAt: at(13, 58).Time,
		Request: deployment.Request{
			ID:          1042,
			Repository:  deployment.Repository{ID: 1, Owner: "acme", Name: "api"},
			Environment: "production",
			Ref:         "main",
			SHA:         sha,
			Asked: &deployment.Asked{
				By:     deployment.Actor{ID: 583231, Login: "alice"},
				Via:    "slack",
				Reason: "the payment provider has moved",
			},
		},
	}

	switch state {
	case deployment.Running, deployment.Held, deployment.Succeeded, deployment.Failed:
		d.Pipeline = &deployment.Pipeline{ID: "p", Number: 412, Slug: "github/acme/api"}
		d.StartedAt = at(14, 0).Time
	}
	if !state.Open() {
		d.EndedAt = at(14, 2).Time
	}

	return notify.Facts{
		Deployment: d,
		Before:     &deployment.Success{DeploymentID: 1031, SHA: before},
		Back:       &deployment.Success{DeploymentID: 1031, SHA: before},
		Current:    &deployment.Success{DeploymentID: 1031, SHA: before},
		Ahead:      &notify.Ahead{Ahead: 7},
		Route:      notify.Route{App: "api", Production: true, Logs: true, HoldApprovers: "carol, acme/leads"},
		Links:      notify.Links{GitHub: "https://github.com", CircleCI: "https://app.circleci.com"},
	}
}

// waits are the facts of a deployment for which a rule says to wait.
func waits(o policy.Outcome) notify.Facts {
	f := facts(deployment.Waiting)
	o.Decision = policy.DecisionWait
	f.Verdict = &policy.Verdict{Decision: policy.DecisionWait, Outcomes: []policy.Outcome{o}}
	return f
}

// because are the facts of a deployment that has ended for a reason.
func because(state deployment.State, reason string) notify.Facts {
	f := facts(state)
	f.Deployment.Reason = reason
	return f
}

// cards are one card for each thing that a card can say.
func cards() map[string]notify.Card {
	bob := deployment.Actor{ID: 583232, Login: "bob"}

	approvals := waits(policy.Outcome{
		Rule: "approvals", Code: policy.CodeApprovalsMissing, Message: "1 more approval (1 of 2 given) from acme/leads", Who: "acme/leads",
	})
	approvals.Approvals = []policy.Approval{{By: bob}}

	lock := waits(policy.Outcome{Code: policy.CodeLocked, Message: "bob's lock", Who: "bob, or an admin"})
	lock.Lock = &policy.Lock{
		Repository: "acme/api", Environment: "production", Owner: bob, Reason: "moving the database", TakenAt: at(9, 30).Time,
	}

	line := waits(policy.Outcome{Code: policy.CodeInLine, Message: "#1041"})
	line.Queue = &policy.Queue{Holder: 1039, HolderState: deployment.Running, Before: []int64{1041}}

	held, twoHeld := facts(deployment.Held), facts(deployment.Held)
	held.Held, twoHeld.Held = []string{"approve-eu"}, []string{"approve-eu", "approve-us"}

	succeeded := facts(deployment.Succeeded)
	succeeded.Current = &deployment.Success{DeploymentID: 1042, SHA: succeeded.Deployment.Request.SHA}

	failed := because(deployment.Failed, "workflow deploy failed")
	failed.Deployment.Failure = &deployment.Failure{Workflow: "deploy", Job: "migrate", Step: "Migrate the database"}

	rejected := because(deployment.Rejected, "alice is not allowed to deploy to production")
	rejected.Verdict = &policy.Verdict{Decision: policy.DecisionReject, Outcomes: []policy.Outcome{{
		Rule: "allow", Decision: policy.DecisionReject, Code: policy.CodeNotAllowed, Who: "acme/leads",
	}}}

	out := map[string]notify.Card{"hostile": hostileCard(strings.Join(hostile, " "))}
	for name, f := range map[string]notify.Facts{
		"waiting-approvals": approvals,
		"waiting-lock":      lock,
		"waiting-line":      line,
		"triggering":        facts(deployment.Triggering),
		"unconfirmed":       facts(deployment.Unconfirmed),
		"running":           facts(deployment.Running),
		"held":              held,
		"two-holds":         twoHeld,
		"succeeded":         succeeded,
		"failed":            failed,
		"errored":           because(deployment.Errored, `CircleCI refused the pipeline: unexpected argument "region"`),
		"rejected":          rejected,
		"canceled":          because(deployment.Canceled, "Canceled by bob"),
	} {
		out[name] = notify.NewCard(f, now)
	}
	out["list"] = notify.NewListCard(released())
	return out
}

// released are the deployments of one release of several services.
func released() (all []notify.Facts) {
	for i, s := range []struct {
		app   string
		state deployment.State
	}{
		{app: "api", state: deployment.Succeeded},
		{app: "billing", state: deployment.Succeeded},
		{app: "mail", state: deployment.Failed},
		{app: "search", state: deployment.Succeeded},
		{app: "web", state: deployment.Running},
		{app: "worker", state: deployment.Waiting},
	} {
		f := facts(s.state)
		f.Deployment.Row += int64(i)
		f.Deployment.Request.ID += int64(i)
		f.Route.App = s.app
		all = append(all, f)
	}
	return all
}

// hostile are texts with which somebody might try to mention people, to forge links, or to change what others read.
var hostile = []string{
	"<!channel>", "<!here|here>", "<@U0BOB0001>", "<!subteam^S1>", "<https://evil.example|https://github.com/acme>",
	"*ok*", "_ok_ ~gone~", "`code` ```fence```", "&lt;!channel&gt;", "a\u202egnp.exe", "two\nlines\r\nand\x1b[31mred",
	"zero\u200bwidth", ":rotating_light:", "\xff\xfe", strings.Repeat("é", 255), "]]>\"'",
}

// hostileCard has the same text wherever a stranger's can be.
func hostileCard(s string) notify.Card {
	all := spans(
		say(s), code(s), notify.Span{Text: s, URL: s}, notify.Span{Text: s, URL: "https://evil.example/" + s},
		notify.Span{Text: s, Person: 1}, notify.Span{Text: s, Time: now},
	)
	return notify.Card{
		Deployment: 1,
		Row:        1,
		Generation: generation,
		State:      deployment.Waiting,
		Title:      s,
		Summary:    s,
		Facts:      []notify.Fact{{Label: s, Value: all}, {Label: s, Value: spans(say(s))}},
		Lines:      []notify.Text{all, spans(code(s))},
		Buttons: []notify.Button{
			{Verb: notify.VerbApproveHold, Label: s, Job: s, Primary: true, Confirm: true},
			{Verb: notify.VerbOpen, Label: s, URL: "https://evil.example/"},
			{Verb: notify.VerbCancel, Label: s, Danger: true, Confirm: true, ConfirmWord: s},
		},
	}
}

// notes are the kinds of notes.
func notes() map[string]notify.Note {
	return map[string]notify.Note{
		"failed-output": {
			Summary: "api → production failed: Migrate the database",
			Lines: []notify.Text{
				notify.Plain("#1042: It failed after 2 minutes: workflow deploy failed."),
				notify.Plain(`The job migrate failed at the step "Migrate the database".`),
				spans(notify.Span{Text: "Open it in CircleCI", URL: ci}),
			},
			Output: []string{
				"applying 0042_add_region.sql",
				"ERROR: column \"region\" of relation \"orders\" already exists",
				"  at statement 3: ALTER TABLE orders ADD COLUMN region <text>",
				"exit status 1",
			},
		},
		"approvals-mention": {
			Summary: "api → production waits for 2 approvals",
			Lines:   []notify.Text{spans(say("api → production waits for 2 approvals. It was asked for by "), alice, say("."))},
			Mention: "S0ONCALL1",
		},
		"lock-direct": {
			Summary: "alice waits for your lock of api in production",
			Lines: []notify.Text{
				spans(alice, say(" wants to deploy "), code("main"), say(" at "), link("1a2b3c4", "/commit/1a2b3c4d"),
					say(" to production, which you have locked since "), at(9, 30), say(".")),
				spans(say("Type "), code("unlock api in production"), say(" when you are done with it.")),
			},
			Buttons:    []notify.Button{why},
			Row:        77,
			Generation: generation,
		},
	}
}

// modals are the modals.
func modals() map[string]View {
	return map[string]View{
		"rollback": ConfirmModal(ConfirmInput{
			Confirmed: Confirmed{
				Verb:       notify.VerbRollback,
				Row:        77,
				Generation: generation,
				RequestKey: "k7Qm2",
				Word:       "production",
				Channel:    "C0DEPLOYS1",
				Message:    "1764338520.000100",
				SHA:        "9f8e7d6c",
			},
			Options: options,
			About:   "You are about to roll production of acme/api back.",
			Facts: []notify.Fact{
				{Label: "From", Value: commit.Value},
				{Label: "Back to", Value: spans(code("9f8e7d6 (#1031)"))},
			},
			AskReason: true,
		}),
		"again": ConfirmModal(ConfirmInput{
			Confirmed: Confirmed{
				Verb:       notify.VerbAgain,
				Row:        77,
				Generation: generation,
				RequestKey: "k7Qm3",
				Word:       "production",
			},
			Options: options,
			About:   "You are about to deploy acme/api@main at 1a2b3c4 to production again.",
			Facts:   []notify.Fact{commit, changes},
			Commits: []notify.Text{
				spans(code("1a2b3c4"), say(" Retry the payment call · alice")),
				spans(code("5e6f7a8"), say(" Add a region to orders · bob")),
				spans(code("0c1d2e3"), say(" Bump the client · renovate[bot]")),
			},
			More:        4,
			AskReason:   true,
			NeedsReason: true,
		}),
		"text": TextModal("Not offered any more", []notify.Text{
			notify.Plain("The deployment has gone on since you opened this: it is running now."),
		}, options),
		"loading": LoadingModal(notify.VerbRollback),
	}
}

// homeItem is a deployment in a list of the home tab, as package slackapp makes it of the card.
func homeItem(f notify.Facts) HomeItem {
	card := notify.NewCard(f, now)
	item := HomeItem{
		Row:        card.Row,
		Generation: card.Generation,
		State:      card.State,
		Title:      card.Title,
		Detail:     card.Facts[0].Value,
		Buttons:    card.Buttons,
	}
	if len(card.Lines) > 0 {
		item.Detail = append(append(item.Detail, say(" · ")), card.Lines[0]...)
	}
	return item
}

// homes are the home tab of different people.
func homes() map[string]View {
	waiting := waits(policy.Outcome{
		Rule: "approvals", Code: policy.CodeApprovalsMissing, Message: "1 more approval (0 of 1 given) from acme/leads", Who: "acme/leads",
	})
	waiting.Route.App, waiting.Route.HoldApprovers = "web", ""
	waiting.Deployment.Row, waiting.Deployment.Request.ID = 81, 1044
	waiting.Deployment.Request.Repository.Name = "web"
	waiting.Deployment.Request.SHA = "77aa88b" + strings.Repeat("0", 33)
	waiting.Deployment.Request.Asked = &deployment.Asked{By: deployment.Actor{ID: 583232, Login: "bob"}, Via: "slack"}

	failed := because(deployment.Failed, "workflow deploy failed")
	failed.Route.Production = false
	failed.Deployment.Row, failed.Deployment.Request.ID = 70, 1036
	failed.Deployment.Request.Environment, failed.Deployment.Request.Ref = "staging", "topic/regions"
	failed.Deployment.Request.SHA = "5e6f7a8" + strings.Repeat("0", 33)

	runs := func(sha string) notify.Text { return spans(code(sha), say(" since "), at(11, 20)) }
	in := HomeInput{
		Login:   "alice",
		Now:     now,
		Options: options,
		Waits:   []HomeItem{homeItem(waiting)},
		Asked:   []HomeItem{homeItem(facts(deployment.Running)), homeItem(failed)},
		Locks: []HomeLock{{
			Environment: "acme/billing in production",
			Detail:      spans(say("since "), at(9, 30), say(", until "), at(17, 0), say(": end of the quarter")),
		}},
		Matrix: []HomeApp{
			{Name: "api", Environments: []HomeEnvironment{
				{Name: "production", Runs: runs("9f8e7d6"), Also: notify.Plain(
					"#1042 (acme/api@main at 1a2b3c4 to production, asked for by alice) is running as pipeline 412, for 2 min now.")},
				{Name: "staging", Runs: runs("1a2b3c4")},
			}},
			{Name: "billing", Environments: []HomeEnvironment{
				{Name: "production", Runs: runs("c0ffee1"), Also: spans(say("locked by "), alice)},
				{Name: "preview"},
			}},
		},
	}

	full := in
	full.Waits = nil
	for i := range 12 {
		item := in.Waits[0]
		item.Row = int64(200 + i)
		full.Waits = append(full.Waits, item)
	}
	full.Matrix = nil
	for i := range 60 {
		full.Matrix = append(full.Matrix, HomeApp{Name: fmt.Sprintf("app-%d", i), Environments: in.Matrix[0].Environments})
	}
	full.MoreAsked = 3

	return map[string]View{
		"alice":   HomeView(in),
		"crowded": HomeView(full),
		"empty":   HomeView(HomeInput{Login: "carol", Now: now, Options: options}),
		"unlinked": HomeView(HomeInput{Options: options, Lines: []notify.Text{
			spans(say("Seraph does not know who you are at GitHub yet. Type "), code("/seraph link"), say(" to connect your account.")),
		}}),
	}
}
