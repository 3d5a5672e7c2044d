package deployment

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var (
	intentNow     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	intentMachine = IntentMachine{CallTimeout: 15 * time.Second}
	ourMaker      = Maker{AppID: 7, Login: "seraph[bot]"}
)

func wantedIntent() Intent {
	return Intent{
		Nonce:       strings.Repeat("0a", 16),
		By:          Actor{ID: 1, Login: "alice", Token: "hubot"},
		Channel:     ChannelAPI,
		Via:         "hubot",
		Reason:      "fix",
		Repository:  Repository{ID: 9, Owner: "acme", Name: "api"},
		Environment: "production",
		Ref:         "main",
		SHA:         strings.Repeat("ab", 20),
		Task:        "deploy",
		Cause:       CauseDeploy,
		State:       IntentWanted,
		CreatedAt:   intentNow,
	}
}

func sendingIntent(t *testing.T) Intent {
	t.Helper()
	i, err := intentMachine.Send(wantedIntent(), ourMaker, intentNow)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestIntentMachine_Send(t *testing.T) {
	i := sendingIntent(t)
	if i.State != IntentSending || i.Attempts != 1 || i.Maker != ourMaker {
		t.Errorf("got %+v, want a first attempt as our App", i)
	}
	if want := intentNow.Add(SendWindow); !i.SendBefore.Equal(want) {
		t.Errorf("got send before %s, want %s", i.SendBefore, want)
	}
	if _, err := intentMachine.Send(i, ourMaker, intentNow); err == nil {
		t.Error("got no error for a second send, want one")
	}
}

func TestIntentMachine_Answer(t *testing.T) {
	for _, test := range []struct {
		name    string
		outcome CreateOutcome
		before  func(*Intent)
		want    IntentState
		due     time.Duration // after now; 0: never
		problem string
	}{
		{name: "created", outcome: CreateOutcome{Kind: CreateDone}, want: IntentUnknown, due: time.Second},
		{name: "no answer", outcome: CreateOutcome{Kind: CreateUnknown}, want: IntentUnknown, due: time.Second},
		{
			name:    "refused",
			outcome: CreateOutcome{Kind: CreateRefused, Cause: "No ref found for: x"},
			want:    IntentFailed,
			problem: "No ref found for: x",
		},
		{name: "not sent", outcome: CreateOutcome{Kind: CreateNotSent}, want: IntentWanted, due: time.Second},
		{
			name:    "rate limit",
			outcome: CreateOutcome{Kind: CreateNotSent, After: time.Minute},
			want:    IntentWanted,
			due:     time.Minute,
		},
		{
			name:    "not sent for long",
			outcome: CreateOutcome{Kind: CreateNotSent, Cause: "dial"},
			before:  func(i *Intent) { i.CreatedAt = intentNow.Add(-intentGivesUp) },
			want:    IntentFailed,
			problem: "GitHub could not be asked for 15m0s: dial",
		},
		{
			name:    "held back by our own pace for long",
			outcome: CreateOutcome{Kind: CreateNotSent, After: time.Hour, Paced: true},
			before:  func(i *Intent) { i.CreatedAt = intentNow.Add(-3 * time.Hour) },
			want:    IntentWanted,
			due:     time.Hour,
		},
		{
			name:    "not sent, after our own pace held it back for long",
			outcome: CreateOutcome{Kind: CreateNotSent, Cause: "dial"},
			before: func(i *Intent) {
				i.CreatedAt, i.HeldUntil = intentNow.Add(-3*time.Hour), intentNow.Add(-time.Minute)
			},
			want: IntentWanted,
			due:  time.Second,
		},
		{
			name:    "not sent for long after our own pace held it back",
			outcome: CreateOutcome{Kind: CreateNotSent, Cause: "dial"},
			before: func(i *Intent) {
				i.CreatedAt, i.HeldUntil = intentNow.Add(-3*time.Hour), intentNow.Add(-intentGivesUp)
			},
			want:    IntentFailed,
			problem: "GitHub could not be asked for 15m0s: dial",
		},
		{name: "nothing created", outcome: CreateOutcome{Kind: CreateNothing}, want: IntentWanted, due: 2 * time.Second},
		{
			name:    "nothing created for the third time",
			outcome: CreateOutcome{Kind: CreateNothing, Cause: "Conflict"},
			before:  func(i *Intent) { i.NotCreated = 2 },
			want:    IntentFailed,
			problem: "GitHub created no deployment, although it was asked 3 times: Conflict",
		},
		{
			name:    "not sent, and superseded meanwhile",
			outcome: CreateOutcome{Kind: CreateNotSent},
			before:  func(i *Intent) { i.Superseded = "bob rolled back" },
			want:    IntentFailed,
			problem: "bob rolled back",
		},
		{
			name:    "not sending any more",
			outcome: CreateOutcome{Kind: CreateRefused},
			before:  func(i *Intent) { i.State, i.Due = IntentCreated, time.Time{} },
			want:    IntentCreated,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := sendingIntent(t)
			if test.before != nil {
				test.before(&i)
			}

			got := intentMachine.Answer(i, test.outcome, intentNow)
			if got.State != test.want || got.Problem != test.problem {
				t.Errorf("got %s %q, want %s %q", got.State, got.Problem, test.want, test.problem)
			}
			if want := test.due; want == 0 != got.Due.IsZero() || want > 0 && !got.Due.Equal(intentNow.Add(want)) {
				t.Errorf("got due %s, want %s after %s", got.Due, want, intentNow)
			}
			if open := got.State.Open(); open == !got.EndedAt.IsZero() && test.want != IntentCreated {
				t.Errorf("got open %v and ended at %s", open, got.EndedAt)
			}
		})
	}
}

