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
// empty: there is none.
func (db *DB) Deployed(ctx context.Context, repositoryID int64, environmentKey string) (sha string, err error) {
	err = db.get(ctx, `SELECT sha FROM deployments WHERE repository_id = $1 AND environment_key = $2 AND state = 'succeeded' AND pipeline_id <> ''
		ORDER BY deployment_id DESC LIMIT 1`, repositoryID, environmentKey).
		Scan(&sha)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return sha, err
}

// priorResult finds a commit's newest deployment among those that have ended, that wait, and that
// hold the environment, each by an index of its own: an index over all of them would make every
// delivery dearer.
const priorResult = `SELECT state FROM (
	SELECT * FROM (SELECT deployment_id, state FROM deployments WHERE repository_id = $1 AND environment_key = $2 AND sha = $3 AND is_act = 0
		AND state IN ('succeeded', 'failed', 'errored', 'canceled', 'rejected') ORDER BY deployment_id DESC LIMIT 1) AS ended
	UNION ALL SELECT deployment_id, state FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND sha = $3 AND is_act = 0 AND state = 'waiting'
	UNION ALL SELECT deployment_id, state FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND sha = $3 AND holds_slot = 1
) AS past ORDER BY deployment_id DESC LIMIT 1`

// PriorResult says what became of a commit's newest deployment in an environment. What locks and
// unlocks deploys nothing.
func (db *DB) PriorResult(
	ctx context.Context,
	repositoryID int64,
	environmentKey, sha string,
) (policy.PriorResult, error) {
	var state deployment.State
	err := db.get(ctx, priorResult, repositoryID, environmentKey, sha).Scan(&state)
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

// Pipelines returns the pipelines that were started for a commit of a repository, for any
// environment.
func (db *DB) Pipelines(ctx context.Context, repositoryID int64, sha string) ([]deployment.Pipeline, error) {
	rows, err := db.all(ctx, `SELECT `+deploymentColumns+` FROM deployments
		WHERE repository_id = $1 AND sha = $2 AND pipeline_id <> ''`, repositoryID, sha)
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

// The parts of a deployment's line.
const (
	partHolder  = 1
	partBefore  = 2
	partNewer   = 3
	partStarted = 4
)

// queue reads all of a line at one moment. What locks and unlocks is not in it: it takes no turn,
// though a start waits until an older one has been done.
const queue = `SELECT part, deployment_id, state, admitted FROM (
	SELECT 1 AS part, deployment_id, state, admitted FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND holds_slot = 1 AND deployment_id <> $3
	UNION ALL SELECT * FROM (SELECT 2, deployment_id, state, admitted FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND state = 'waiting' AND is_act = 0 AND deployment_id < $3 ORDER BY deployment_id LIMIT 50) AS b
	UNION ALL SELECT * FROM (SELECT 3, deployment_id, state, admitted FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND state = 'waiting' AND is_act = 0 AND admitted = 1 AND deployment_id > $3
		ORDER BY deployment_id DESC LIMIT 1) AS n
	UNION ALL SELECT * FROM (SELECT 4, deployment_id, state, admitted FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND started = 1 AND deployment_id > $3 ORDER BY deployment_id DESC LIMIT 1) AS s
) AS line ORDER BY part, deployment_id`

// Queue says what else there is in a deployment's environment. One without GitHub's id, which is
// only a question, comes after all others.
func (db *DB) Queue(ctx context.Context, d deployment.Deployment) (policy.Queue, error) {
	var l policy.Queue
	me := d.Request.ID
	if me == 0 {
		me = math.MaxInt64
	}

	rows, err := db.all(ctx, queue, d.Request.Repository.ID, d.Request.EnvironmentKey(), me)
	if err != nil {
		return l, err
	}

	places, err := scanEach(rows, scanPlace)
	for _, p := range places {
		p.addTo(&l, me)
	}

	return l, err
}

// queuePlace is one deployment in a line.
type queuePlace struct {
	part     int
	id       int64
	state    deployment.State
	admitted bool
}

func scanPlace(s scanner) (p queuePlace, err error) {
	var admitted int
	err = s.Scan(&p.part, &p.id, &p.state, &admitted)
	p.admitted = admitted == 1
	return p, err
}

func (p queuePlace) addTo(l *policy.Queue, me int64) {
	switch p.part {
	case partHolder:
		l.Holder, l.HolderState = p.id, p.state
		if p.admitted && p.id > me {
			l.Newer = p.id
		}
	case partBefore:
		l.Before = append(l.Before, p.id)
	case partNewer:
		l.Newer = max(l.Newer, p.id)
	case partStarted:
		l.Started = p.id
	}
}
