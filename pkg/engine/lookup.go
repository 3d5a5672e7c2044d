package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Searcher lists pipelines at CircleCI and looks for a deployment's key in them. Every call has a
// timeout of its own; none is retried.
type Searcher interface {
	List(ctx context.Context, slug string, since time.Time, control string) (deployment.Listing, error)
	Evidence(ctx context.Context, pipelineID, key string, parameters []string) (deployment.KeyEvidence, error)
}

// Pipelines is what the store knows of CircleCI's projects and pipelines.
type Pipelines interface {
	KnownPipelines(ctx context.Context, ids []string) (map[string]deployment.KnownPipeline, error)
	NewestClaimed(
		ctx context.Context,
		projectID string,
		notRow int64,
		limit int,
	) ([]deployment.ClaimedPipeline, error)
	NewerStarted(
		ctx context.Context,
		repositoryID int64,
		environmentKey string,
		deploymentID int64,
	) (started, holds bool, err error)
	Project(ctx context.Context, slug string) (deployment.Project, error)
}

// How far a look-up goes back for a pipeline that shows its own key.
const (
	maxControls     = 20 // pipelines of the project
	maxControlReads = 4  // those of them that are read at CircleCI
)

// lookUp searches CircleCI for the pipeline of a trigger of unknown outcome.
func (e *Engine) lookUp(ctx context.Context, d deployment.Deployment) error {
	if !e.mayRead(d, readsOfSearch) {
		return e.Rows.Unlease(ctx, d.Row)
	}

	asked := e.Now() // CircleCI's answers may be as of now, however late they come
	d = d.ForLookup(asked)
	lookup, err := e.search(ctx, d)
	if err != nil {
		return err
	}

	conclusion := e.Machine.EvaluateLookup(d, lookup, asked)
	if err := e.applyAndSave(ctx, d, conclusion); err != nil {
		return err
	}
	if found, ok := conclusion.(deployment.LookupFound); ok {
		e.cancelDuplicates(ctx, d, found.Duplicates)
	}

	return nil
}

// search reads CircleCI's lists and, if the route sends a key, looks for it in each pipeline that may
// be the deployment's. What CircleCI does not answer is a failure of the look-up and not an error: the
// key may be found in what was read.
func (e *Engine) search(ctx context.Context, d deployment.Deployment) (deployment.Lookup, error) {
	var l deployment.Lookup

	controls, err := e.Pipelines.NewestClaimed(ctx, d.Project.ID, d.Row, maxControls)
	if err != nil {
		return l, err
	}
	if len(controls) > 0 {
		l.Control.PipelineID = controls[0].ID
	}

	listing, listErr := e.listPipelines(ctx, d, l.Control.PipelineID)
	l.Listing = listing
	l.Known, err = e.Pipelines.KnownPipelines(ctx, idsOf(listing))
	if err != nil {
		return l, err
	}
	if !d.Target.CarriesKey {
		l.Failure = e.lookupFailure(d, listErr)
		return l, nil
	}

	evidence, evidenceErr := e.evidence(ctx, d, d.Candidates(listing, l.Known))
	l.Evidence = evidence
	if err := errors.Join(listErr, evidenceErr); err != nil {
		l.Failure = e.lookupFailure(d, err)
		return l, nil
	}

	// Only a pipeline without the key needs the proof that its key would be seen.
	for _, found := range evidence {
		if found == deployment.KeyAbsent {
			shows, err := e.controlShowsKey(ctx, d, controls)
			l.Control.ShowsKey, l.Failure = shows, e.lookupFailure(d, err)
			break
		}
	}

	return l, nil
}

// lookupFailure logs what CircleCI did not answer, and returns it in words that everybody may read; "" if
// it answered.
func (e *Engine) lookupFailure(d deployment.Deployment, err error) string {
	if err == nil {
		return ""
	}

	cause, detail := deployment.PublicCause("CircleCI", err)
	if detail != "" {
		e.Log.Info().Int64("deployment", d.Request.ID).Err(err).Msg("look-up failed")
	}

	return cause
}

// listPipelines lists the pipelines that may be the deployment's, back to the control.
func (e *Engine) listPipelines(
	ctx context.Context,
	d deployment.Deployment,
	control string,
) (deployment.Listing, error) {
	return e.Searcher.List(ctx, d.Project.Slug, d.LookupSince(0), control)
}

