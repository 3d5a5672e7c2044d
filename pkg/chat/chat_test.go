package chat

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

var (
	testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	alice   = command.Caller{By: deployment.Actor{ID: 1, Login: "alice", Token: "hubot"}}
	bob     = command.Caller{By: deployment.Actor{ID: 2, Login: "bob", Token: "hubot"}}
)

// world is all that a Service needs: one lock store, no deployments, and one app.
type world struct {
	Deployments
	Holds
	environments []grammar.Environment // of the app

	order   command.DeployOrder   // the last one
	back    command.RollbackOrder // the last one
	list    []deployment.Deployment
	locks   []policy.Lock
	err     error // of the next calls
	taken   int
	ended   []deployment.ChatUser // whose links were ended
	listed  string                // the user whom the routes file names
	answers map[string]deployment.Answer
	stands  *deployment.Answer // what another process has answered meanwhile
}

func newTestService() (*Service, *world) {
	w := &world{
		environments: []grammar.Environment{{Name: "staging"}, {Name: "pr-*"}},
		answers:      map[string]deployment.Answer{},
	}
	return New(Options{
		Asks:        w,
		Branches:    w,
		Deployments: w,
		Holds:       w,
		Locks:       w,
		Reader:      w,
		Routes:      w,
		Answers:     w,
		Unlink:      w.unlink,
		TaskPrefix:  "ship",
		Now:         func() time.Time { return testNow },
	}), w
}

func (w *world) Names() grammar.Names {
	return grammar.Names{Apps: []grammar.App{
		{Name: "api", Repository: "acme/api", Environments: w.environments},
	}}
}

func (w *world) AskPlaces(deployment.Request) []string { return nil }

func (w *world) Person(_, _, user string) (deployment.Actor, bool) {
	return alice.By, w.listed != "" && w.listed == user
}

func (w *world) DefaultBranch(context.Context, string, string) (string, error) { return "trunk", w.err }

func (w *world) Deploy(_ context.Context, _ command.Caller, o command.DeployOrder) (command.Ordered, error) {
	w.order = o
	return command.Ordered{}, w.err
}

func (w *world) Rollback(_ context.Context, _ command.Caller, o command.RollbackOrder) (command.Ordered, error) {
	w.back = o
	return command.Ordered{}, w.err
}

func (w *world) TakeLock(_ context.Context, c command.Caller, r command.LockRequest) (policy.Lock, error) {
	w.taken++
	return policy.Lock{
		Repository:  r.Repository,
		Environment: r.Environment,
		Owner:       c.By,
		Reason:      r.Reason,
		ExpiresAt:   r.Until,
	}, w.err
}

func (w *world) ReleaseLock(context.Context, command.Caller, int64) error { return w.err }

func (w *world) Lock(context.Context, int64) (command.LockState, error) {
	return command.LockState{}, w.err
}

func (w *world) Locks(context.Context) ([]policy.Lock, error) { return w.locks, w.err }

func (w *world) List(context.Context, deployment.Filter) ([]deployment.Deployment, error) {
	return w.list, w.err
}

func (w *world) Get(context.Context, int64) ([]deployment.Record, error) { return nil, w.err }

func (w *world) ListEnvironments(context.Context, deployment.EnvironmentFilter) (
	[]deployment.EnvironmentStatus,
	deployment.EnvironmentID,
	error,
) {
	return nil, deployment.EnvironmentID{}, w.err
}

func (w *world) Answer(_ context.Context, asker, request string) (deployment.Answer, error) {
	a, ok := w.answers[asker+" "+request]
	if !ok {
		return a, deployment.ErrNotFound
	}
	return a, nil
}

func (w *world) AddAnswer(_ context.Context, a deployment.Answer) (deployment.Answer, error) {
	if w.stands != nil {
		return *w.stands, nil
	}
	w.answers[a.Asker+" "+a.Request] = a
	return a, nil
}

func (w *world) unlink(_ context.Context, u deployment.ChatUser) error {
	w.ended = append(w.ended, u)
	return w.err
}

const lockLine = "lock api in staging because of tests"

