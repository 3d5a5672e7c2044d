package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/recovery"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// knownGitHub shows the statuses that it is made of.
type knownGitHub struct {
	GitHub
	statuses []deployment.Status
}

func (g knownGitHub) Statuses(context.Context, deployment.Request) ([]deployment.Status, error) {
	return g.statuses, nil
}

// everyRoute admits every request, with the key "k".
type everyRoute struct{}

func (everyRoute) Admit(deployment.Request, string) deployment.Admission {
	return deployment.Admission{
		Target: deployment.Target{Project: "gh/acme/api", Key: "k", Ref: deployment.ParseRef("main")},
	}
}

func (knownGitHub) Login(context.Context) (string, error) { return "seraph", nil }

// What a restored backup has forgotten is taken in again where only we have spoken of it, and not
// to its end; it does not run.
func TestForgotten(t *testing.T) {
	word := func(state deployment.GitHubState, by string) deployment.Status {
		return deployment.Status{ID: 1, State: state, Description: "?", CreatorLogin: by}
	}
	for name, c := range map[string]struct {
		statuses []deployment.Status
		taken    bool
	}{
		"nobody spoke of it":    {nil, true},
		"we did":                {[]deployment.Status{word("queued", "seraph")}, true},
		"we told its end":       {[]deployment.Status{word("queued", "seraph"), word("success", "seraph")}, false},
		"somebody else did":     {[]deployment.Status{word("in_progress", "github-actions[bot]")}, false},
		"somebody else did too": {[]deployment.Status{word("queued", "seraph"), word("in_progress", "bob")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.GitHub = knownGitHub{statuses: c.statuses}
			if err := s.db.SaveProject(t.Context(), "gh/acme/api", deployment.Project{
				ID:   "uuid",
				Slug: "gh/acme/api",
			}); err != nil {
				t.Fatal(err)
			}

			s.Intake = &intake.Intake{Routes: everyRoute{}, Machine: s.Machine, Store: s.db}
			s.running(t, 4)
			req := deployment.Request{
				ID:          5,
				Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
				Environment: "production",
				SHA:         "abc",
				CreatedAt:   s.clock().Add(-time.Second),
			}

			if err := s.takeIn(t.Context(), req); err != nil {
				t.Fatal(err)
			}

			d, err := s.db.ByKey(t.Context(), "k")
			if taken := err == nil; taken != c.taken {
				t.Fatalf("taken in: %v, want %v", taken, c.taken)
			}
			if len(c.statuses) == 0 || !c.taken {
				return
			}

			s.advance(t.Context(), d.Row)
			if d, err = s.db.ByKey(t.Context(), "k"); err != nil || d.State != deployment.Errored {
				t.Errorf("%s, %v: it must not run, nor wait in line to be told", d.State, err)
			}
		})
	}
}

// listingGitHub lists nothing, fails for those repositories that are broken, and keeps since when
// each was listed.
type listingGitHub struct {
	GitHub
	broken map[string]bool
	since  map[string]time.Time
}

func (g listingGitHub) ResolveRepository(_ context.Context, owner, name string) (deployment.Source, error) {
	return deployment.Source{Repository: deployment.Repository{ID: 1, Owner: owner, Name: name}}, nil
}

func (listingGitHub) Deliveries(
	ctx context.Context,
	_ webhook.Hook,
	_ string,
) ([]webhook.HookDelivery, string, error) {
	return nil, "", ctx.Err()
}

func (g listingGitHub) Deployments(
	_ context.Context,
	of deployment.Source,
	since time.Time,
	_ int,
) ([]deployment.Request, error) {
	g.since[of.Repository.Name] = since
	if g.broken[of.Repository.Name] {
		return nil, errors.New("502")
	}
	return nil, nil
}

// stopsAtLease stops the engine as soon as a duty is taken.
type stopsAtLease struct {
	Store
	stop func()
}

func (s stopsAtLease) AcquireLease(
	ctx context.Context,
	name string,
	hold time.Duration,
) (note string, mine bool, err error) {
	defer s.stop()
	return s.Store.AcquireLease(ctx, name, hold)
}

