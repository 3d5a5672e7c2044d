package recovery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
)

// A deployment without a row is taken in if no status of it is another's or final. If it has
// statuses of ours, a backup was restored, and it must not run.
func TestAccept_ByStatuses(t *testing.T) {
	queuedByUs := deployment.Status{ID: 1, State: deployment.GitHubQueued, CreatorLogin: "seraph"}
	successByUs := deployment.Status{ID: 2, State: deployment.GitHubSuccess, CreatorLogin: "seraph"}
	runningByActions := deployment.Status{
		ID:           3,
		State:        deployment.GitHubInProgress,
		CreatorLogin: "github-actions[bot]",
	}
	runningByBob := deployment.Status{ID: 4, State: deployment.GitHubInProgress, CreatorLogin: "bob"}

	for name, c := range map[string]struct {
		statuses []deployment.Status
		taken    bool
		problem  string
	}{
		"no status": {
			taken: true,
		},
		"ours, not final": {
			statuses: []deployment.Status{queuedByUs},
			taken:    true,
			problem:  `already handled: GitHub has a status "queued" that this service did not record`,
		},
		"ours, final": {
			statuses: []deployment.Status{queuedByUs, successByUs},
		},
		"another's": {
			statuses: []deployment.Status{runningByActions},
		},
		"ours and another's": {
			statuses: []deployment.Status{queuedByUs, runningByBob},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRecovery(t)
			r.github.statuses = c.statuses

			err := r.accept(t.Context(), deployment.Request{
				ID:          5,
				Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
				Environment: "production",
				SHA:         "abc",
				CreatedAt:   r.clock().Add(-time.Second),
			})
			if err != nil {
				t.Fatal(err)
			}

			d, err := r.db.ByKey(t.Context(), "k")
			if err != nil && !errors.Is(err, deployment.ErrNotFound) {
				t.Fatal(err)
			}
			if taken := err == nil; taken != c.taken {
				t.Errorf("taken in: got %v, want %v", taken, c.taken)
			}
			if d.Problem != c.problem {
				t.Errorf("problem: got %q, want %q", d.Problem, c.problem)
			}
		})
	}
}

// Whose statuses they are must be known: a listing that passes the deployment over would not come back.
func TestAccept_FailsWithoutOurLogin(t *testing.T) {
	r := newTestRecovery(t)
	r.github.statuses = []deployment.Status{{ID: 1, State: deployment.GitHubQueued, CreatorLogin: "seraph"}}
	r.github.noLogin = errors.New("502")

	err := r.accept(t.Context(), deployment.Request{
		ID:          5,
		Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: "production",
		CreatedAt:   r.clock(),
	})
	if !errors.Is(err, r.github.noLogin) {
		t.Errorf("got %v, want the error of Login", err)
	}
}

// What no listing has reached is listed later, by whichever process: a repository that failed, or
// whose turn has not come.
func TestListDeployments_CoversOnlyWhatItListed(t *testing.T) {
	const down = 3 * time.Hour

	for name, c := range map[string]struct {
		noteAge      time.Duration // how old the note is
		repositories int
		broken       string // in the first round
		restart      bool   // before the second round
		repository   string // that is looked at in the second round
		want         time.Duration
	}{
		"it failed": {
			noteAge:      down,
			repositories: 2,
			broken:       "r0",
			repository:   "r0",
			want:         3*time.Hour + 10*time.Minute,
		},
		"it failed, then a restart": {
			noteAge:      down,
			repositories: 2,
			broken:       "r0",
			restart:      true,
			repository:   "r0",
			want:         3*time.Hour + 10*time.Minute,
		},
		"another one failed": {
			noteAge:      down,
			repositories: 2,
			broken:       "r0",
			repository:   "r1",
			want:         time.Hour,
		},
		"its turn had not come": {
			noteAge:      down,
			repositories: 501,
			repository:   "r500",
			want:         3*time.Hour + 10*time.Minute,
		},
		"all were listed, then a restart": {
			noteAge:      down,
			repositories: 2,
			restart:      true,
			repository:   "r0",
			want:         time.Hour,
		},
		"it failed for more than 3 days": {
			noteAge:      100 * time.Hour,
			repositories: 2,
			broken:       "r0",
			restart:      true,
			repository:   "r0",
			want:         72 * time.Hour,
		},
		"a note from the future": {
			noteAge:      -down,
			repositories: 2,
			broken:       "r0",
			restart:      true,
			repository:   "r0",
			want:         72 * time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRecovery(t)
			r.github.broken = map[string]bool{c.broken: true}
			r.Watched = numberedRepositories(c.repositories)

			r.leaveNote(t, r.now.Add(-c.noteAge).UTC().Format(time.RFC3339))
			r.listDeployments(t.Context())

			clear(r.github.broken)
			clear(r.github.since)
			r.pass(roundEvery)
			if c.restart {
				r.restart()
			}
			r.listing.next = max(0, c.repositories-laterRounds) // the round in which the last one has its turn
			r.listDeployments(t.Context())

			if got := r.now.Sub(r.github.since[c.repository]); got != c.want {
				t.Errorf("listed back: got %v, want %v", got, c.want)
			}
		})
	}
}