// TestAnswer_Repeats checks that the same message is done once and gets the same answer, and that another one
// with its id is refused.
func TestAnswer_Repeats(t *testing.T) {
	s, w := newTestService()
	line := command.Line{Text: lockLine, Asker: "hubot", Request: "m1", Place: "C1"}
	if a, ok, err := s.Before(t.Context(), alice, line); ok || err != nil {
		t.Errorf("got %q, %v, %v before anything was answered, want nothing", a.Text, ok, err)
	}
	first, err := s.Answer(t.Context(), alice, line)
	if err != nil {
		t.Fatal(err)
	}
	if a, ok, err := s.Before(t.Context(), alice, line); !ok || err != nil || a.Text != first.Text {
		t.Errorf("got %q, %v, %v, want %q", a.Text, ok, err, first.Text)
	}

	again, err := s.Answer(t.Context(), alice, line)
	if err != nil || again.Text != first.Text || w.taken != 1 {
		t.Errorf("got %q, %v after %d locks, want %q after one", again.Text, err, w.taken, first.Text)
	}
	for _, stored := range w.answers {
		if stored.Digest == "" || stored.Text != first.Text {
			t.Errorf("got %+v kept, want the answer and a digest", stored)
		}
	}

	otherText, otherPlace, otherAsker := line, line, line
	otherText.Text, otherPlace.Place, otherAsker.Asker = "locks", "C2", "bot"
	for _, c := range []struct {
		name   string
		caller command.Caller
		line   command.Line
		want   bool // refused
	}{
		{name: "another text", caller: alice, line: otherText, want: true},
		{name: "another place", caller: alice, line: otherPlace, want: true},
		{name: "another person", caller: bob, line: line, want: true},
		{name: "another client", caller: alice, line: otherAsker},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Answer(t.Context(), c.caller, c.line)
			var refused *command.Error
			if got := errors.As(err, &refused) && refused.Code == "request_reused"; got != c.want {
				t.Errorf("got error %v, want refused %v", err, c.want)
			}
		})
	}
}

// TestAnswer_Orders checks what lines order, and that the key of an order belongs to the message: a message
// whose answer was lost before it was kept asks for the same deployment.
func TestAnswer_Orders(t *testing.T) {
	origin := command.Origin{Key: "message:m1", Via: "hubot-slack", Place: "C1"}
	for _, c := range []struct {
		text string
		want command.DeployOrder
		back command.RollbackOrder
	}{
		{
			text: "deploy api to staging",
			want: command.DeployOrder{Repository: "acme/api", Ref: "trunk", Environment: "staging"},
		},
		{
			text: `deploy:migrate! api@v1 to pr-7/web1 note="a b" because it is late`,
			want: command.DeployOrder{
				Repository:  "acme/api",
				Ref:         "v1",
				Environment: "pr-7",
				Task:        "ship:migrate",
				Payload:     json.RawMessage(`{"hosts":"web1","note":"a b"}`),
				Reason:      "it is late",
				Force:       true,
			},
		},
		{
			text: "rollback api in staging to #41 because of errors",
			back: command.RollbackOrder{Repository: "acme/api", Environment: "staging", To: "41", Reason: "of errors"},
		},
		{
			text: "rollback api in staging to ABCDEF0",
			back: command.RollbackOrder{Repository: "acme/api", Environment: "staging", To: "abcdef0"},
		},
	} {
		t.Run(c.text, func(t *testing.T) {
			s, w := newTestService()
			line := command.Line{Text: c.text, Asker: "hubot", Request: "m1", Place: "C1", Face: "hubot-slack"}
			a, err := s.Answer(t.Context(), alice, line)
			if err != nil || !strings.HasPrefix(a.Text, "GitHub has not confirmed yet") {
				t.Errorf("got %q, %v, want that GitHub has not confirmed it", a.Text, err)
			}

			origin.Text = c.text
			if c.want.Repository != "" {
				c.want.Origin = origin
			} else {
				c.back.Origin = origin
			}
			if d := cmp.Diff(c.want, w.order) + cmp.Diff(c.back, w.back); d != "" {
				t.Errorf("orders differ (-want +got):\n%s", d)
			}
		})
	}
}

