package store

import (
	"context"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// pruneBatch is how many rows are deleted in one transaction. It is small, so that other writes do
// not wait for long.
const pruneBatch = 200

// Prune deletes a batch of what is older than a moment: finished deployments with their history and
// approvals, the bodies of deliveries, deliveries that led to no deployment, pipelines that no
// look-up can meet any more, locks that have ended, requests that have ended, notices, and messages to chat
// systems that are about no deployment and not due. more says that there may be another batch.
//
// What keeps a deployment from running twice is never deleted: the GUIDs of deliveries that led to
// one, and the ids of deployments. Neither are the id and the commit of what is deployed in each
// environment, the successes to which one can roll back with the bodies of their deliveries, and the audit.
func (s Retention) Prune(ctx context.Context, before time.Time) (more bool, err error) {
	return writeFor(ctx, s.db, func(t *tx) (more bool, err error) {
		deleted, err := t.pruneDeployments(micros(before))
		if err != nil {
			return false, err
		}

		more = deleted >= pruneBatch
		for _, statement := range pruneStatements {
			full, err := t.pruneBatch(statement, before)
			if err != nil {
				return false, err
			}
			more = more || full
		}

		for _, kept := range []struct {
			statement string
			before    time.Time
		}{
			{pruneAnswers, t.now.Add(-deployment.KeepAnswers)},
			{pruneIgnored, t.now.Add(-deployment.KeepIgnored)},
			{pruneChatDeliveries, t.now.Add(-deployment.KeepChatDeliveries)},
			{pruneChatKeys, t.now},
		} {
			full, err := t.pruneBatch(kept.statement, kept.before)
			if err != nil {
				return false, err
			}
			more = more || full
		}

		return more, nil
	})
}

// pruneBatch deletes a batch of what is older than a moment. full says that there may be more.
func (t *tx) pruneBatch(statement string, before time.Time) (full bool, err error) {
	result, err := t.exec(statement, micros(before), pruneBatch)
	if err != nil {
		return false, err
	}

	changed, err := result.RowsAffected()
	return changed >= pruneBatch, err
}

// pruneIgnored deletes deliveries that IgnoredDeliveries does not list any more, whatever the retention is.
const pruneIgnored = `
	DELETE FROM deliveries
	WHERE guid IN (
		SELECT guid
		FROM deliveries
		WHERE received_at < $1 AND ignored <> '' AND ignored <> 'duplicate'
		ORDER BY received_at
		LIMIT $2
	)`

// pruneStatements each delete a batch of something. Pipelines of deployments that are still there
// stay: they are claimed.
var pruneStatements = []string{
	`UPDATE deliveries
	SET body = NULL
	WHERE guid IN (
		SELECT guid
		FROM deliveries
		WHERE received_at < $1 AND body IS NOT NULL AND
			NOT EXISTS (SELECT 1 FROM successes s WHERE s.delivery = guid)
		ORDER BY received_at
		LIMIT $2
	)`,
	`DELETE FROM deliveries
	WHERE guid IN (
		SELECT guid
		FROM deliveries
		WHERE received_at < $1 AND ignored <> '' AND ignored = 'duplicate'
		ORDER BY received_at
		LIMIT $2
	)`,
	`DELETE FROM pipelines
	WHERE pipeline_id IN (
		SELECT p.pipeline_id
		FROM pipelines p
		LEFT JOIN deployments d ON d.row_id = p.row_id
		WHERE p.seen_at < $1 AND d.row_id IS NULL
		ORDER BY p.seen_at
		LIMIT $2
	)`,
	`DELETE FROM redeliveries
	WHERE guid IN (SELECT guid FROM redeliveries WHERE asked_at < $1 LIMIT $2)`,
	`DELETE FROM locks
	WHERE id IN (SELECT id FROM locks WHERE coalesce(ended_at, expires_at) < $1 LIMIT $2)`,
	`DELETE FROM requests
	WHERE row_id IN (SELECT row_id FROM requests WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)`,
	`DELETE FROM notices
	WHERE id IN (SELECT id FROM notices WHERE at < $1 ORDER BY id LIMIT $2)`,
	pruneMessages,
}

// finishedDeployments may be deleted: they ended before a moment, and nothing of them is due.
const finishedDeployments = `
	SELECT row_id
	FROM deployments
	WHERE ended_at < $1 AND
		due_at IS NULL AND
		report_due_at IS NULL AND
		holds_slot = 0 AND
		holds_project = 0
	ORDER BY ended_at
	LIMIT $2`

func (t *tx) pruneDeployments(before int64) (deleted int, err error) {
	rows, err := t.all(finishedDeployments, before, pruneBatch)
	if err != nil {
		return 0, err
	}

	ids, err := scanEach(rows, scanID)
	if err != nil {
		return 0, err
	}

	for _, id := range ids {
		for _, statement := range []string{
			`INSERT INTO pruned (repository_id, deployment_id)
			SELECT repository_id, deployment_id FROM deployments WHERE row_id = $1`,
			`DELETE FROM timeline WHERE row_id = $1`,
			`DELETE FROM reports WHERE row_id = $1`,
			`DELETE FROM deployments WHERE row_id = $1`,
		} {
			if _, err := t.exec(statement, id); err != nil {
				return 0, err
			}
		}
	}

	return len(ids), nil
}
