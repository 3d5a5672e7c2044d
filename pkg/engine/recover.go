package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/recovery"
)

// Bounds of one round of recovery.
const (
	// in the first round; later ones take turns, so that a token's calls are left for statuses
	recoverRepositories = 500
	recoverTurn         = 60
	recoverPerSource    = 300
	recoverRemembers    = 30 * 24 * time.Hour // repositories that rows of this time named
	recoverLease        = "recover from the list of deployments"
)

// recoverDeployments takes in what GitHub could not deliver: recent deployments that nobody has
// seen and that carry no status.
func (e *Engine) recoverDeployments(ctx context.Context) {
	if e.Now().Before(e.recoverDue) {
		return
	}

	note, mine, err := e.acquireLease(ctx, recoverLease)
	if err == nil && !mine {
		return // another replica is at it, or died at it: soon again
	}

	e.recoverDue = e.Now().Add(recoverEvery)
	if err == nil {
		err = e.Store.ReleaseLease(context.WithoutCancel(ctx), recoverLease, e.recoverSources(ctx, note))
	}
	if err != nil {
		e.Log.Warn().Err(err).Msg("recovery cannot read or note how far it came; trying again later")
	}
}

// recoverSources lists the sources whose turn it is, and gives what the next process may rely on,
// in place of note.
func (e *Engine) recoverSources(ctx context.Context, note string) string {
	sources, err := e.sources(ctx)
	if err != nil {
		if ctx.Err() == nil {
			e.Log.Warn().Err(err).Msg("recovery cannot read which repositories to list; trying again later")
		}

		return note
	}

	began := e.Now()
	e.cover(sources, note)
	for _, s := range e.turn(sources) {
		name := s.Repository.FullName()
		e.renewLease(ctx, recoverLease)
		if err := e.recoverFrom(ctx, s, e.since(e.covered[name])); err == nil {
			e.covered[name] = began
		} else if ctx.Err() == nil {
			e.Log.Warn().Err(err).Str("repository", name).Msg("recovery cannot list deployments; trying again later")
		}
	}

	return e.noteOf(note)
}

// cover fills in until when each source's deployments are known: until this process listed them, or
// until what the note says of all sources. Where nobody has listed yet, nothing older than MaxAge
// is missed.
func (e *Engine) cover(sources []deployment.Source, note string) {
	now := e.Now()
	all := now.Add(-e.Machine.MaxAge)
	if noted, err := time.Parse(time.RFC3339, note); err == nil && !noted.After(now) { // else a clock was wrong
		all = noted
	}

	covered := make(map[string]time.Time, len(sources))
	for _, s := range sources {
		name := s.Repository.FullName()
		covered[name] = all
		if mine := e.covered[name]; mine.After(all) {
			covered[name] = mine
		}
	}

	e.covered = covered
}

// noteOf is what the next process may rely on for every source: a source that failed or whose turn
// has not come holds it back.
func (e *Engine) noteOf(last string) string {
	if len(e.covered) == 0 {
		return last
	}
	oldest := slices.MinFunc(slices.Collect(maps.Values(e.covered)), time.Time.Compare)
	return oldest.UTC().Format(time.RFC3339)
}

// since is how far back to list a source: MaxAge, or to where it is covered. What is older than
// MaxAge by now was made while nobody listened; it ends at once, with words.
func (e *Engine) since(covered time.Time) time.Time {
	since := e.Now().Add(-e.Machine.MaxAge)
	if covered.Before(since) {
		since = covered
	}
	if oldest := e.Now().Add(-recovery.RedeliveryWindow); since.Before(oldest) {
		since = oldest
	}
	return since
}

// turn gives all sources in the first round, and then some at a time.
func (e *Engine) turn(sources []deployment.Source) []deployment.Source {
	most := recoverTurn
	if !e.recovered {
		e.recovered, most = true, recoverRepositories
	}
	if len(sources) <= most {
		return sources
	}

	first := e.recoverNext % len(sources)
	e.recoverNext = first + most
	return append(sources[first:len(sources):len(sources)], sources[:first]...)[:most]
}

