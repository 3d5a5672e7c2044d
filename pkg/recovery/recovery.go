// Package recovery finds deployments whose webhook was lost and hands them to the intake. It lists
// recent deployments at GitHub and takes those that have no row here, and it asks GitHub to deliver
// failed webhooks again, which GitHub never does by itself.
//
// Leases in the store keep two replicas from doing the same work at the same moment. They do not
// keep another replica from repeating it right afterwards, and a holder is not told when it loses a
// lease. Repeating is harmless: the intake drops duplicates, and the store limits how often one
// delivery is asked for.
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
	// Redeliver reports whether GitHub should be asked to repeat a delivery, and counts that it is.
	Redeliver(ctx context.Context, guid string) (ask bool, err error)
	// Redelivered returns deployments that came in because a delivery was repeated.
	Redelivered(ctx context.Context) ([]deployment.Deployment, error)
}

// Leases are named locks that end by themselves. A lease carries a note from one holder to the next.
type Leases interface {
	AcquireLease(ctx context.Context, name string, hold time.Duration) (note string, mine bool, err error)
	RenewLease(ctx context.Context, name string, hold time.Duration) error
	ReleaseLease(ctx context.Context, name, note string) error
}

// Options configure a Recovery. Observe, Watched and HookAddresses may be empty.
type Options struct {
	Intake Intake
	Store  Store
	Leases Leases
	GitHub GitHub
	Hooks  Hooks

	// MaxAge is how old a deployment may be to be started. Older ones are taken in, too, if they were
	// made while nobody listed: the intake ends them as errored.
	MaxAge time.Duration
	// Watched are repositories to list beside those that rows name.
	Watched []deployment.Repository
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
	listing    listing
	redelivery redelivery
}

const (
	roundEvery = 10 * time.Minute // of one process
	checkEvery = 20 * time.Second // whether a round is due and the lease is free
	leaseHold  = 45 * time.Second // after a crash another replica can go on
)

// New creates a Recovery. Nothing runs before Run.
func New(o Options) *Recovery {
	return &Recovery{Options: o, redelivery: redelivery{hooks: map[string]foundHooks{}}}
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

	for _, repository := range r.Watched {
		name := repository.FullName()
		if !known[name] {
			known[name] = true
			sources = append(sources, deployment.Source{Repository: repository})
		}
	}

	return sources, nil
}

// acquireLease ignores the end of ctx: a lease that was taken without our learning of it would keep
// all replicas from the work until it ends.
func (r *Recovery) acquireLease(ctx context.Context, name string) (note string, mine bool, err error) {
	return r.Leases.AcquireLease(context.WithoutCancel(ctx), name, leaseHold)
}

// renewLease keeps a lease while the work goes on. If it fails the work goes on all the same, and
// another replica may do it as well.
func (r *Recovery) renewLease(ctx context.Context, name string) {
	err := r.Leases.RenewLease(ctx, name, leaseHold)
	if err != nil && ctx.Err() == nil {
		r.Log.Warn().Err(err).Str("lease", name).Msg("lease not renewed")
	}
}

// releaseLease ignores the end of ctx, so that another replica need not wait until the lease ends.
func (r *Recovery) releaseLease(ctx context.Context, name, note string) error {
	return r.Leases.ReleaseLease(context.WithoutCancel(ctx), name, note)
}

func (r *Recovery) observe(source string) {
	if r.Observe != nil {
		r.Observe(source)
	}
}
