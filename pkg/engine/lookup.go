package engine

import (
	"context"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// lookUp searches CircleCI for the pipeline of a trigger whose outcome is unknown.
func (e *Engine) lookUp(ctx context.Context, d deployment.Deployment) error {
	if !e.mayRead(d, readsOfSearch) {
		return e.Store.Unlease(ctx, d.Row)
	}

	found, err := e.search(ctx, d)
	if err != nil {
		return e.applyAndSave(ctx, d, deployment.LookupPending{Cause: err.Error()})
	}

	verdict := e.Machine.Judge(d, found, e.Now())
	if err := e.applyAndSave(ctx, d, verdict); err != nil {
		return err
	}
	if f, ok := verdict.(deployment.LookupFound); ok {
		e.cancelAll(ctx, d, f.Duplicates)
	}

	return nil
}

// search reads CircleCI's lists and, where the route sends a key, looks into each pipeline that may
// be the one.
func (e *Engine) search(ctx context.Context, d deployment.Deployment) (deployment.Lookup, error) {
	var l deployment.Lookup
	control, owner, err := e.Store.NewestClaimed(ctx, d.Project.ID, d.Row)
	if err != nil {
		return l, err
	}

	l.Control.PipelineID = control
	if l.Listing, err = e.list(ctx, d, control); err != nil {
		return l, err
	}
	if l.Known, err = e.Store.KnownPipelines(ctx, idsOf(l.Listing)); err != nil {
		return l, err
	}
	if !d.Target.CarriesKey {
		return l, nil
	}
	if l.Evidence, err = e.evidence(ctx, d, d.Suspects(l.Listing, l.Known)); err != nil {
		return l, err
	}

	l.Control.ShowsKey, err = e.controlShowsKey(ctx, d, control, owner, l.Evidence)
	return l, err
}

func (e *Engine) list(ctx context.Context, d deployment.Deployment, control string) (deployment.Listing, error) {
	return e.CircleCI.List(ctx, d.Project.Slug, d.LookSince(0), control)
}

func (e *Engine) evidence(
	ctx context.Context,
	d deployment.Deployment,
	suspects []deployment.PipelineFacts,
) (map[string]deployment.KeyEvidence, error) {
	evidence := map[string]deployment.KeyEvidence{}
	for _, p := range suspects {
		seen, err := e.CircleCI.Evidence(ctx, p.ID, d.Target.Key, d.Target.KeyParameters)
		if err != nil {
			return nil, fmt.Errorf("pipeline %s could not be read: %w", p.ID, err)
		}

		evidence[p.ID] = seen
	}

	return evidence, nil
}

// controlShowsKey says whether the newest claimed pipeline of the project shows its own key. It is
// asked only when a suspect shows none, and speaks only for pipelines that read their config from
// the same place: another branch's config may not use the key at all.
func (e *Engine) controlShowsKey(
	ctx context.Context,
	of deployment.Deployment,
	control string,
	owner int64,
	evidence map[string]deployment.KeyEvidence,
) (bool, error) {
	missing := false
	for _, seen := range evidence {
		missing = missing || seen == deployment.KeyAbsent
	}

	if !missing || control == "" {
		return false, nil
	}

	d, err := e.Store.Load(ctx, owner)
	if err != nil || !d.Target.SameConfig(of.Target) {
		return false, err
	}

	seen, err := e.CircleCI.Evidence(ctx, control, d.Target.Key, d.Target.KeyParameters)
	return seen == deployment.KeyFound, err
}

func idsOf(l deployment.Listing) []string {
	ids := make([]string, 0, len(l.Mine)+len(l.Project))
	for _, list := range [][]deployment.PipelineFacts{l.Mine, l.Project} {
		for _, p := range list {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// checkDuplicates looks for late twins: pipelines that carry the deployment's key beside its own
// one. They are canceled.
func (e *Engine) checkDuplicates(ctx context.Context, d deployment.Deployment) error {
	if !e.mayRead(d, readsOfSearch) {
		return e.Store.Unlease(ctx, d.Row)
	}

	twins, err := e.duplicates(ctx, d)
	if err != nil {
		e.log(d, warn).Err(err).Msg("cannot look for late twins; trying again soon")
	}

	e.cancelAll(ctx, d, twins)
	return e.applyAndSave(ctx, d, deployment.DuplicatesChecked{Duplicates: twins})
}

func (e *Engine) duplicates(ctx context.Context, d deployment.Deployment) ([]string, error) {
	listing, err := e.list(ctx, d, "")
	if err != nil {
		return nil, err
	}

	known, err := e.Store.KnownPipelines(ctx, idsOf(listing))
	if err != nil {
		return nil, err
	}

	suspects := d.Suspects(listing, known)
	evidence, err := e.evidence(ctx, d, suspects)
	if err != nil {
		return nil, err
	}

	var twins []string
	for _, p := range suspects {
		if evidence[p.ID] == deployment.KeyFound && !known[p.ID].Unclaimed {
			twins = append(twins, p.ID)
		}
	}

	return twins, nil
}

func (e *Engine) cancelAll(ctx context.Context, d deployment.Deployment, pipelines []string) {
	for _, id := range pipelines {
		e.log(d, warn).Str("pipeline", id).Msg("canceling a second pipeline with the same key")
		if err := e.cancelPipeline(ctx, id); err != nil {
			e.log(d, warn).Err(err).Str("pipeline", id).Msg("cannot cancel it yet; trying again")
		}
	}
}