// evidence looks for the deployment's key in each of the pipelines. A pipeline that cannot be read does
// not keep it from the others.
func (e *Engine) evidence(
	ctx context.Context,
	d deployment.Deployment,
	candidates []deployment.PipelineFacts,
) (map[string]deployment.KeyEvidence, error) {
	evidence := map[string]deployment.KeyEvidence{}
	var errs []error
	for _, p := range candidates {
		found, err := e.Searcher.Evidence(ctx, p.ID, d.Target.Key, d.Target.KeyParameters)
		if err != nil {
			errs = append(errs, fmt.Errorf("read pipeline %s: %w", p.ID, err))
			continue
		}

		evidence[p.ID] = found
	}

	return evidence, errors.Join(errs...)
}

// controlShowsKey reports whether a pipeline of another deployment shows that deployment's key, which
// proves that a pipeline without the key of d is another's. Of the controls, newest first, the first one decides
// whose configuration comes from the same place and was compiled: the configuration of another branch may not
// use the key, and one that did not compile, or that may not be read, says nothing. An older one does not
// decide, because the configuration may have stopped using the key since.
func (e *Engine) controlShowsKey(
	ctx context.Context,
	d deployment.Deployment,
	controls []deployment.ClaimedPipeline,
) (bool, error) {
	reads := 0
	for _, control := range controls {
		owner, err := e.Rows.Load(ctx, control.Row)
		if errors.Is(err, deployment.ErrNotFound) {
			continue // retention deleted it
		}
		if err != nil {
			return false, err
		}
		if !owner.Target.SameConfig(d.Target) {
			continue
		}
		if reads == maxControlReads {
			return false, nil
		}

		reads++
		found, err := e.Searcher.Evidence(ctx, control.ID, owner.Target.Key, owner.Target.KeyParameters)
		if err != nil {
			return false, fmt.Errorf("read pipeline %s: %w", control.ID, err)
		}
		if found != deployment.KeyNotCompiled && found != deployment.KeyUnreadable {
			return found == deployment.KeyFound, nil
		}
	}

	return false, nil
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

// checkDuplicates cancels pipelines that carry the deployment's key beside its own pipeline.
func (e *Engine) checkDuplicates(ctx context.Context, d deployment.Deployment) error {
	if !e.mayRead(d, readsOfSearch) {
		return e.Rows.Unlease(ctx, d.Row)
	}

	d = d.ForLookup(e.Now())
	duplicates, err := e.duplicates(ctx, d)
	if err != nil {
		e.log(d, zerolog.WarnLevel).Err(err).Msg("search for duplicate pipelines failed")
	}

	e.cancelDuplicates(ctx, d, duplicates)
	return e.applyAndSave(ctx, d, deployment.DuplicatesChecked{Duplicates: duplicates})
}

// duplicates returns the pipelines with the deployment's key that were found. The error says what could
// not be read.
func (e *Engine) duplicates(ctx context.Context, d deployment.Deployment) ([]string, error) {
	listing, listErr := e.listPipelines(ctx, d, "")
	known, err := e.Pipelines.KnownPipelines(ctx, idsOf(listing))
	if err != nil {
		return nil, err
	}

	candidates := d.Candidates(listing, known)
	evidence, evidenceErr := e.evidence(ctx, d, candidates)

	var duplicates []string
	for _, p := range candidates {
		if evidence[p.ID] == deployment.KeyFound && !known[p.ID].Unclaimed {
			duplicates = append(duplicates, p.ID)
		}
	}

	return duplicates, errors.Join(listErr, evidenceErr)
}

func (e *Engine) cancelDuplicates(ctx context.Context, d deployment.Deployment, pipelines []string) {
	for _, id := range pipelines {
		e.log(d, zerolog.WarnLevel).Str("pipeline", id).Msg("duplicate pipeline canceled")
		if _, err := e.cancelPipeline(ctx, id); err != nil {
			e.log(d, zerolog.WarnLevel).Err(err).Str("pipeline", id).Msg("cancel of duplicate pipeline failed")
		}
	}
}
