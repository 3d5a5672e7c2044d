package notify

import (
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// facts of a deployment in a state, accepted at noon.
func factsIn(state deployment.State) Facts {
	d := deployment.Deployment{
		Row: 7,
		Request: deployment.Request{
			ID:          12,
			Repository:  deployment.Repository{ID: 1, Owner: "acme", Name: "api"},
			Environment: "production",
			Ref:         "main",
			SHA:         "abcdef0123456789abcdef0123456789abcdef01",
			Creator:     deployment.Creator{ID: 5, Login: "alice", Type: "User"},
		},
		State:      state,
		AcceptedAt: noon,
		BlockedBy:  "deployment 11 of the same environment",
	}
	if state != deployment.Waiting {
		d.StartedAt = noon.Add(time.Second)
		d.Pipeline = &deployment.Pipeline{ID: "p", Number: 40, Slug: "gh/acme/api"}
	}
	if !state.Open() {
		d.EndedAt = noon.Add(time.Minute)
	}
	return Facts{
		Deployment: d,
		Route:      Route{App: "api", Production: true, MaxWait: 4 * time.Hour},
		Links:      Links{GitHub: "https://github.com", CircleCI: "https://app.circleci.com"},
	}
}

// needingApproval is a deployment that lacks an approval.
func needingApproval() Facts {
	f := factsIn(deployment.Waiting)
	f.Verdict = &policy.Verdict{Decision: policy.DecisionWait, Outcomes: []policy.Outcome{{
		Rule:     policy.RuleApprovals,
		Decision: policy.DecisionWait,
		Code:     policy.CodeApprovalsMissing,
		Message:  "1 approval from acme/sre",
		Who:      "acme/sre",
	}}}
	return f
}

// failedWith is a deployment that failed at a step.
func failedWith(lines ...string) Facts {
	f := factsIn(deployment.Failed)
	f.Route.Logs = true
	f.Deployment.Target.ShowLogs = true
	f.Deployment.FailureRead = true
	f.Deployment.Failure = &deployment.Failure{Job: "test", Step: "go test", Lines: lines}
	return f
}

func newCard(settings deployment.Notify) deployment.Message {
	return deployment.Message{
		ID:      1,
		Row:     7,
		Kind:    deployment.MessageCard,
		Channel: "C1",
		MessageData: deployment.MessageData{
			CreatedAt: noon,
			Secret:    "s",
			Settings:  withDefaults(settings, factsIn(deployment.Waiting).Deployment.Request, true),
		},
	}
}

// posted is a card that shows facts since a moment.
func posted(settings deployment.Notify, f Facts, at time.Time) deployment.Message {
	m := newCard(settings)
	m.Calls, m.CalledAt = 1, at
	m.Parts = []deployment.MessagePart{{
		About:     aboutCard,
		Key:       "k",
		Channel:   "C1",
		MessageID: "1",
		Posts:     1,
		First:     f.Deployment.State,
		State:     f.Deployment.State,
		Hash:      NewCard(f, at).Hash(),
	}}
	return m
}

// with changes a message for a row of a table.
func with(m deployment.Message, change func(*deployment.Message)) deployment.Message {
	change(&m)
	return m
}

func TestPlan_Card(t *testing.T) {
	all := deployment.Notify{Mention: "S1"}
	loud := deployment.Notify{Broadcast: []deployment.State{deployment.Failed, deployment.Succeeded}}
	onlyEnds := deployment.Notify{States: []deployment.State{deployment.Failed, deployment.Errored}}
	running, waiting := factsIn(deployment.Running), factsIn(deployment.Waiting)
	second := func(n float64) time.Time { return noon.Add(time.Duration(n * float64(time.Second))) }

	held := change(factsIn(deployment.Held), func(f *Facts) { f.Held, f.Route.HoldApprovers = []string{"release"}, "carol" })
	heldUnknown := change(held, func(f *Facts) { f.Held, f.HeldUnknown = nil, true })
	approversUnknown := change(needingApproval(), func(f *Facts) {
		f.Verdict = &policy.Verdict{Decision: policy.DecisionWait, Outcomes: []policy.Outcome{{
			Rule: policy.RuleApprovals, Decision: policy.DecisionWait, Code: policy.CodeUnknown, Message: "bob in acme/sre",
		}}}
	})

	changed := factsIn(deployment.Waiting)
	changed.Deployment.BlockedBy = "deployment 10 of the same environment"
	about := factsIn(deployment.Waiting)
	about.Deployment.BlockedBy = ""

	for _, tt := range []struct {
		name  string
		m     deployment.Message
		f     Facts
		now   time.Time
		do    Do
		about string
		at    time.Time
	}{
		{name: "quiet at first", m: newCard(all), f: running, now: second(1), do: DoWait, at: second(2)},
		{name: "posted after two seconds", m: newCard(all), f: running, now: second(2), do: DoPost, about: aboutCard},
		{name: "an end at once", m: newCard(all), f: factsIn(deployment.Failed), now: second(1), do: DoPost, about: aboutCard},
		{name: "a wait for people at once", m: newCard(all), f: needingApproval(), now: noon, do: DoPost, about: aboutCard},
		{name: "about to start", m: newCard(all), f: about, now: second(2), do: DoWait, at: second(10)},
		{name: "triggering is never said", m: newCard(all), f: factsIn(deployment.Triggering), now: second(9), do: DoWait},
		{name: "a state that is not listed", m: newCard(onlyEnds), f: running, now: second(9), do: DoWait},
		{name: "a listed end", m: newCard(onlyEnds), f: factsIn(deployment.Failed), now: second(9), do: DoPost, about: aboutCard},
		{name: "an end that is not listed", m: newCard(onlyEnds), f: factsIn(deployment.Canceled), now: second(9), do: DoFinish},
		{
			name: "ended long ago", m: newCard(all), f: factsIn(deployment.Succeeded), now: noon.Add(2 * time.Hour),
			do: DoSummarize,
		},
		{name: "the same again", m: posted(all, running, noon), f: running, now: second(60), do: DoWait},
		{
			name: "three seconds between edits", m: posted(all, running, second(10)), f: factsIn(deployment.Succeeded),
			now: second(12), do: DoWait, at: second(13),
		},
		{
			name: "the end", m: posted(all, running, second(10)), f: factsIn(deployment.Succeeded), now: second(13),
			do: DoEdit, about: aboutCard,
		},
		{
			name: "a new place in line", m: posted(all, waiting, second(10)), f: changed, now: second(20),
			do: DoWait, at: second(40),
		},
		{
			name: "a new place in line later", m: posted(all, waiting, second(10)), f: changed, now: second(40),
			do: DoEdit, about: aboutCard,
		},
		{
			name: "one of two has approved", now: second(20), do: DoEdit, about: aboutCard,
			m: posted(deployment.Notify{}, needingApproval(), second(10)),
			f: change(needingApproval(), func(f *Facts) {
				f.Approvals = []policy.Approval{{By: deployment.Actor{ID: 6, Login: "bob"}}}
			}),
		},
		{
			name: "a new place after many calls", now: second(90), f: changed, do: DoWait,
			m: with(posted(all, waiting, second(10)), func(m *deployment.Message) { m.Calls = maxCallsDetail }),
		},
		{
			name: "progress leaves calls for the end", now: second(90), f: factsIn(deployment.Held), do: DoWait,
			m: with(posted(all, waiting, second(10)), func(m *deployment.Message) { m.Calls = maxCallsBefore }),
		},
		{
			name: "the end has them", now: second(90), f: factsIn(deployment.Failed), do: DoEdit, about: aboutCard,
			m: with(posted(all, waiting, second(10)), func(m *deployment.Message) { m.Calls = maxCalls - 1 }),
		},
		{
			name: "never a ninth call", now: second(90), f: factsIn(deployment.Failed), do: DoGiveUp,
			m: with(posted(all, waiting, second(10)), func(m *deployment.Message) { m.Calls = maxCalls }),
		},
		{
			name: "CircleCI does not say what it holds", m: posted(all, held, second(10)), f: heldUnknown, now: second(90),
			do: DoWait, at: second(150),
		},
		{
			name: "GitHub does not say who may approve", m: posted(deployment.Notify{}, needingApproval(), second(10)),
			f: approversUnknown, now: second(90), do: DoWait, at: second(150),
		},
		{
			name: "it is held, and CircleCI does not say what", m: posted(all, running, second(10)), f: heldUnknown,
			now: second(90), do: DoEdit, about: aboutCard,
		},
		{
			name: "CircleCI says again what it holds", m: posted(all, heldUnknown, second(10)), f: held,
			now: second(90), do: DoEdit, about: aboutCard,
		},
		{
			name: "approvers are mentioned once", m: posted(all, needingApproval(), noon), f: needingApproval(),
			now: second(5), do: DoPost, about: aboutAsked,
		},
		{
			name: "nobody to mention", m: posted(loud, needingApproval(), noon), f: needingApproval(),
			now: second(5), do: DoWait,
		},
		{
			name: "and again after half of the time", f: needingApproval(), now: second(9), do: DoWait, at: noon.Add(2 * time.Hour),
			m: with(posted(all, needingApproval(), noon), func(m *deployment.Message) {
				m.Parts = append(m.Parts, deployment.MessagePart{About: aboutAsked, MessageID: "2"})
			}),
		},
		{
			name: "which has come", f: needingApproval(), now: noon.Add(2 * time.Hour), do: DoPost, about: aboutAgain,
			m: with(posted(all, needingApproval(), noon), func(m *deployment.Message) {
				m.Parts = append(m.Parts, deployment.MessagePart{About: aboutAsked, MessageID: "2"})
			}),
		},
		{
			name: "nothing was said before", m: posted(all, needingApproval(), noon), f: needingApproval(),
			now: noon.Add(3 * time.Hour), do: DoPost, about: aboutAgain,
		},
		{
			name: "and once is enough", f: needingApproval(), now: noon.Add(3 * time.Hour), do: DoWait,
			m: with(posted(all, needingApproval(), noon), func(m *deployment.Message) {
				m.Parts = append(m.Parts, deployment.MessagePart{About: aboutAgain, MessageID: "2"})
			}),
		},
		{
			name: "the first one may have been posted", f: needingApproval(), now: noon.Add(3 * time.Hour), do: DoPost,
			about: aboutAsked,
			m: with(posted(all, needingApproval(), noon), func(m *deployment.Message) {
				call := &deployment.MessageCall{Absent: 2}
				m.Parts = append(m.Parts, deployment.MessagePart{About: aboutAsked, Posts: 1, Call: call})
			}),
		},
		{
			name: "held", f: factsIn(deployment.Held), now: second(9), do: DoPost, about: aboutHeld,
			m: with(posted(all, factsIn(deployment.Held), noon), func(m *deployment.Message) {
				m.Parts[0].First = deployment.Running
			}),
		},
		{
			name: "failed, below the card", f: factsIn(deployment.Failed), now: second(90), do: DoPost, about: aboutEnded,
			m: with(posted(all, factsIn(deployment.Failed), noon), func(m *deployment.Message) {
				m.Parts[0].First = deployment.Running
			}),
		},
		{
			name: "a card that began with the failure says it", f: factsIn(deployment.Failed), now: second(90), do: DoWait,
			m: posted(all, factsIn(deployment.Failed), noon), at: noon.Add(time.Minute + tidyAfter),
		},
		{
			name: "but not the output", f: failedWith("boom"), now: second(90), do: DoPost, about: aboutEnded,
			m: posted(all, failedWith("boom"), noon),
		},
		{
			name: "success needs no reply", f: factsIn(deployment.Succeeded), now: second(90), do: DoWait,
			m: with(posted(all, factsIn(deployment.Succeeded), noon), func(m *deployment.Message) {
				m.Parts[0].First = deployment.Running
			}),
			at: noon.Add(time.Minute + tidyAfter),
		},
		{
			name: "unless the route wants it", f: factsIn(deployment.Succeeded), now: second(90), do: DoPost, about: aboutEnded,
			m: with(posted(loud, factsIn(deployment.Succeeded), noon), func(m *deployment.Message) {
				m.Parts[0].First = deployment.Running
			}),
		},
		{
			name: "deleted twice", f: factsIn(deployment.Succeeded), now: second(90), do: DoFinish,
			m: with(posted(all, running, noon), func(m *deployment.Message) { m.Parts[0].Gone = goneDeleted }),
		},
		{
			name: "lost: nothing until the end", f: running, now: second(90), do: DoWait,
			m: with(posted(all, running, noon), func(m *deployment.Message) { m.Parts[0].Gone = goneLost }),
		},
		{
			name: "lost: the end is said once", f: factsIn(deployment.Failed), now: second(90), do: DoPost, about: aboutClosing,
			m: with(posted(all, running, noon), func(m *deployment.Message) { m.Parts[0].Gone = goneLost }),
		},
		{
			name: "buttons are taken off", f: factsIn(deployment.Errored), now: noon.Add(25 * time.Hour), do: DoEdit, about: aboutCard,
			m: posted(all, factsIn(deployment.Errored), noon),
		},
		{
			name: "failures for a day", f: running, now: noon.Add(25 * time.Hour), do: DoGiveUp,
			m: with(newCard(all), func(m *deployment.Message) { m.Failures, m.FailedAt = 9, noon }),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Plan(tt.m, tt.f, tt.now)
			if got.Do != tt.do || got.About != tt.about || !got.At.Equal(tt.at) {
				t.Errorf("got %s %q at %v (%s), want %s %q at %v",
					got.Do, got.About, got.At, got.Why, tt.do, tt.about, tt.at)
			}
			if (got.Do == DoPost || got.Do == DoEdit) && (got.Card == nil) == (got.Note == nil) {
				t.Errorf("got card %v and note %v, want exactly one", got.Card, got.Note)
			}
		})
	}
}

