package store

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Deployed gives the commit of an environment's newest deployment that succeeded with a pipeline; empty: there is none.
func (db *DB) Deployed(ctx context.Context, repositoryID int64, environmentKey string) (sha string, err error) {
	err = db.get(ctx, `SELECT sha FROM deployments WHERE repository_id = $1 AND environment_key = $2 AND state = 'succeeded' AND pipeline_id <> ''
		ORDER BY deployment_id DESC LIMIT 1`, repositoryID, environmentKey).Scan(&sha)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return sha, err
}

// past finds a commit's newest deployment among those that have ended, that wait, and that hold the environment, each by an index of its own: an index
// over all of them would make every delivery dearer.
const past = `SELECT state FROM (
	SELECT * FROM (SELECT deployment_id, state FROM deployments WHERE repository_id = $1 AND environment_key = $2 AND sha = $3 AND is_act = 0
		AND state IN ('succeeded', 'failed', 'errored', 'canceled', 'rejected') ORDER BY deployment_id DESC LIMIT 1) AS ended
	UNION ALL SELECT deployment_id, state FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND sha = $3 AND is_act = 0 AND state = 'waiting'
	UNION ALL SELECT deployment_id, state FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND sha = $3 AND holds_slot = 1
) AS past ORDER BY deployment_id DESC LIMIT 1`

// Past says what became of a commit's newest deployment in an environment. What locks and unlocks deploys nothing.
func (db *DB) Past(ctx context.Context, repositoryID int64, environmentKey, sha string) (policy.Past, error) {
	var state deployment.State
	err := db.get(ctx, past, repositoryID, environmentKey, sha).Scan(&state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return policy.PastNone, nil
	case err != nil:
		return policy.PastNone, err
	case state.Open():
		return policy.PastOpen, nil
	case state == deployment.Succeeded:
		return policy.PastSucceeded, nil
	default:
		return policy.PastFailed, nil
	}
}

// The parts of a deployment's line.
const (
	partHolder  = 1
	partBefore  = 2
	partNewer   = 3
	partStarted = 4
)

// line reads all of a line at one moment. What locks and unlocks is not in it: it takes no turn, though a start waits until an older one has been done.
const line = `SELECT part, deployment_id, state, admitted FROM (
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

// Line says what else there is in a deployment's environment. One without GitHub's id, which is only a question, comes after all others.
func (db *DB) Line(ctx context.Context, d deployment.Deployment) (policy.Line, error) {
	var l policy.Line
	me := d.Request.ID
	if me == 0 {
		me = math.MaxInt64
	}
	rows, err := db.all(ctx, line, d.Request.Repository.ID, d.Request.EnvironmentKey(), me)
	if err != nil {
		return l, err
	}
	places, err := scanEach(rows, scanPlace)
	for _, p := range places {
		p.addTo(&l, me)
	}
	return l, err
}

// place is one deployment in a line.
type place struct {
	part     int
	id       int64
	state    deployment.State
	admitted bool
}

func scanPlace(s scanner) (p place, err error) {
	var admitted int
	err = s.Scan(&p.part, &p.id, &p.state, &admitted)
	p.admitted = admitted == 1
	return p, err
}

func (p place) addTo(l *policy.Line, me int64) {
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
