package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
)

// GitHub lists deployments and their statuses. Every call has a timeout of its own; none retries.
type GitHub interface {
	// Deployments returns the newest deployments since then, newest first and at most limit.
	Deployments(ctx context.Context, of deployment.Source, since time.Time, limit int) ([]deployment.Request, error)
	ResolveRepository(ctx context.Context, owner, name string) (deployment.Source, error)
	Statuses(ctx context.Context, of deployment.Request) ([]deployment.Status, error)
	// Login is what GitHub shows as the creator of this service's statuses.
	Login(ctx context.Context) (string, error)
}

// Bounds of one round.
const (
	firstRound  = 500                 // repositories in the first round of a process
	laterRounds = 60                  // repositories in each later round, which leaves API calls for statuses
	renewAfter  = 50                  // deployments taken in before the lease is renewed
	rememberFor = 30 * 24 * time.Hour // a repository is listed for so long after its last deployment
	clockSlack  = time.Minute         // by which the clocks of the replicas may differ
)

// allDeployments is no limit for a list of deployments: whatever the outage, each one since its
// beginning is found. The time is the bound, which is redeliveryWindow at most.
const allDeployments = math.MaxInt

// listingLease is the name of the lease. Its note is the time until which the deployments of all
// repositories are known.
const listingLease = "recover from the list of deployments"

// listing is the state of the loop that lists deployments.
type listing struct {
	firstTaken bool                 // the first round has chosen its repositories
	next       int                  // index of the repository that the next round begins with
	covered    map[string]time.Time // until when a repository's deployments are known, by full name
}

// listDeployments takes in recent deployments at GitHub that have no row and no status of others.
func (r *Recovery) listDeployments(ctx context.Context) {
	lease, mine, err := r.acquireLease(ctx, listingLease)
	if err != nil {
		r.Log.Warn().Err(err).Dur("retry_in", checkEvery).Msg("recovery lease not acquired")
		return
	}
	if !mine {
		return // it is not due, or another replica is listing, or died while it was
	}

	next := r.listRound(ctx, &lease)
	if err := r.releaseLease(ctx, lease, next); err != nil {
		r.Log.Warn().Err(err).Dur("retry_in", checkEvery).Msg("recovery lease not released")
	}
}

// listRound lists the repositories whose turn it is, leaves the note for the next round in the lease,
// and returns when that one is due.
func (r *Recovery) listRound(ctx context.Context, lease *deployment.Lease) (next time.Time) {
	began := r.Now()
	sources, err := r.sources(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Warn().Err(err).Dur("retry_in", checkEvery).Msg("repositories to recover not read")
		}

		return time.Time{}
	}

	r.cover(sources, lease.Note)
	turn := r.turn(sources)
	failed := 0
	for _, s := range turn {
		name := s.Repository.FullName()
		r.renewLease(ctx, lease)

		err := r.listRepository(ctx, s, r.since(r.listing.covered[name]), lease)
		if err != nil {
			failed++
			if ctx.Err() == nil {
				r.Log.Warn().Err(err).Str("repository", name).Msg("deployments not listed")
			}

			continue
		}

		r.listing.covered[name] = began
	}

	lease.Note = r.newNote(lease.Note)
	if failed > 0 && failed == len(turn) {
		return began.Add(roundRetry) // GitHub cannot be reached, as after the start of a machine
	}

	return began.Add(roundEvery)
}

// cover fills in until when each repository's deployments are known: until this process listed them, or until the time
// in the note. Without either they are known until MaxAge ago. A time in the future was written by a clock that was
// ahead: then they count as known until redeliveryWindow ago.
func (r *Recovery) cover(sources []deployment.Source, note string) {
	now := r.Now()
	unknown := now.Add(-redeliveryWindow)
	all := now.Add(-r.MaxAge)
	switch noted, err := time.Parse(time.RFC3339, note); {
	case err != nil:
	case noted.After(now.Add(clockSlack)):
		all = unknown
	default:
		all = noted
	}

	covered := make(map[string]time.Time, len(sources))
	for _, s := range sources {
		name := s.Repository.FullName()
		covered[name] = all
		switch mine := r.listing.covered[name]; {
		case mine.After(now.Add(clockSlack)):
			covered[name] = unknown
		case mine.After(all):
			covered[name] = mine
		}
	}

	r.listing.covered = covered
}

// newNote is the time until which the deployments of all repositories are known. A repository that
// could not be listed, or whose turn has not come, holds it back.
func (r *Recovery) newNote(last string) string {
	if len(r.listing.covered) == 0 {
		return last
	}
	oldest := slices.MinFunc(slices.Collect(maps.Values(r.listing.covered)), time.Time.Compare)
	return oldest.UTC().Format(time.RFC3339)
}