// A stop in the middle of a duty gives it back: another replica need not wait until it runs out.
func TestAStopGivesDutiesBack(t *testing.T) {
	for duty, do := range map[string]func(*stage, context.Context){
		recoverLease:    func(s *stage, ctx context.Context) { s.recoverDeployments(ctx) },
		"redeliver app": func(s *stage, ctx context.Context) { _ = s.redeliverFrom(ctx, "app", new(int)) },
		pruneLease:      func(s *stage, ctx context.Context) { s.prune(ctx) },
	} {
		t.Run(duty, func(t *testing.T) {
			s := newStage(t)
			ctx, stop := context.WithCancel(t.Context())
			s.Retention, s.GitHub, s.Store = time.Hour, listingGitHub{
				since: map[string]time.Time{},
			}, stopsAtLease{s.db, stop}
			do(s, ctx)
			if note, mine, err := s.db.AcquireLease(t.Context(), duty, leaseHold); !mine || err != nil {
				t.Errorf("it is held still: %q, %v", note, err)
			}
		})
	}
}

// What no listing has reached stays to be listed, whoever does the next round: a repository that
// failed, or whose turn has not come.
func TestRecoveryCoversOnlyWhatItListed(t *testing.T) {
	const down = 3 * time.Hour
	for name, c := range map[string]struct {
		note         time.Duration // how old the note is
		repositories int
		broken       string
		restart      bool
		asked        string // in the second round, or in those after it
		want         time.Duration
	}{
		"it failed":                        {down, 2, "r0", false, "r0", down + recoverEvery},
		"it failed, and a restart":         {down, 2, "r0", true, "r0", down + recoverEvery},
		"the other one was listed":         {down, 2, "r0", false, "r1", time.Hour},
		"its turn had not come":            {down, recoverRepositories + 1, "", false, fmt.Sprint("r", recoverRepositories), down + recoverEvery},
		"all were listed, and a restart":   {down, 2, "", true, "r0", time.Hour},
		"it failed for longer than 3 days": {100 * time.Hour, 2, "r0", true, "r0", recovery.RedeliveryWindow},
		"a note from the future":           {-down, 2, "r0", true, "r0", time.Hour + recoverEvery},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.now = s.now.Truncate(time.Second)
			gh := listingGitHub{broken: map[string]bool{c.broken: true}, since: map[string]time.Time{}}
			s.GitHub = gh
			for i := range c.repositories {
				s.Watched = append(s.Watched, deployment.Repository{Owner: "acme", Name: fmt.Sprint("r", i)})
			}

			s.note(t, s.now.Add(-c.note).UTC().Format(time.RFC3339))
			s.recoverDeployments(t.Context())
			clear(gh.broken)
			clear(gh.since)
			s.now = s.now.Add(recoverEvery)
			if c.restart {
				s.Engine = New(s.Options)
			}

			s.recoverNext = max(0, c.repositories-recoverTurn) // the turn that holds the last one
			s.recoverDeployments(t.Context())
			if got := s.now.Sub(gh.since[c.asked]); got != c.want {
				t.Errorf("listed %v back, want %v", got, c.want)
			}
		})
	}
}

// A repository that never answers does not make the others be listed ever further back, and the
// note never goes on without it.
func TestRecoveryNote(t *testing.T) {
	s := newStage(t)
	s.now = s.now.Truncate(time.Second)
	began := s.now
	gh := listingGitHub{broken: map[string]bool{"r0": true}, since: map[string]time.Time{}}
	s.GitHub, s.Watched = gh, []deployment.Repository{{Owner: "acme", Name: "r0"}, {Owner: "acme", Name: "r1"}}
	for range 12 {
		s.recoverDeployments(t.Context())
		s.now = s.now.Add(recoverEvery)
	}

	s.wantNote(t, began.Add(-s.Machine.MaxAge))
	if got := s.now.Add(-recoverEvery).Sub(gh.since["r1"]); got != s.Machine.MaxAge {
		t.Errorf("the other one was listed %v back", got)
	}

	clear(gh.broken)
	s.recoverDeployments(t.Context())
	s.wantNote(t, s.now)
}

// note leaves a note as the process before this one did.
func (s *stage) note(t *testing.T, text string) {
	t.Helper()
	_, mine, err := s.db.AcquireLease(t.Context(), recoverLease, leaseHold)
	if err == nil && mine {
		err = s.db.ReleaseLease(t.Context(), recoverLease, text)
	}
	if err != nil || !mine {
		t.Fatalf("mine: %v, %v", mine, err)
	}
}

func (s *stage) wantNote(t *testing.T, want time.Time) {
	t.Helper()
	note, _, err := s.db.AcquireLease(t.Context(), recoverLease, leaseHold)
	if err == nil {
		err = s.db.ReleaseLease(t.Context(), recoverLease, note)
	}
	if text := want.UTC().Format(time.RFC3339); err != nil || note != text {
		t.Errorf("the note is %q, %v; want %q", note, err, text)
	}
}
