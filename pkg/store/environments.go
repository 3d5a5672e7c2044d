package store

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Deployed gives the commit of an environment's newest deployment that succeeded with a pipeline;
// "": there is none.
func (s Environments) Deployed(
	ctx context.Context,
	repositoryID int64,
	environmentKey string,
) (sha string, err error) {
	err = s.db.get(ctx, `
		SELECT sha
		FROM deployed
		WHERE repository_id = $1 AND environment_key = $2`,
		repositoryID,
		environmentKey,
	).Scan(&sha)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}

	return sha, err
}

// NewerStarted says whether a deployment of the environment with a larger GitHub id has ever
// started, or holds the environment now, for example because its trigger is being sent. Of what was pruned
// only the newest success counts.
func (s Environments) NewerStarted(
	ctx context.Context,
	repositoryID int64,
	environmentKey string,
	deploymentID int64,
) (started, holds bool, err error) {
	var startedCount, holding int
	err = s.db.get(ctx, `
		SELECT
			(SELECT count(*)
			FROM deployments
			WHERE repository_id = $1 AND environment_key = $2 AND started = 1 AND deployment_id > $3) +
			(SELECT count(*)
			FROM deployed
			WHERE repository_id = $1 AND environment_key = $2 AND deployment_id > $3),
			(SELECT count(*)
			FROM deployments
			WHERE repository_id = $1 AND environment_key = $2 AND holds_slot = 1 AND deployment_id > $3)`,
		repositoryID,
		environmentKey,
		deploymentID,
	).Scan(&startedCount, &holding)
	return startedCount > 0, holding > 0, err
}

// priorResult finds a commit's newest deployment among those that have ended, that wait, that hold
// the environment, and what is deployed there, which may have been pruned; each by an index of its
// own. One index over all of them would make accepting a delivery slower.
const priorResult = `
	SELECT state
	FROM (
		SELECT *
		FROM (
			SELECT deployment_id, state
			FROM deployments
			WHERE repository_id = $1 AND environment_key = $2 AND sha = $3 AND is_act = 0 AND
				state IN ('succeeded', 'failed', 'errored', 'canceled', 'rejected')
			ORDER BY deployment_id DESC
			LIMIT 1
		) AS ended
		UNION ALL
		SELECT deployment_id, state
		FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND sha = $3 AND is_act = 0 AND state = 'waiting'
		UNION ALL
		SELECT deployment_id, state
		FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND sha = $3 AND is_act = 0 AND holds_slot = 1
		UNION ALL
		SELECT deployment_id, 'succeeded'
		FROM deployed
		WHERE repository_id = $1 AND environment_key = $2 AND sha = $3
	) AS candidates
	ORDER BY deployment_id DESC
	LIMIT 1`

// PriorResult says what became of a commit's newest deployment in an environment. Tasks that lock or
// unlock do not count, and neither do operations, because they deploy nothing.
func (s Environments) PriorResult(
	ctx context.Context,
	repositoryID int64,
	environmentKey, sha string,
) (policy.PriorResult, error) {
	var state deployment.State
	err := s.db.get(ctx, priorResult, repositoryID, environmentKey, sha).Scan(&state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return policy.PriorNone, nil
	case err != nil:
		return policy.PriorNone, err
	case state.Open():
		return policy.PriorOpen, nil
	case state == deployment.Succeeded:
		return policy.PriorSucceeded, nil
	default:
		return policy.PriorFailed, nil
	}
}

// OlderLockTask gives the GitHub id of an older deployment of the environment that locks or unlocks and
// is still waiting; 0: there is none.
func (s Environments) OlderLockTask(
	ctx context.Context,
	repositoryID int64,
	environmentKey string,
	deploymentID int64,
) (older int64, err error) {
	err = s.db.get(ctx, `
		SELECT deployment_id
		FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND deployment_id < $3 AND
			state = 'waiting' AND is_act = 1
		ORDER BY deployment_id
		LIMIT 1`,
		repositoryID,
		environmentKey,
		deploymentID,
	).Scan(&older)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}

	return older, err
}