// What a process listed while its clock was ahead is listed again once the clock is right.
func TestListDeployments_ClockSetBack(t *testing.T) {
	r := newTestRecovery(t)
	r.Watched = numberedRepositories(1)
	r.pass(24 * time.Hour)
	r.listDeployments(t.Context())

	r.pass(6*time.Hour - 24*time.Hour)
	r.listDeployments(t.Context())
	if got, want := r.now.Sub(r.github.since["r0"]), redeliveryWindow; got != want {
		t.Errorf("listed back: got %v, want %v", got, want)
	}
	r.wantNote(t, r.now)

	r.pass(roundEvery)
	r.listDeployments(t.Context())
	if got := r.now.Sub(r.github.since["r0"]); got != testMaxAge {
		t.Errorf("listed back in the next round: got %v, want %v", got, testMaxAge)
	}
}

// While one repository fails, the others are not listed from ever further back, and the note does
// not go on.
func TestListDeployments_NoteWaitsForAFailingRepository(t *testing.T) {
	r := newTestRecovery(t)
	began := r.now
	r.github.broken = map[string]bool{"r0": true}
	r.Watched = numberedRepositories(2)

	for range 12 {
		r.listDeployments(t.Context())
		r.pass(roundEvery)
	}

	r.wantNote(t, began.Add(-testMaxAge))
	if got := r.now.Add(-roundEvery).Sub(r.github.since["r1"]); got != testMaxAge {
		t.Errorf("the other repository listed back: got %v, want %v", got, testMaxAge)
	}

	clear(r.github.broken)
	r.listDeployments(t.Context())
	r.wantNote(t, r.now)
}

func numberedRepository(i int) deployment.Repository {
	return deployment.Repository{Owner: "acme", Name: fmt.Sprint("r", i)}
}

// numberedRepositories watches the first n repositories.
func numberedRepositories(n int) func() []deployment.Repository {
	return func() (list []deployment.Repository) {
		for i := range n {
			list = append(list, numberedRepository(i))
		}
		return list
	}
}