func TestIntentMachine_Absent(t *testing.T) {
	settled := SendWindow + intentMachine.CallTimeout + IntentGrace
	for _, test := range []struct {
		name     string
		after    time.Duration // since the call was decided
		attempts int
		failures int
		want     IntentState
		due      time.Duration
	}{
		{name: "at once", after: time.Second, attempts: 1, want: IntentUnknown, due: 2 * time.Second},
		{
			name:     "right before it counts",
			after:    settled - time.Second,
			attempts: 1,
			failures: 20,
			want:     IntentUnknown,
			due:      settled,
		},
		{name: "proven", after: settled, attempts: 1, want: IntentWanted, due: settled},
		{name: "proven three times", after: settled, attempts: 3, want: IntentFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := sendingIntent(t)
			i.State, i.Attempts, i.Failures = IntentUnknown, test.attempts, test.failures

			got := intentMachine.Absent(i, intentNow.Add(test.after))
			if got.State != test.want || got.Nonce != i.Nonce {
				t.Errorf("got %s, want %s with the same nonce", got.State, test.want)
			}
			if test.due > 0 && !got.Due.Equal(intentNow.Add(test.due)) {
				t.Errorf("got due %s, want %s later", got.Due, test.due)
			}
		})
	}
}

func TestIntentMachine_LookupFailed(t *testing.T) {
	i := sendingIntent(t)
	i.State = IntentUnknown
	if got := intentMachine.LookupFailed(i, "502", 0, intentNow); got.State != IntentUnknown || got.Due.IsZero() {
		t.Errorf("got %s due %s, want another look-up", got.State, got.Due)
	}
	if got := intentMachine.LookupFailed(i, "502", 0, i.SendBefore.Add(lookupGivesUp)); got.State != IntentFailed {
		t.Errorf("got %s after an hour, want failed", got.State)
	}
}

func TestIntentMachine_Supersede(t *testing.T) {
	for _, test := range []struct {
		state, want IntentState
	}{
		{state: IntentWanted, want: IntentFailed},
		{state: IntentSending, want: IntentSending},
		{state: IntentUnknown, want: IntentUnknown},
		{state: IntentCreated, want: IntentCreated},
	} {
		t.Run(string(test.state), func(t *testing.T) {
			i := wantedIntent()
			i.State = test.state
			got := intentMachine.Supersede(i, "bob rolls back", intentNow)
			if got.State != test.want {
				t.Errorf("got %s, want %s", got.State, test.want)
			}
			if marked := got.Superseded != ""; marked != test.state.Open() {
				t.Errorf("got marked %v, want %v", marked, test.state.Open())
			}
		})
	}
}