// TestAnswer_Errors checks what is kept after an error: a refusal is, but not what may be different later.
func TestAnswer_Errors(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string // the answer; empty: an error
		kept bool
	}{
		{
			name: "refused",
			err:  &command.Error{Kind: command.KindForbidden, Message: "alice may not"},
			want: "That was not done: alice may not.",
			kept: true,
		},
		{name: "not known", err: &command.Error{Kind: command.KindUnavailable, Message: "GitHub did not answer"}},
		{name: "a fault", err: errors.New("the database is away")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, w := newTestService()
			w.err = c.err
			a, err := s.Answer(t.Context(), alice, command.Line{Text: lockLine, Asker: "hubot", Request: "m1"})
			if a.Text != c.want || (err == nil) != (c.want != "") || len(w.answers) > 0 != c.kept {
				t.Errorf("got %q, %v, kept %v, want %q, kept %v", a.Text, err, w.answers, c.want, c.kept)
			}
		})
	}
}

// TestAnswer_AnotherWasFaster checks that the answer of another process to the same message stands.
func TestAnswer_AnotherWasFaster(t *testing.T) {
	s, w := newTestService()
	line := command.Line{Text: lockLine, Asker: "hubot", Request: "m1"}
	w.stands = &deployment.Answer{Text: "theirs", Digest: digestOf(alice, line)}
	if a, err := s.Answer(t.Context(), alice, line); err != nil || a.Text != "theirs" {
		t.Errorf("got %q, %v, want theirs", a.Text, err)
	}
}

// TestAnswer_KeepsNoSecret checks that nothing is kept of a line with a token.
func TestAnswer_KeepsNoSecret(t *testing.T) {
	s, w := newTestService()
	line := command.Line{Text: "deploy-token:set:github ghp_0123456789abcdef", Asker: "hubot", Request: "m1"}
	if a, err := s.Answer(t.Context(), alice, line); err != nil || a.Text == "" || len(w.answers) > 0 {
		t.Errorf("got %q, %v, kept %v, want a warning and nothing kept", a.Text, err, w.answers)
	}
}

// TestAnswer_Deploys checks that deployments to environments of another app in the repository are left out, and
// that the list is short.
func TestAnswer_Deploys(t *testing.T) {
	s, w := newTestService()
	for id := range int64(30) {
		environment := "staging"
		if id%2 == 1 {
			environment = "elsewhere"
		}
		w.list = append(w.list, deployment.Deployment{
			Request:    deployment.Request{ID: id + 1, Environment: environment},
			AcceptedAt: testNow,
		})
	}

	a, err := s.Answer(t.Context(), alice, command.Line{Text: "deploys api", Asker: "hubot", Request: "m1"})
	if n := strings.Count(a.Text, "\n") + 1; err != nil || n != maxListed || strings.Contains(a.Text, "elsewhere") {
		t.Errorf("got %d lines, %v, want %d to staging:\n%s", n, err, maxListed, a.Text)
	}
}

// TestAppStatus checks which environments status shows: those that routes name, and those of a pattern
// where something happens, or has succeeded within a week.
func TestAppStatus(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	in := func(repository, environment string, queued int, age time.Duration) deployment.EnvironmentStatus {
		current := deployment.Deployment{Request: deployment.Request{
			ID:          1,
			Repository:  deployment.Repository{Owner: "acme", Name: repository},
			Environment: environment,
		}, EndedAt: now.Add(-age)}
		return deployment.EnvironmentStatus{Current: &current, Queued: queued}
	}
	const day = 24 * time.Hour
	found := []deployment.EnvironmentStatus{
		in("api", "Staging", 0, 30*day),
		in("api", "pr-1", 0, 7*day),
		in("api", "pr-2", 1, 30*day),
		in("web", "pr-3", 1, 30*day),
		in("api", "pr-4", 0, 7*day-time.Second),
		in("web", "live", 0, 30*day),
		in("api", "elsewhere", 1, 0),
	}
	locks := []policy.Lock{
		{ID: 1, Repository: "acme/web"},
		{ID: 2, Repository: "acme/api", Environment: "PR-2"},
		{ID: 3, Repository: "acme/api", Environment: "pr-9"},
		{ID: 4, Environment: "pr-8"},
	}
	app := grammar.App{
		Name:         "api",
		Repository:   "acme/api",
		Environments: []grammar.Environment{{Name: "staging"}, {Name: "pr-*"}, {Name: "qa"}},
	}

	for _, c := range []struct {
		name        string
		app         grammar.App
		environment string
		want        []string
	}{
		{
			name: "all",
			app:  app,
			want: []string{"api staging known", "api qa", "api pr-2 known locked 2", "api pr-4 known", "api pr-9 locked 3"},
		},
		{name: "one that is only locked", app: app, environment: "PR-9", want: []string{"api pr-9 locked 3"}},
		{name: "one", app: app, environment: "QA", want: []string{"api qa"}},
		{name: "one of a pattern", app: app, environment: "PR-1", want: []string{"api pr-1 known"}},
		{
			name: "of a pattern of repositories",
			app:  grammar.App{Repository: "acme/w*", Environments: []grammar.Environment{{Name: "pr-*"}, {Name: "live"}}},
			want: []string{"acme/web pr-3 known locked 1", "acme/web live known locked 1"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, e := range appStatus(c.app, c.environment, found, locks, now) {
				got = append(got, describe(e))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("environments differ (-want +got):\n%s", d)
			}
		})
	}
}