func TestPlan_UnknownOutcome(t *testing.T) {
	running := factsIn(deployment.Running)
	call := deployment.MessageCall{At: noon, SendBefore: noon.Add(sendWithin), Deadline: noon.Add(25 * time.Second)}
	card := func(c deployment.MessageCall) deployment.Message {
		m := newCard(deployment.Notify{})
		m.Calls, m.CalledAt = 1, noon
		m.Parts = []deployment.MessagePart{{About: aboutCard, Key: "k", Posts: 1, Call: &c}}
		return m
	}
	heard, absent, refused, edit := call, call, call, call
	heard.Returned = noon.Add(time.Second)
	absent.Absent = 2
	refused.Returned, refused.Refused = noon.Add(time.Second), true
	edit.Edit = true

	twice := card(absent)
	twice.Parts[0].Posts = 2
	edited := posted(deployment.Notify{}, running, noon)
	edited.Parts[0].Call = &edit

	for _, tt := range []struct {
		name  string
		m     deployment.Message
		after time.Duration
		do    Do
		at    time.Duration
	}{
		{name: "not heard of: may still arrive", m: card(call), after: 5 * time.Second, do: DoWait, at: 30 * time.Second},
		{name: "not heard of: looked for", m: card(call), after: 30 * time.Second, do: DoFind},
		{name: "heard of: looked for sooner", m: card(heard), after: 6 * time.Second, do: DoFind},
		{name: "refused: may be shown late", m: card(refused), after: 2 * time.Second, do: DoWait, at: 11 * time.Second},
		{name: "refused: looked for once", m: card(refused), after: 11 * time.Second, do: DoFind},
		{name: "absent twice: posted again", m: card(absent), after: 2 * time.Minute, do: DoPost},
		{name: "never a third post", m: twice, after: 2 * time.Minute, do: DoGiveUp},
		{name: "an edit may still land", m: edited, after: 20 * time.Second, do: DoWait, at: 25 * time.Second},
		{name: "then the newest is sent again", m: edited, after: 25 * time.Second, do: DoEdit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var at time.Time
			if tt.at > 0 {
				at = noon.Add(tt.at)
			}
			got := Plan(tt.m, running, noon.Add(tt.after))
			if got.Do != tt.do || !got.At.Equal(at) {
				t.Errorf("got %s at %v (%s), want %s at %v", got.Do, got.At, got.Why, tt.do, at)
			}
		})
	}
}