// leaveNote stores a note as an earlier process would have left it.
func (r *testRecovery) leaveNote(t *testing.T, note string) {
	t.Helper()

	lease, mine, err := r.db.AcquireLease(t.Context(), listingLease, leaseHold, r.now)
	if err != nil || !mine {
		t.Fatalf("acquire lease: mine %v, %v", mine, err)
	}

	lease.Note = note
	if err := r.db.ReleaseLease(t.Context(), lease, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

func (r *testRecovery) wantNote(t *testing.T, want time.Time) {
	t.Helper()

	lease, mine, err := r.db.AcquireLease(t.Context(), listingLease, leaseHold, r.now.Add(roundEvery))
	if err != nil || !mine {
		t.Fatalf("acquire lease: mine %v, %v", mine, err)
	}
	if err := r.db.ReleaseLease(t.Context(), lease, time.Time{}); err != nil {
		t.Fatal(err)
	}

	if text := want.UTC().Format(time.RFC3339); lease.Note != text {
		t.Errorf("note: got %q, want %q", lease.Note, text)
	}
}

// listedGitHub has deployments of one repository, made one a second, and counts how often they are
// listed.
type listedGitHub struct {
	*fakeGitHub
	began time.Time
	n     int
	lists int
}

func (g *listedGitHub) Deployments(
	_ context.Context,
	of deployment.Source,
	since time.Time,
	limit int,
) ([]deployment.Request, error) {
	g.lists++
	var list []deployment.Request
	for i := g.n; i > 0 && len(list) < limit; i-- {
		created := g.began.Add(time.Duration(i) * time.Second)
		if created.Before(since) {
			break
		}

		list = append(list, deployment.Request{
			ID:          int64(i),
			Repository:  of.Repository,
			Environment: fmt.Sprint("review-", i),
			Ref:         "main",
			SHA:         "abc",
			CreatedAt:   created,
		})
	}

	return list, nil
}

// numberedKeys gives each deployment a key of its own.
type numberedKeys struct{}

func (numberedKeys) Admit(req deployment.Request, _ string) deployment.Admission {
	return deployment.Admission{Target: deployment.Target{
		Project: "gh/acme/api",
		Key:     fmt.Sprint("k", req.ID),
		Ref:     deployment.ParseRef("main"),
	}}
}

// After an outage all deployments that were missed are taken in, however many they are.
func TestListDeployments_TakesInAllThatWereMissed(t *testing.T) {
	r := newTestRecovery(t)
	github := &listedGitHub{fakeGitHub: r.github, began: r.now.Add(-10 * time.Minute), n: 400}
	r.GitHub, r.Watched = github, numberedRepositories(1)
	r.Intake.(*intake.Intake).Routes = numberedKeys{}

	r.listDeployments(t.Context())

	list, err := r.db.List(t.Context(), deployment.Filter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != github.n {
		t.Fatalf("taken in: got %d, want %d", len(list), github.n)
	}
	if oldest := list[len(list)-1]; oldest.Request.ID != 1 {
		t.Errorf("taken in first: got deployment %d, want 1", oldest.Request.ID)
	}
}

// Replicas list together once in a period. One that starts later lists once, because it may be the
// first after an outage.
func TestListDeployments_OncePerPeriodByAllReplicas(t *testing.T) {
	r := newTestRecovery(t)
	github := &listedGitHub{fakeGitHub: r.github}
	r.GitHub, r.Watched = github, numberedRepositories(1)
	replicas := []*Recovery{New(r.Options), New(r.Options), New(r.Options), New(r.Options)}

	round := func() {
		for _, replica := range replicas {
			replica.listDeployments(t.Context())
		}
		r.pass(checkEvery - 100*time.Millisecond)
	}

	for range 30 { // 10 minutes, less a moment
		round()
	}
	if github.lists != 1 {
		t.Errorf("within a period: got %d listings by 4 replicas, want 1", github.lists)
	}

	replicas = append(replicas, New(r.Options))
	round()
	if github.lists != 2 {
		t.Errorf("after a start: got %d listings, want 2", github.lists)
	}

	for range 29 {
		round()
	}
	if github.lists != 2 {
		t.Errorf("within the next period: got %d listings, want 2", github.lists)
	}
}

// brokenStore cannot say which repositories there are.
type brokenStore struct{ Store }

func (brokenStore) Repositories(context.Context, time.Time) ([]deployment.Source, error) {
	return nil, errors.New("the database is away")
}

// A round that found nothing out does not take the next one's place.
func TestListDeployments_TriesAgainSoonAfterAFailure(t *testing.T) {
	for name, c := range map[string]struct {
		broken func(*testRecovery)
		mended func(*testRecovery)
		after  time.Duration
	}{
		"the database fails": {
			broken: func(r *testRecovery) { r.Store = brokenStore{r.db} },
			mended: func(r *testRecovery) { r.Store = r.db },
			after:  checkEvery,
		},
		"the lease cannot be taken": {
			broken: func(r *testRecovery) { r.Leases = brokenLeases{r.db} },
			mended: func(r *testRecovery) { r.Leases = r.db },
			after:  checkEvery,
		},
		"GitHub fails": {
			broken: func(r *testRecovery) { r.github.broken = map[string]bool{"r0": true} },
			mended: func(r *testRecovery) { clear(r.github.broken) },
			after:  roundRetry,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRecovery(t)
			r.Watched = numberedRepositories(1)
			r.pass(time.Hour) // the process has run for long
			c.broken(r)
			r.listDeployments(t.Context())
			c.mended(r)
			clear(r.github.since)

			r.pass(c.after)
			r.listDeployments(t.Context())

			if len(r.github.since) != 1 {
				t.Errorf("repositories listed after %v: got %d, want 1", c.after, len(r.github.since))
			}
		})
	}
}

// brokenLeases cannot be taken.
type brokenLeases struct{ Leases }

func (brokenLeases) AcquireLease(
	context.Context,
	string,
	time.Duration,
	time.Time,
) (deployment.Lease, bool, error) {
	return deployment.Lease{}, false, errors.New("the database is away")
}
