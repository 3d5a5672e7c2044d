package slack

import (
	"fmt"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
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
	bob   = notify.Span{Text: "bob", Person: 583232}
	carol = notify.Span{Text: "carol", Person: 583233} // not linked

	why    = notify.Button{Verb: notify.VerbWhy, Label: "Why?"}
	cancel = notify.Button{
		Verb:        notify.VerbCancel,
		Label:       "Cancel…",
		Danger:      true,
		Confirm:     true,
		ConfirmWord: "production",
	}
	cancelNow = notify.Button{Verb: notify.VerbCancel, Label: "Cancel", Danger: true}
	again     = notify.Button{
		Verb:        notify.VerbAgain,
		Label:       "Deploy again…",
		Confirm:     true,
		ConfirmWord: "production",
	}
	back = notify.Button{
		Verb:        notify.VerbRollback,
		Label:       "Roll back…",
		Danger:      true,
		Confirm:     true,
		ConfirmWord: "production",
	}
	confirmed = notify.Button{Verb: notify.VerbCancel, Label: "Cancel…", Danger: true, Confirm: true}

	log      = notify.Button{Verb: notify.VerbOpen, Label: "Log", URL: ci}
	pipeline = notify.Button{Verb: notify.VerbOpen, Label: "Open in CircleCI", URL: ci}
	diff     = notify.Button{
		Verb:  notify.VerbOpen,
		Label: "What changes",
		URL:   "https://github.com/acme/api/compare/9f8e7d6...1a2b3c4",
	}
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
	asked   = notify.Fact{Label: "Asked by", Value: spans(alice, say(" via Slack: the payment provider has moved"))}
	changes = notify.Fact{
		Label: "Changes",
		Value: spans(link("7 new commits", "/compare/9f8e7d6...1a2b3c4"), say(" (9f8e7d6 → 1a2b3c4)")),
	}
	askedAt = notify.Fact{Label: "Asked", Value: spans(at(13, 58))}
	started = notify.Fact{Label: "Started", Value: spans(at(14, 0))}
)

// took is how long something took.
func took(duration string, hour, minute int) notify.Fact {
	return notify.Fact{Label: "Took", Value: spans(say(duration+", ended "), at(hour, minute))}
}

// card is a card about one deployment of acme/api to production.
func card(state deployment.State, words string, facts []notify.Fact, lines []notify.Text,
	buttons ...notify.Button) notify.Card {
	return notify.Card{
		Deployment: 1042,
		Row:        77,
		Generation: generation,
		State:      state,
		Title:      "api → production: " + words,
		Summary:    "api → production: " + words + ", 1a2b3c4, asked for by alice",
		Facts:      facts,
		Lines:      lines,
		Buttons:    buttons,
	}
}

// cards are one card for each thing that a card can say, in the words of notify.NewCard.
func cards() map[string]notify.Card {
	waiting := []notify.Fact{commit, asked, changes, askedAt}
	running := []notify.Fact{commit, asked, changes, started}
	hold := notify.Button{Verb: notify.VerbApproveHold, Label: "Approve", Job: "approve-eu", Primary: true}
	holdEU, holdUS := hold, hold
	holdEU.Label, holdUS.Label, holdUS.Job = "Approve approve-eu", "Approve approve-us", "approve-us"

	return map[string]notify.Card{
		"waiting-approvals": card(deployment.Waiting, "waits for approval", waiting, []notify.Text{
			notify.Plain(`It waits for 2 approvals, and has 1. To approve it, one of carol, acme/leads says ` +
				`"approve #1042".`),
			spans(say("Approved by "), bob, say(".")),
		}, notify.Button{Verb: notify.VerbApprove, Label: "Approve", Primary: true}, why, cancelNow, diff),

		"waiting-lock": card(deployment.Waiting, "waits for a lock", waiting, []notify.Text{
			spans(say("acme/api production is locked by "), bob, say(" since "), at(9, 30),
				say(": moving the database. The lock can be released by bob and admins.")),
			notify.Plain("It is next, behind #1039, which is running."),
		}, why, notify.Button{Verb: notify.VerbAskForLock, Label: "Ask for the lock"}, cancelNow, diff),

		"waiting-line": card(deployment.Waiting, "waits in line", waiting, []notify.Text{
			notify.Plain("It is third in line, behind #1041."),
		}, why, cancelNow, diff),

		"triggering": card(deployment.Triggering, "starting", running, nil, cancel, diff),

		"unconfirmed": card(deployment.Unconfirmed, "starting, not confirmed yet", running, []notify.Text{
			notify.Plain("Seraph is checking whether CircleCI has started it."),
		}, cancel, diff),

		"running": card(deployment.Running, "running", running, []notify.Text{
			notify.Plain("It runs as pipeline 412."),
		}, cancel, log, diff),

		"held": card(deployment.Held, "held, waits for an approval in CircleCI", running, []notify.Text{
			notify.Plain("The job approve-eu waits for an approval. Those who may: carol, acme/leads."),
		}, hold, cancel, pipeline, diff),

		"two-holds": card(deployment.Held, "held, waits for an approval in CircleCI", running, []notify.Text{
			notify.Plain("The jobs approve-eu and approve-us wait for approvals. Those who may: carol, acme/leads."),
		}, holdEU, holdUS, cancel, pipeline, diff),

		"succeeded": card(deployment.Succeeded, "succeeded", []notify.Fact{
			commit, asked, changes, took("3 minutes", 14, 3),
		}, nil, back, log, diff),

		"failed": card(deployment.Failed, "failed", []notify.Fact{
			commit, asked, changes, took("2 minutes", 14, 2),
		}, []notify.Text{
			notify.Plain("Workflow deploy failed."),
			notify.Plain("The step Migrate the database of the job migrate failed with exit code 1."),
		}, back, again, log, diff),

		"errored": card(deployment.Errored, "could not be run", []notify.Fact{
			commit, asked, changes, {Label: "Ended", Value: spans(at(14, 0))},
		}, []notify.Text{
			notify.Plain("CircleCI refused the parameter region."),
		}, why, again, diff),

		"rejected": card(deployment.Rejected, "rejected", []notify.Fact{
			commit, asked, changes, {Label: "Ended", Value: spans(at(13, 58))},
		}, []notify.Text{
			notify.Plain("Alice may not deploy to production. Those who may: acme/leads."),
		}, why, again, diff),

		"canceled": card(deployment.Canceled, "canceled", []notify.Fact{
			commit, asked, changes, {Label: "Ended", Value: spans(at(14, 1))},
		}, []notify.Text{
			notify.Plain("Canceled by bob."),
		}, why, again, diff),

		"hostile": hostileCard(strings.Join(hostile, " ")),
	}
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
				notify.Plain("The step Migrate the database of the job migrate failed with exit code 1."),
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
				Key:        "k7Qm2",
				Word:       "production",
				Channel:    "C0DEPLOYS1",
				Message:    "1764338520.000100",
				SHA:        "9f8e7d6c",
			},
			Options: options,
			About:   "Roll api in production back to what ran before",
			Facts: []notify.Fact{
				{Label: "Now", Value: spans(link("1a2b3c4", "/commit/1a2b3c4d"), say(" Retry the payment call"))},
				{Label: "Then", Value: spans(link("9f8e7d6", "/commit/9f8e7d6c"), say(" Bump the client"))},
			},
			Lines:       []notify.Text{spans(link("7 commits", "/compare/1a2b3c4...9f8e7d6"), say(" are taken back."))},
			AskReason:   true,
			NeedsReason: true,
		}),
		"again": ConfirmModal(ConfirmInput{
			Confirmed: Confirmed{
				Verb:       notify.VerbAgain,
				Row:        77,
				Generation: generation,
				Key:        "k7Qm3",
				Word:       "production",
			},
			Options: options,
			About:   "Deploy api to production again",
			Facts:   []notify.Fact{commit, changes},
			Commits: []notify.Text{
				spans(code("1a2b3c4"), say(" Retry the payment call · alice")),
				spans(code("5e6f7a8"), say(" Add a region to orders · bob")),
				spans(code("0c1d2e3"), say(" Bump the client · renovate[bot]")),
			},
			More:      4,
			AskReason: true,
		}),
		"text": TextModal("Not offered any more", []notify.Text{
			notify.Plain("The deployment has gone on since you opened this: it is running now."),
		}, options),
		"loading": LoadingModal(notify.VerbRollback),
	}
}