// sources are the repositories that rows have named, and those that routes name literally.
func (e *Engine) sources(ctx context.Context) ([]deployment.Source, error) {
	sources, err := e.Store.Repositories(ctx, e.Now().Add(-recoverRemembers))
	if err != nil {
		return nil, err
	}

	seen := map[string]bool{}
	for _, s := range sources {
		seen[s.Repository.FullName()] = true
	}

	for _, r := range e.Watched {
		if seen[r.FullName()] {
			continue
		}

		seen[r.FullName()] = true
		sources = append(sources, deployment.Source{Repository: r})
	}

	return sources, nil
}

func (e *Engine) recoverFrom(ctx context.Context, s deployment.Source, since time.Time) error {
	if s.Repository.ID == 0 {
		resolved, err := e.GitHub.ResolveRepository(ctx, s.Repository.Owner, s.Repository.Name)
		if err != nil {
			return err
		}

		s = resolved
	}

	requests, err := e.GitHub.Deployments(ctx, s, since, recoverPerSource)
	if err != nil {
		return err
	}

	if len(requests) == recoverPerSource {
		e.Log.Warn().
			Str("repository", s.Repository.FullName()).
			Int("listed", recoverPerSource).
			Msg("recovery lists no more deployments of a repository at once; older ones are left out")
	}

	unseen, err := e.notAccepted(ctx, s, requests)
	for _, req := range unseen {
		err = errors.Join(err, e.takeIn(ctx, req))
	}

	return err
}

// notAccepted keeps the requests that have no row, oldest first.
func (e *Engine) notAccepted(
	ctx context.Context,
	s deployment.Source,
	requests []deployment.Request,
) ([]deployment.Request, error) {
	ids := make([]int64, len(requests))
	for i, req := range requests {
		ids[i] = req.ID
	}

	missing, err := e.Store.NotAccepted(ctx, s.Repository.ID, ids)
	if err != nil {
		return nil, err
	}

	wanted := map[int64]bool{}
	for _, id := range missing {
		wanted[id] = true
	}

	var unseen []deployment.Request
	for i := len(requests) - 1; i >= 0; i-- {
		if wanted[requests[i].ID] {
			unseen = append(unseen, requests[i])
		}
	}

	return unseen, nil
}

// takeIn hands a deployment to the intake, unless somebody else has written a status for it already.
// One that carries only our own statuses, and no final one, was lost when a backup was restored: it
// is taken in and ends errored, so that it does not run twice.
func (e *Engine) takeIn(ctx context.Context, req deployment.Request) error {
	if !e.Intake.Matches(req) {
		return nil // do not spend a call to GitHub on it
	}

	statuses, err := e.GitHub.Statuses(ctx, req)
	if err != nil || len(statuses) > 0 && !e.forgotten(ctx, statuses) {
		return err
	}

	now := e.Now()
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
		detail = "found in GitHub's list of deployments with a word of ours that no row explains"
		// not by the guard, before the trigger: what this row says meanwhile may be the same words
		del.Problem = alreadyHandled(statuses[0])
	}

	del.Notes = []deployment.Entry{{At: now, Event: "recovered", Detail: detail}}
	result, err := e.Intake.Accept(ctx, del, req)
	if err != nil || result.Outcome != intake.Accepted {
		return err
	}

	e.log(deployment.Deployment{Request: req, State: deployment.Waiting}, warn).
		Int("statuses", len(statuses)).
		Msg("recovered a deployment that no row knew")
	if e.Observe.Recovered != nil {
		e.Observe.Recovered(deployment.SourceListing)
	}

	return nil
}

// forgotten says whether all that GitHub was told of a deployment is ours, and not its end.
func (e *Engine) forgotten(ctx context.Context, statuses []deployment.Status) bool {
	me, err := e.GitHub.Login(ctx)
	return err == nil && !slices.ContainsFunc(statuses, func(s deployment.Status) bool {
		return s.CreatorLogin != me ||
			s.State != deployment.GitHubQueued && s.State != deployment.GitHubPending &&
				s.State != deployment.GitHubInProgress
	})
}
