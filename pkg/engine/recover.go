package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Bounds of one round of recovery.
const (
	recoverRepositories = 500
	recoverPerSource    = 100
	recoverRemembers    = 30 * 24 * time.Hour // repositories that rows of this time named
)

// recoverDeployments takes in what GitHub could not deliver: recent deployments that nobody has seen and that carry no status.
func (e *Engine) recoverDeployments(ctx context.Context) {
	sources, err := e.sources(ctx)
	if err != nil {
		e.Log.Warn().Err(err).Msg("recovery cannot read which repositories to list; trying again later")
		return
	}
	for _, s := range sources {
		if ctx.Err() != nil {
			return
		}
		if err := e.recoverFrom(ctx, s); err != nil && ctx.Err() == nil {
			e.Log.Warn().Err(err).Str("repository", s.Repository.FullName()).Msg("recovery cannot list deployments; trying again later")
		}
	}
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
	return sources[:min(len(sources), recoverRepositories)], nil
}

func (e *Engine) recoverFrom(ctx context.Context, s deployment.Source) error {
	if s.Repository.ID == 0 {
		resolved, err := e.GitHub.ResolveRepository(ctx, s.Repository.Owner, s.Repository.Name)
		if err != nil {
			return err
		}
		s = resolved
	}
	requests, err := e.GitHub.Deployments(ctx, s, e.Now().Add(-e.Rules.MaxAge), recoverPerSource)
	if err != nil {
		return err
	}
	unseen, err := e.unseen(ctx, s, requests)
	if err != nil {
		return err
	}
	for _, req := range unseen {
		if err := e.takeIn(ctx, req); err != nil {
			return err
		}
	}
	return nil
}

// unseen keeps the requests that have no row, oldest first.
func (e *Engine) unseen(ctx context.Context, s deployment.Source, requests []deployment.Request) ([]deployment.Request, error) {
	ids := make([]int64, len(requests))
	for i, req := range requests {
		ids[i] = req.ID
	}
	missing, err := e.Store.Unseen(ctx, s.Repository.ID, ids)
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

// takeIn lets a deployment in by the same door as a webhook, unless somebody has already written a status for it.
func (e *Engine) takeIn(ctx context.Context, req deployment.Request) error {
	now := e.Now()
	d, notes, ignored := e.Admit(req, now)
	if ignored != "" {
		return nil
	}
	statuses, err := e.GitHub.Statuses(ctx, req)
	if err != nil || len(statuses) > 0 {
		return err
	}
	notes = append(notes, deployment.Entry{At: now, Event: "recovered", Detail: "found in GitHub's list of deployments; its webhook never came"})
	duplicate, err := e.Store.Accept(ctx, deployment.Delivery{
		GUID: fmt.Sprintf("listing:%d:%d", req.Repository.ID, req.ID), Event: "deployment", Source: deployment.SourceListing,
		RepositoryID: req.Repository.ID, DeploymentID: req.ID, ReceivedAt: now,
	}, d, notes...)
	if err != nil || duplicate {
		return err
	}
	e.log(d, warn).Msg("recovered a deployment whose webhook never came")
	if e.Observe.Recovered != nil {
		e.Observe.Recovered(deployment.SourceListing)
	}
	return nil
}