func TestPlan_PostForEachState(t *testing.T) {
	settings := deployment.Notify{Posts: true, States: []deployment.State{deployment.Failed, deployment.Held}}
	m := newCard(settings)
	m.Kind = deployment.MessagePosts

	if got := Plan(m, factsIn(deployment.Running), noon.Add(time.Minute)); got.Do != DoWait {
		t.Errorf("running: got %s, want nothing said", got.Do)
	}
	got := Plan(m, factsIn(deployment.Held), noon.Add(time.Minute))
	if got.Do != DoPost || got.About != "held" || got.Note == nil {
		t.Errorf("held: got %+v, want a note posted", got)
	}
	if !mentions(*got.Note) {
		t.Errorf("held: got %+v, want whoever asked mentioned", got.Note)
	}

	m.Parts = []deployment.MessagePart{{About: "held", MessageID: "1"}}
	if got = Plan(m, factsIn(deployment.Held), noon.Add(time.Minute)); got.Do != DoWait {
		t.Errorf("held, and said: got %s, want nothing said", got.Do)
	}
	if got = Plan(m, failedWith("boom"), noon.Add(time.Minute)); got.Do != DoPost || len(got.Note.Output) != 1 {
		t.Errorf("failed: got %+v, want a note with the output", got)
	}
	if mentions(*got.Note) {
		t.Errorf("failed: got %+v, want nobody mentioned a second time", got.Note)
	}
}