// homes are the home tab of different people.
func homes() map[string]View {
	runs := func(sha string) notify.Text {
		return spans(link(sha, "/commit/"+sha), say(" since "), at(11, 20), say(" by alice"))
	}
	in := HomeInput{
		Login:   "alice",
		Now:     now,
		Options: options,
		Waits: []HomeItem{{
			Row:        81,
			Generation: generation,
			State:      deployment.Waiting,
			Title:      "web → production: waits for approval",
			Detail:     spans(code("main"), say(" at "), link("77aa88b", "/commit/77aa88b"), say(", asked for by "), bob),
			Buttons:    []notify.Button{{Verb: notify.VerbApprove, Label: "Approve", Primary: true}, why},
		}},
		Asked: []HomeItem{{
			Row:        77,
			Generation: generation,
			State:      deployment.Running,
			Title:      "api → production: running",
			Detail:     spans(code("main"), say(" at "), link("1a2b3c4", "/commit/1a2b3c4d"), say(" since "), at(14, 0)),
			Buttons:    []notify.Button{confirmed, log},
		}, {
			Row:        70,
			Generation: generation,
			State:      deployment.Failed,
			Title:      "api → staging: failed",
			Detail:     spans(code("topic/regions"), say(" at "), link("5e6f7a8", "/commit/5e6f7a8"), say(", "), at(10, 12)),
		}},
		Locks: []HomeLock{{
			Environment: "billing in production",
			Detail:      spans(say("since "), at(9, 30), say(", until "), at(17, 0), say(": end of the quarter")),
		}},
		Matrix: []HomeApp{
			{Name: "api", Environments: []HomeEnvironment{
				{Name: "production", Runs: runs("9f8e7d6"), Also: spans(say("deploying "), link("1a2b3c4", "/commit/1a2b3c4d"))},
				{Name: "staging", Runs: runs("1a2b3c4")},
			}},
			{Name: "billing", Environments: []HomeEnvironment{
				{Name: "production", Runs: runs("c0ffee1"), Also: spans(say("🔒 locked by alice"))},
				{Name: "preview"},
			}},
		},
	}

	crowded := in
	crowded.Waits = nil
	for i := range 12 {
		item := in.Waits[0]
		item.Row = int64(200 + i)
		crowded.Waits = append(crowded.Waits, item)
	}
	crowded.Matrix = nil
	for i := range 60 {
		crowded.Matrix = append(crowded.Matrix, HomeApp{Name: fmt.Sprintf("app-%d", i), Environments: in.Matrix[0].Environments})
	}
	crowded.MoreAsked = 3

	return map[string]View{
		"alice":   HomeView(in),
		"crowded": HomeView(crowded),
		"empty":   HomeView(HomeInput{Login: "carol", Now: now, Options: options}),
		"unlinked": HomeView(HomeInput{Options: options, Lines: []notify.Text{
			spans(say("Seraph does not know who you are at GitHub yet. Type "), code("/seraph link"), say(" to connect your account.")),
		}}),
	}
}
