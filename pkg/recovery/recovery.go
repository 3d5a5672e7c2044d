// Package recovery finds deployments whose webhook was lost and hands them to the intake. It lists
// recent deployments at GitHub and takes those that have no row here, and it asks GitHub to deliver
// failed webhooks again, which GitHub never does by itself.
//
// All replicas together do each piece of work once in a period: a lease in the store keeps the others
// from it meanwhile, and says when it is due next. A process also does it when it starts, unless
// another one has begun since. A holder whose lease ends in the middle of the work goes on, and
// another replica may do it as well. That is harmless: the intake drops duplicates, and the store
// limits how often one delivery is asked for.
package recovery

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
)

// Intake takes in the deployments that were found, as it does those that webhooks bring.
type Intake interface {
	Matches(req deployment.Request) bool
	Accept(ctx context.Context, del intake.Delivery, req deployment.Request) (intake.Result, error)
}

// Store says what is known already.
type Store interface {
	// NotAccepted returns those of the deployment ids that have no row.
	NotAccepted(ctx context.Context, repositoryID int64, ids []int64) ([]int64, error)
	// Repositories returns the repositories of deployments that were accepted since then.
	Repositories(ctx context.Context, since time.Time) ([]deployment.Source, error)
	// MayRedeliver reports whether GitHub should be asked to repeat a delivery.
	MayRedeliver(ctx context.Context, guid string) (bool, error)
	// CountRedelivery counts that GitHub has taken a request to repeat a delivery.
	CountRedelivery(ctx context.Context, guid string) error
	// Redelivered returns deployments that came in because a delivery was repeated.
	Redelivered(ctx context.Context) ([]deployment.Deployment, error)
}

// Leases are named locks that end by themselves. A lease carries a note from one holder to the next,
// and says when its work is due next. AcquireLease takes it if that time is not after due.
type Leases interface {
	AcquireLease(
		ctx context.Context,
		name string,
		hold time.Duration,
		due time.Time,
	) (lease deployment.Lease, mine bool, err error)
	RenewLease(ctx context.Context, lease deployment.Lease, hold time.Duration) (deployment.Lease, error)
	ReleaseLease(ctx context.Context, lease deployment.Lease, next time.Time) error
}

// Options configure a Recovery. Observe, Watched and HookAddresses may be nil.
type Options struct {
	Intake Intake
	Store  Store
	Leases Leases
	GitHub GitHub
	Hooks  Hooks

	// MaxAge is how old a deployment may be to be started. Older ones are taken in, too, if they were
	// made while nobody listed: the engine ends them as errored at their first step.
	MaxAge time.Duration
	// Watched returns the repositories to list beside those that rows name. It is asked at each listing.
	Watched func() []deployment.Repository
	// Redeliver says whether GitHub is asked to repeat failed deliveries.
	Redeliver bool
	// HookAddresses are the addresses of this service in GitHub's webhooks. The webhook of a GitHub
	// App is found without.
	HookAddresses []string

	Observe func(source string) // gets how each deployment was found; may be nil
	Log     zerolog.Logger
	Now     func() time.Time
}

// Recovery finds lost deployments. Create it with New.
type Recovery struct {
	Options
	startedAt  time.Time
	listing    listing
	redelivery redelivery
}

const (
	roundEvery = 10 * time.Minute // a round begins at most once in this time, all replicas together
	roundRetry = time.Minute      // after a round in which nothing could be read
	checkEvery = 20 * time.Second // how often a replica checks whether a round is due
	leaseHold  = 45 * time.Second // a crashed holder blocks the others for so long
)

// New creates a Recovery. Nothing runs before Run.
func New(o Options) *Recovery {
	return &Recovery{
		Options:    o,
		startedAt:  o.Now(),
		redelivery: redelivery{hooks: map[string]foundHooks{}},
	}
}

// Run works until ctx ends and returns when the work has stopped.
func (r *Recovery) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { every(ctx, checkEvery, r.listDeployments) })
	loops.Go(func() { every(ctx, checkEvery, r.redeliverFailed) })
	loops.Wait()
}

// every calls f at once and then periodically until ctx ends.
func every(ctx context.Context, period time.Duration, f func(context.Context)) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()

	for {
		f(ctx)

		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sources returns the repositories that rows name, and those of Watched.
func (r *Recovery) sources(ctx context.Context) ([]deployment.Source, error) {
	sources, err := r.Store.Repositories(ctx, r.Now().Add(-rememberFor))
	if err != nil {
		return nil, err
	}

	known := map[string]bool{}
	for _, s := range sources {
		known[s.Repository.FullName()] = true
	}

	if r.Watched == nil {
		return sources, nil
	}

	for _, repository := range r.Watched() {
		name := repository.FullName()
		if !known[name] {
			known[name] = true
			sources = append(sources, deployment.Source{Repository: repository})
		}
	}

	return sources, nil
}

// acquireLease takes a lease whose work is due, or was last begun before this process started. It
// ignores the end of ctx: if the process stops while the lease is being taken, nobody would release it.
func (r *Recovery) acquireLease(ctx context.Context, name string) (lease deployment.Lease, mine bool, err error) {
	due := r.startedAt.Add(roundEvery - time.Microsecond)
	if now := r.Now(); now.After(due) {
		due = now
	}

	return r.Leases.AcquireLease(context.WithoutCancel(ctx), name, leaseHold, due)
}

// renewLease keeps a lease while the work goes on. If it fails the work goes on all the same, and
// another replica may do it as well.
func (r *Recovery) renewLease(ctx context.Context, lease *deployment.Lease) {
	renewed, err := r.Leases.RenewLease(ctx, *lease, leaseHold)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Warn().Err(err).Str("lease", lease.Name).Msg("lease not renewed")
		}

		return
	}

	*lease = renewed
}

// releaseLease ignores the end of ctx, so that another replica need not wait until the lease ends.
// After a stop the work is due at once.
func (r *Recovery) releaseLease(ctx context.Context, lease deployment.Lease, next time.Time) error {
	if ctx.Err() != nil {
		next = time.Time{}
	}
	return r.Leases.ReleaseLease(context.WithoutCancel(ctx), lease, next)
}

func (r *Recovery) observe(source string) {
	if r.Observe != nil {
		r.Observe(source)
	}
}