// mentions says whether a note mentions anybody.
func mentions(n Note) bool {
	return slices.ContainsFunc(n.Lines, func(t Text) bool {
		return slices.ContainsFunc(t, func(s Span) bool { return s.Person != 0 })
	})
}

func TestWithDefaults(t *testing.T) {
	person := factsIn(deployment.Waiting).Deployment.Request
	bot := person
	bot.Creator = deployment.Creator{ID: 9, Login: "renovate[bot]", Type: "Bot"}
	for _, tt := range []struct {
		name       string
		r          deployment.Request
		production bool
		wantPosts  bool
		wantStates int
	}{
		{name: "a person", r: person, wantStates: len(shownStates)},
		{name: "an app, to production", r: bot, production: true, wantStates: len(shownStates)},
		{name: "an app, elsewhere", r: bot, wantPosts: true, wantStates: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := withDefaults(deployment.Notify{}, tt.r, tt.production)
			if got.Posts != tt.wantPosts || len(got.States) != tt.wantStates {
				t.Errorf("got %+v, want posts %v and %d states", got, tt.wantPosts, tt.wantStates)
			}
		})
	}
	if got := States([]string{"held", "ends", "failed"}); len(got) != 1+len(ends) {
		t.Errorf("got states %v, want held and each end once", got)
	}
}