// StartedPipelines returns the pipelines that were started for a commit of a repository, for any
// environment, in the order in which their deployments were accepted.
func (s Environments) StartedPipelines(
	ctx context.Context,
	repositoryID int64,
	sha string,
) ([]deployment.Pipeline, error) {
	rows, err := s.db.all(ctx, `
		SELECT `+deploymentColumns+`
		FROM deployments
		WHERE repository_id = $1 AND sha = $2 AND pipeline_id <> ''
		ORDER BY row_id`,
		repositoryID,
		sha,
	)
	if err != nil {
		return nil, err
	}

	started, err := scanEach(rows, scanDeployment)
	var pipelines []deployment.Pipeline
	for _, d := range started {
		if d.Pipeline != nil {
			pipelines = append(pipelines, *d.Pipeline)
		}
	}

	return pipelines, err
}

// The parts of the queue that queueQuery reads.
const (
	partHolder  = 1 // holds the environment's slot
	partBefore  = 2 // waits, and is older
	partNewer   = 3 // waits, is newer and admitted
	partStarted = 4 // is newer and has started
)

// queueQuery reads all parts at one moment. Tasks that lock or unlock are not in the queue, although
// a start waits until an older one of them is done.
const queueQuery = `
	SELECT part, deployment_id, state, admitted
	FROM (
		SELECT 1 AS part, deployment_id, state, admitted
		FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND holds_slot = 1 AND deployment_id <> $3
		UNION ALL
		SELECT *
		FROM (
			SELECT 2, deployment_id, state, admitted
			FROM deployments
			WHERE repository_id = $1 AND environment_key = $2 AND state = 'waiting' AND is_act <> 1 AND
				deployment_id < $3
			ORDER BY deployment_id
			LIMIT 50
		) AS before
		UNION ALL
		SELECT *
		FROM (
			SELECT 3, deployment_id, state, admitted
			FROM deployments
			WHERE repository_id = $1 AND environment_key = $2 AND state = 'waiting' AND is_act <> 1 AND
				admitted = 1 AND deployment_id > $3
			ORDER BY deployment_id DESC
			LIMIT 1
		) AS newer
		UNION ALL
		SELECT *
		FROM (
			SELECT 4, deployment_id, state, admitted
			FROM deployments
			WHERE repository_id = $1 AND environment_key = $2 AND started = 1 AND deployment_id > $3
			ORDER BY deployment_id DESC
			LIMIT 1
		) AS started
		UNION ALL
		SELECT 4, deployment_id, 'succeeded', 1
		FROM deployed
		WHERE repository_id = $1 AND environment_key = $2 AND deployment_id > $3
	) AS queue
	ORDER BY part, deployment_id`

// Queue says what else there is in a deployment's environment. A deployment without a GitHub id,
// which is only a question, comes after all others.
func (s Environments) Queue(ctx context.Context, d deployment.Deployment) (policy.Queue, error) {
	var q policy.Queue
	own := d.Request.ID
	if own == 0 {
		own = math.MaxInt64
	}

	rows, err := s.db.all(ctx, queueQuery, d.Request.Repository.ID, d.Request.EnvironmentKey(), own)
	if err != nil {
		return q, err
	}

	_, err = scanEach(rows, func(s scanner) (id int64, err error) {
		var part int
		var state deployment.State
		var admitted bool
		if err := s.Scan(&part, &id, &state, &admitted); err != nil {
			return id, err
		}

		switch part {
		case partHolder:
			q.Holder, q.HolderState = id, state
			if admitted && id > own {
				q.NewerAdmitted = id
			}
		case partBefore:
			q.Before = append(q.Before, id)
		case partNewer:
			q.NewerAdmitted = max(q.NewerAdmitted, id)
		case partStarted:
			q.NewerStarted = max(q.NewerStarted, id)
		}

		return id, nil
	})

	return q, err
}