func describe(e phrase.Environment) string {
	text := e.App + " " + e.Name
	if e.Status != nil {
		text += " known"
	}
	if e.Lock != nil {
		text += " locked " + string(rune('0'+e.Lock.ID))
	}
	return text
}

// Only lines whose answers come from GitHub count as ones that ask it.
// The example of where to deploy is no deployment to production, unless there is nothing else: whoever tries
// it out must not break anything.
func TestWhere_Example(t *testing.T) {
	production, staging := grammar.Environment{Name: "production", Production: true}, grammar.Environment{Name: "staging"}
	for _, test := range []struct {
		name         string
		environments []grammar.Environment
		want         string
	}{
		{
			name:         "production comes first",
			environments: []grammar.Environment{production, staging, {Name: "canary"}},
			want:         `"deploy api to staging"`,
		},
		{
			name:         "production comes last",
			environments: []grammar.Environment{staging, {Name: "canary"}, production},
			want:         `"deploy api to staging"`,
		},
		{
			name:         "only production",
			environments: []grammar.Environment{production},
			want:         `"deploy api to production"`,
		},
		{
			name:         "production and a pattern",
			environments: []grammar.Environment{production, {Name: "pr-*"}},
			want:         `"deploy api to production"`,
		},
		{
			name:         "only a pattern",
			environments: []grammar.Environment{{Name: "pr-*"}},
			want:         `"deploy api to ENV"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, w := newTestService()
			w.environments = test.environments
			a, err := s.Answer(t.Context(), alice, command.Line{
				Text:    "where can I deploy api?",
				Asker:   "hubot",
				Request: "m1",
			})
			if err != nil || !strings.Contains(a.Text, "For example: "+test.want) {
				t.Errorf("got %q, %v, want the example %s", a.Text, err, test.want)
			}
		})
	}
}

func TestAsksGitHub(t *testing.T) {
	s, _ := newTestService()
	for _, verb := range grammar.Verbs() {
		line := map[grammar.Verb]string{
			grammar.Deploy:      "deploy api to staging",
			grammar.Rollback:    "rollback api in staging",
			grammar.Approve:     "approve #5",
			grammar.ApproveHold: "approve-hold #5",
			grammar.Cancel:      "cancel #5 because of tests",
			grammar.Why:         "why #5",
			grammar.Lock:        lockLine,
			grammar.Unlock:      "unlock api in staging",
		}[verb]
		want := line != ""
		if line == "" {
			line = string(verb)
		}

		if got := s.AsksGitHub(line); got != want {
			t.Errorf("%s: got %v, want %v", line, got, want)
		}
	}

	if s.AsksGitHub("make coffee") {
		t.Error("got true for a line that is no command")
	}
}

// TestAnswer_Refused checks that the caller gets the refusal itself beside the words, so that it can count it.
func TestAnswer_Refused(t *testing.T) {
	s, w := newTestService()
	refused := &command.Error{Kind: command.KindInvalid, Code: "no_such_ref", Message: "no branch"}
	w.err = refused

	got, err := s.Answer(t.Context(), alice, command.Line{Text: "deploy api@mian to staging", Asker: "hubot", Request: "m1"})
	if err != nil || !errors.Is(got.Refused, refused) {
		t.Errorf("got refusal %v and error %v, want %v", got.Refused, err, refused)
	}
}
