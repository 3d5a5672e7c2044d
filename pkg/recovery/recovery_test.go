package recovery

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/store"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

const testMaxAge = time.Hour

// testRecovery is a Recovery over a real database, with a clock that the test sets.
type testRecovery struct {
	*Recovery
	db     *store.DB
	github *fakeGitHub

	mu  sync.Mutex
	now time.Time
}

func (r *testRecovery) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *testRecovery) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// restart replaces the Recovery by a new one, as a new process would have it.
func (r *testRecovery) restart() { r.Recovery = New(r.Options) }

func newTestRecovery(t *testing.T) *testRecovery {
	t.Helper()

	r := &testRecovery{now: t0, github: &fakeGitHub{since: map[string]time.Time{}}}
	db, err := store.Open(t.Context(), store.Options{
		URL: "sqlite:" + t.TempDir() + "/seraph.db",
		Log: zerolog.Nop(),
		Now: r.clock,
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = db.Close() })
	r.db = db
	r.Recovery = New(Options{
		Intake: &intake.Intake{
			Routes:  everyRoute{},
			Machine: deployment.Machine{MaxAge: testMaxAge},
			Store:   db,
		},
		Store:  db,
		Leases: db,
		GitHub: r.github,
		Hooks:  noDeliveries{},
		MaxAge: testMaxAge,
		Log:    zerolog.Nop(),
		Now:    r.clock,
	})

	return r
}

// everyRoute sends every request to one project.
type everyRoute struct{}

func (everyRoute) Admit(_ deployment.Request, _ string) deployment.Admission {
	return deployment.Admission{
		Target: deployment.Target{Project: "gh/acme/api", Key: "k", Ref: deployment.ParseRef("main")},
	}
}

// fakeGitHub lists no deployments and fails for the repositories in broken. It records from when on
// each repository was listed.
type fakeGitHub struct {
	statuses []deployment.Status // of every deployment
	noLogin  error               // Login's error
	broken   map[string]bool
	since    map[string]time.Time
}

func (g *fakeGitHub) ResolveRepository(_ context.Context, owner, name string) (deployment.Source, error) {
	return deployment.Source{Repository: deployment.Repository{ID: 1, Owner: owner, Name: name}}, nil
}

func (g *fakeGitHub) Deployments(
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

func (g *fakeGitHub) Statuses(context.Context, deployment.Request) ([]deployment.Status, error) {
	return g.statuses, nil
}

func (g *fakeGitHub) Login(context.Context) (string, error) { return "seraph", g.noLogin }

// noDeliveries has hooks without any deliveries.
type noDeliveries struct{}

func (noDeliveries) Hooks(context.Context, deployment.Repository, []string) ([]webhook.Hook, error) {
	return nil, nil
}

func (noDeliveries) Redeliver(context.Context, webhook.Hook, int64) error { return nil }

func (noDeliveries) Deliveries(
	ctx context.Context,
	_ webhook.Hook,
	_ string,
) ([]webhook.HookDelivery, string, error) {
	return nil, "", ctx.Err()
}

// stoppingLeases stops the process as soon as a lease is taken.
type stoppingLeases struct {
	Leases
	stop func()
}

func (l stoppingLeases) AcquireLease(
	ctx context.Context,
	name string,
	hold time.Duration,
	due time.Time,
) (lease deployment.Lease, mine bool, err error) {
	defer l.stop()
	return l.Leases.AcquireLease(ctx, name, hold, due)
}

// After a stop in the middle of the work another replica need not wait until the lease ends.
func TestRecovery_StopReleasesLeases(t *testing.T) {
	for lease, work := range map[string]func(*testRecovery, context.Context){
		listingLease: func(r *testRecovery, ctx context.Context) {
			r.listDeployments(ctx)
		},
		"redeliver app": func(r *testRecovery, ctx context.Context) {
			_ = r.readHook(ctx, "app", new(int)) // fails, because it was stopped
		},
	} {
		t.Run(lease, func(t *testing.T) {
			r := newTestRecovery(t)
			ctx, stop := context.WithCancel(t.Context())
			r.Leases = stoppingLeases{r.db, stop}

			work(r, ctx)

			_, mine, err := r.db.AcquireLease(t.Context(), lease, leaseHold, r.now)
			if err != nil {
				t.Fatal(err)
			}
			if !mine {
				t.Error("the lease is still held")
			}
		})
	}
}
