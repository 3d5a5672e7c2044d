package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// defaultKeep is how many earlier successes of an environment are kept for a deployment that does not say.
const defaultKeep = 10

// recordDeployed records what is deployed in an environment, if that is this deployment from now on, and
// that its commit has succeeded there. Lock tasks and operations deploy nothing.
func (t *tx) recordDeployed(old currentRow, next deployment.Deployment) error {
	if next.State != deployment.Succeeded || old.state == deployment.Succeeded ||
		pipelineID(next) == "" || next.Target.Operation {
		return nil
	}

	r := next.Request
	_, err := t.exec(`
		INSERT INTO deployed (repository_id, environment_key, deployment_id, sha)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (repository_id, environment_key) DO UPDATE SET
			deployment_id = excluded.deployment_id,
			sha = excluded.sha
		WHERE deployed.deployment_id < excluded.deployment_id`,
		r.Repository.ID,
		r.EnvironmentKey(),
		r.ID,
		r.SHA,
	)
	if err != nil {
		return err
	}
	if err := t.recordSuccess(next); err != nil {
		return err
	}

	return t.forgetSuccesses(next)
}

// recordSuccess records that the commit of a deployment has succeeded with its task. Earlier successes of the
// commit with other tasks are no longer bad.
func (t *tx) recordSuccess(d deployment.Deployment) error {
	r := d.Request
	_, err := t.exec(`
		INSERT INTO successes (repository_id, environment_key, sha, deployment_id, ref, task, delivery, ended_at, forced)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (repository_id, environment_key, sha, task) DO UPDATE SET
			deployment_id = excluded.deployment_id,
			ref = excluded.ref,
			delivery = excluded.delivery,
			ended_at = excluded.ended_at,
			bad_at = NULL,
			bad_by = '',
			forced = successes.forced * excluded.forced
		WHERE successes.deployment_id < excluded.deployment_id`,
		r.Repository.ID,
		r.EnvironmentKey(),
		r.SHA,
		r.ID,
		r.Ref,
		r.Task,
		d.Delivery,
		micros(t.now),
		flag(d.Forced),
	)
	if err != nil {
		return err
	}

	_, err = t.exec(`
		UPDATE successes
		SET bad_at = NULL, bad_by = ''
		WHERE repository_id = $1 AND environment_key = $2 AND sha = $3 AND deployment_id < $4`,
		r.Repository.ID,
		r.EnvironmentKey(),
		r.SHA,
		r.ID,
	)
	return err
}

// forgetSuccesses deletes what is older than the successes of the deployment's task that are kept: the newest
// one, and as many before it as the deployment says. Those that were rolled back from do not count. Those of
// another task stay, so that many deployments of one task leave a target of a rollback for the others.
func (t *tx) forgetSuccesses(d deployment.Deployment) error {
	keep := d.Target.Keep
	if keep <= 0 {
		keep = defaultKeep
	}

	_, err := t.exec(`
		DELETE FROM successes
		WHERE repository_id = $1 AND environment_key = $2 AND task = $4 AND deployment_id < (
			SELECT deployment_id
			FROM successes
			WHERE repository_id = $1 AND environment_key = $2 AND task = $4 AND bad_at IS NULL
			ORDER BY deployment_id DESC
			LIMIT 1 OFFSET $3
		)`,
		d.Request.Repository.ID,
		d.Request.EnvironmentKey(),
		keep,
		d.Request.Task,
	)
	return err
}

// markRolledBack marks, when a rollback starts, every other commit that has succeeded in the environment since
// the one to which it goes back: it is bad from now on.
func (t *tx) markRolledBack(old currentRow, next deployment.Deployment) error {
	r := next.Request
	if !r.IsRollback() || next.State != deployment.Triggering || old.state == deployment.Triggering {
		return nil
	}

	by, err := json.Marshal(r.Asked.By)
	if err != nil {
		return err
	}

	_, err = t.exec(`
		UPDATE successes
		SET bad_at = $5, bad_by = $6
		WHERE repository_id = $1 AND environment_key = $2 AND deployment_id > $3 AND sha <> $4 AND bad_at IS NULL`,
		r.Repository.ID,
		r.EnvironmentKey(),
		r.Asked.BackTo,
		r.SHA,
		micros(t.now),
		string(by),
	)
	return err
}

// Successes lists the commits that have succeeded in an environment, each by the newest deployment of each task.
// The newest deployment comes first.
func (s Environments) Successes(
	ctx context.Context,
	repositoryID int64,
	environmentKey string,
) ([]deployment.Success, error) {
	rows, err := s.db.all(ctx, `
		SELECT deployment_id, sha, ref, task, delivery, ended_at, bad_at, bad_by, forced
		FROM successes
		WHERE repository_id = $1 AND environment_key = $2
		ORDER BY deployment_id DESC`,
		repositoryID,
		environmentKey,
	)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, func(s scanner) (found deployment.Success, err error) {
		var ended int64
		var bad sql.NullInt64
		var by string
		err = s.Scan(
			&found.DeploymentID,
			&found.SHA,
			&found.Ref,
			&found.Task,
			&found.Delivery,
			&ended,
			&bad,
			&by,
			&found.Forced,
		)
		if err == nil && by != "" {
			err = json.Unmarshal([]byte(by), &found.BadBy)
		}

		found.EndedAt, found.BadSince = at(ended), atOrZero(bad)
		return found, err
	})
}

// WaitingBefore lists the rows of an environment that wait and are older than a deployment, the oldest
// first. Those that lock or unlock are not among them.
func (s Environments) WaitingBefore(
	ctx context.Context,
	repositoryID int64,
	environmentKey string,
	deploymentID int64,
) ([]int64, error) {
	rows, err := s.db.all(ctx, `
		SELECT row_id
		FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND state = 'waiting' AND is_act <> 1 AND deployment_id < $3
		ORDER BY deployment_id`,
		repositoryID,
		environmentKey,
		deploymentID,
	)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, scanID)
}

// DeliveryBody reads the body of a delivery. deployment.ErrNotFound: it is not there any more.
func (s Intake) DeliveryBody(ctx context.Context, guid string) ([]byte, error) {
	var stored []byte
	err := s.db.get(ctx, `SELECT body FROM deliveries WHERE guid = $1 AND body IS NOT NULL`, guid).Scan(&stored)
	if errors.Is(err, sql.ErrNoRows) || err == nil && len(stored) == 0 {
		return nil, deployment.ErrNotFound
	}

	return uncompressBody(stored), err
}