// since is from when on a repository is listed: from MaxAge ago, or from where its deployments are
// known if that is longer ago, but not from before the time in which GitHub repeats deliveries.
func (r *Recovery) since(covered time.Time) time.Time {
	since := r.Now().Add(-r.MaxAge)
	if covered.Before(since) {
		since = covered
	}
	if oldest := r.Now().Add(-redeliveryWindow); since.Before(oldest) {
		since = oldest
	}
	return since
}

// turn returns the repositories of a round: in the first round as many as possible, then fewer.
func (r *Recovery) turn(sources []deployment.Source) []deployment.Source {
	most := laterRounds
	if !r.listing.firstTaken {
		r.listing.firstTaken, most = true, firstRound
	}
	if len(sources) <= most {
		return sources
	}

	first := r.listing.next % len(sources)
	r.listing.next = first + most
	return append(sources[first:len(sources):len(sources)], sources[:first]...)[:most]
}

// listRepository takes in the deployments of one repository that have no row.
func (r *Recovery) listRepository(
	ctx context.Context,
	s deployment.Source,
	since time.Time,
	lease *deployment.Lease,
) error {
	if s.Repository.ID == 0 {
		resolved, err := r.GitHub.ResolveRepository(ctx, s.Repository.Owner, s.Repository.Name)
		if err != nil {
			return err
		}

		s = resolved
	}

	requests, err := r.GitHub.Deployments(ctx, s, since, allDeployments)
	if err != nil {
		return err
	}

	lost, err := r.notAccepted(ctx, s, requests)
	for i, req := range lost {
		if ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if i%renewAfter == renewAfter-1 {
			r.renewLease(ctx, lease)
		}

		err = errors.Join(err, r.accept(ctx, req))
	}

	return err
}

// notAccepted returns the requests that have no row, oldest first.
func (r *Recovery) notAccepted(
	ctx context.Context,
	s deployment.Source,
	requests []deployment.Request,
) ([]deployment.Request, error) {
	ids := make([]int64, len(requests))
	for i, req := range requests {
		ids[i] = req.ID
	}

	missing, err := r.Store.NotAccepted(ctx, s.Repository.ID, ids)
	if err != nil {
		return nil, err
	}

	isMissing := make(map[int64]bool, len(missing))
	for _, id := range missing {
		isMissing[id] = true
	}

	var lost []deployment.Request
	for _, req := range slices.Backward(requests) {
		if isMissing[req.ID] {
			lost = append(lost, req)
		}
	}

	return lost, nil
}

// accept hands a deployment to the intake, unless somebody else has written a status for it already.
// One that carries only our own statuses, and no final one, was lost when a backup was restored: it
// is taken in and ends errored, so that it does not run twice.
func (r *Recovery) accept(ctx context.Context, req deployment.Request) error {
	if !r.Intake.Matches(req) {
		return nil // do not spend a call to GitHub on it
	}

	statuses, err := r.GitHub.Statuses(ctx, req)
	if err != nil {
		return err
	}

	if len(statuses) > 0 {
		lost, err := r.oursUnfinished(ctx, statuses)
		if err != nil || !lost {
			return err
		}
	}

	now := r.Now()
	del := intake.Delivery{Delivery: deployment.Delivery{
		GUID:         fmt.Sprintf("listing:%d:%d", req.Repository.ID, req.ID),
		Event:        "deployment",
		Source:       deployment.SourceListing,
		RepositoryID: req.Repository.ID,
		DeploymentID: req.ID,
		ReceivedAt:   now,
	}}

	detail := "found in GitHub's list of deployments; its webhook never came"
	if len(statuses) > 0 {
		detail = "found in GitHub's list of deployments with a status of ours that no row explains"
		// The check before the trigger cannot find this: by then the row may have written the same text.
		del.Problem = deployment.AlreadyHandled(statuses[0])
	}

	del.Notes = []deployment.Entry{{At: now, Event: "recovered", Detail: detail}}
	result, err := r.Intake.Accept(ctx, del, req)
	if err != nil || result.Outcome != intake.Accepted {
		return err
	}

	r.observe(deployment.SourceListing)
	r.Log.Warn().
		Fields(deployment.Deployment{Request: req, State: deployment.Waiting}.LogFields()).
		Str("source", deployment.SourceListing).
		Int("statuses", len(statuses)).
		Msg("deployment recovered")

	return nil
}

// oursUnfinished reports whether all statuses of a deployment are this service's and none is final.
func (r *Recovery) oursUnfinished(ctx context.Context, statuses []deployment.Status) (bool, error) {
	login, err := r.GitHub.Login(ctx)
	if err != nil {
		return false, err
	}

	for _, s := range statuses {
		switch s.State {
		case deployment.GitHubQueued, deployment.GitHubPending, deployment.GitHubInProgress:
		default:
			return false, nil
		}

		if s.CreatorLogin != login {
			return false, nil
		}
	}

	return true, nil
}