func TestIntent_Matches(t *testing.T) {
	ours := Request{
		Repository:  Repository{ID: 9, Owner: "acme", Name: "renamed"},
		Environment: "Production",
		SHA:         strings.Repeat("AB", 20),
		Ref:         strings.Repeat("ab", 20),
		Task:        "deploy",
		Creator:     Creator{ID: 5, Login: "seraph[bot]", Type: "Bot"},
		App:         App{ID: 7},
	}
	asked, err := wantedIntent().NewDeployment()
	if err != nil {
		t.Fatal(err)
	}
	ours.Payload = asked.Payload
	text, _ := json.Marshal(string(asked.Payload)) // cannot fail: it is a text

	for _, test := range []struct {
		name   string
		maker  Maker
		change func(*Request)
		want   bool
	}{
		{name: "ours", maker: ourMaker, want: true},
		{name: "an old server, which names no App", maker: ourMaker, change: func(r *Request) { r.App = App{} }, want: true},
		{name: "another App with our bot's name", maker: ourMaker, change: func(r *Request) { r.App.ID = 8 }},
		{
			name:  "somebody else",
			maker: ourMaker,
			change: func(r *Request) {
				r.App, r.Creator = App{}, Creator{ID: 6, Login: "mallory", Type: "User"}
			},
		},
		{
			name:   "our token",
			maker:  Maker{Login: "Deployer"},
			change: func(r *Request) { r.App, r.Creator = App{}, Creator{ID: 6, Login: "deployer", Type: "User"} },
			want:   true,
		},
		{
			name:   "a person, through our App",
			maker:  ourMaker,
			change: func(r *Request) { r.Creator = Creator{ID: 6, Login: "mallory", Type: "User"} },
		},
		{
			name:   "our App under a new name",
			maker:  ourMaker,
			change: func(r *Request) { r.Creator.Login = "renamed[bot]" },
			want:   true,
		},
		{
			name:   "our token, whose owner has got another login",
			maker:  Maker{ID: 6, Login: "deployer"},
			change: func(r *Request) { r.App, r.Creator = App{}, Creator{ID: 6, Login: "renamed", Type: "User"} },
			want:   true,
		},
		{
			name:   "somebody who took our old login",
			maker:  Maker{ID: 6, Login: "deployer"},
			change: func(r *Request) { r.App, r.Creator = App{}, Creator{ID: 8, Login: "deployer", Type: "User"} },
		},
		{
			name:  "another payload",
			maker: ourMaker,
			change: func(r *Request) {
				r.Payload = json.RawMessage(strings.Replace(string(r.Payload), "{", `{"host":"x",`, 1))
			},
		},
		{name: "no payload", maker: ourMaker, change: func(r *Request) { r.Payload = nil }},
		{name: "the payload as text", maker: ourMaker, change: func(r *Request) { r.Payload = text }, want: true},
		{name: "nobody asked GitHub yet", change: func(r *Request) { r.App, r.Creator = App{}, Creator{} }},
		{name: "another repository", maker: ourMaker, change: func(r *Request) { r.Repository.ID = 10 }},
		{name: "another environment", maker: ourMaker, change: func(r *Request) { r.Environment = "staging" }},
		{name: "another commit", maker: ourMaker, change: func(r *Request) { r.SHA = strings.Repeat("cd", 20) }},
		{name: "another task", maker: ourMaker, change: func(r *Request) { r.Task = "deploy:lock" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			i, r := wantedIntent(), ours
			i.Maker = test.maker
			if test.change != nil {
				test.change(&r)
			}
			if got := i.Matches(r); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestIntent_Own(t *testing.T) {
	i := wantedIntent()
	shown := Request{Ref: i.SHA, SHA: i.SHA, Creator: Creator{ID: 5, Login: "seraph[bot]", Type: "Bot"}}
	own := i.Own(shown)

	if got := own.Requester(); !got.Same(i.By) || got.Login != "alice" {
		t.Errorf("got requester %+v, want alice", got)
	}
	if got := own.CreatedBy(); got.App != "seraph" {
		t.Errorf("got creator %+v, want the App", got)
	}
	if own.Ref != "main" || own.GitHubRef() != i.SHA {
		t.Errorf("got ref %s, at GitHub %s, want main and the commit", own.Ref, own.GitHubRef())
	}
	if got := shown.Requester(); got.App != "seraph" || shown.GitHubRef() != i.SHA {
		t.Errorf("got requester %+v of a foreign deployment, want its creator", got)
	}
}

func TestIntent_NewDeployment(t *testing.T) {
	i := wantedIntent()
	i.Payload = json.RawMessage(`{"hosts":["a","b"],"big":12345678901234567890,"seraph":"mine"}`)
	n, err := i.NewDeployment()
	if err != nil {
		t.Fatal(err)
	}

	const want = `{"big":12345678901234567890,"hosts":["a","b"],` +
		`"seraph":{"nonce":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","by":{"id":1,"login":"alice"},"via":"hubot"}}`
	if string(n.Payload) != want {
		t.Errorf("got payload %s, want %s", n.Payload, want)
	}
	if n.Ref != i.SHA || n.Description != "alice via hubot: fix" {
		t.Errorf("got ref %s, description %q, want the commit and alice via hubot", n.Ref, n.Description)
	}
	if got := PayloadNonce(n.Payload); got != i.Nonce {
		t.Errorf("got nonce %q, want %q", got, i.Nonce)
	}

	i.Via = ChannelSlack
	if n, err = i.NewDeployment(); err != nil || n.Description != "alice via Slack: fix" {
		t.Errorf("got description %q, %v, want alice via Slack", n.Description, err)
	}

	i.Via, i.Reason, i.Cause = "hubot", strings.Repeat("ä", 200), CauseRollback
	n, err = i.NewDeployment()
	if err != nil {
		t.Fatal(err)
	}
	if count := utf8.RuneCountInString(n.Description); count > MaxDescription {
		t.Errorf("got a description of %d characters, want at most %d", count, MaxDescription)
	}
	if !strings.HasPrefix(n.Description, "Roll back to abababa by alice via hubot: ä") {
		t.Errorf("got description %q, want it to name the commit", n.Description)
	}
}

func TestOwnPayload(t *testing.T) {
	for _, test := range []struct {
		name, payload, want string
		reserved, ok        bool
	}{
		{name: "absent", ok: true},
		{name: "empty", payload: `{}`, ok: true},
		{name: "empty text", payload: `""`, ok: true},
		{name: "null", payload: `null`, ok: true},
		{name: "plain", payload: `{"a":1.50}`, want: `{"a":1.50}`, ok: true},
		{name: "marked", payload: `{"a":1,"seraph":{"nonce":"x"}}`, want: `{"a":1}`, reserved: true, ok: true},
		{name: "force", payload: `{"seraph_force":"now"}`, reserved: true, ok: true},
		{name: "force, escaped", payload: `{"seraph\u005fforce":"now"}`, reserved: true, ok: true},
		{name: "text with an object", payload: `"{\"a\":1}"`, want: `{"a":1}`, ok: true},
		{name: "text", payload: `"a"`},
		{name: "list", payload: `[1]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, reserved, ok := OwnPayload(json.RawMessage(test.payload))
			if string(got) != test.want || reserved != test.reserved || ok != test.ok {
				t.Errorf("got %q, %v, %v, want %q, %v, %v", got, reserved, ok, test.want, test.reserved, test.ok)
			}
		})
	}
}

func FuzzPayloadNonce(f *testing.F) {
	for _, seed := range []string{
		`{"seraph":{"nonce":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"}}`,
		`"{\"seraph\":{\"nonce\":\"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a\"}}"`,
		`{"seraph":null}`,
		`{"seraph":{"nonce":7}}`,
		`[`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if nonce := PayloadNonce(payload); nonce != "" && len(nonce) != 32 {
			t.Errorf("got nonce %q of %q", nonce, payload)
		}
		if own, _, ok := OwnPayload(payload); ok && len(own) > 0 && !json.Valid(own) {
			t.Errorf("got %q of %q, want JSON", own, payload)
		}
	})
}

// A rollback may use the writes that are kept for final reports.
func TestIntent_OnlyRollbackIsUrgent(t *testing.T) {
	for cause, want := range map[IntentCause]bool{CauseDeploy: false, CauseRollback: true} {
		n, err := Intent{Cause: cause}.NewDeployment()
		if err != nil || n.Urgent != want {
			t.Errorf("%s: got urgent %v (%v), want %v", cause, n.Urgent, err, want)
		}
	}
}
