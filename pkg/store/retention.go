package store

import (
	"context"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// pruneBatch is how many rows go in one transaction: few, so that what else is written waits for
// moments only.
const pruneBatch = 200

// Prune deletes a batch of what is older than a moment: finished deployments with their history and
// approvals, the bodies of deliveries, deliveries that led nowhere, pipelines that no look-up can
// meet any more, locks that have ended, and notices. What keeps a deployment from running twice
// stays for ever: the GUIDs of deliveries that led to one, and the deployments' ids. So do each
// environment's newest success, which says what is deployed there, and the audit. more says that
// there may be another batch.
func (db *DB) Prune(ctx context.Context, before time.Time) (more bool, err error) {
	most, err := writeFor(ctx, db, func(t *tx) (most int64, err error) {
		for _, step := range []func(int64) (int64, error){
			t.pruneDeployments, t.pruneBodies, t.pruneDuplicates, t.pruneIgnored, t.prunePipelines, t.pruneRedeliveries, t.pruneLocks, t.pruneNotices,
		} {
			n, err := step(micros(before))
			if err != nil {
				return 0, err
			}

			most = max(most, n)
		}

		return most, nil
	})

	return most >= pruneBatch, err
}

// finished is what may go: it has ended, nothing of it is due, and it is not what is deployed.
const finished = `SELECT row_id FROM deployments d WHERE accepted_at < $1 AND state IN ('succeeded', 'failed', 'errored', 'canceled', 'rejected')
	AND due_at IS NULL AND report_due_at IS NULL AND holds_slot = 0 AND holds_project = 0
	AND (state <> 'succeeded' OR pipeline_id = '' OR EXISTS (SELECT 1 FROM deployments n WHERE n.repository_id = d.repository_id
		AND n.environment_key = d.environment_key AND n.state = 'succeeded' AND n.pipeline_id <> '' AND n.deployment_id > d.deployment_id))
	ORDER BY accepted_at LIMIT $2`

func (t *tx) pruneDeployments(before int64) (int64, error) {
	rows, err := t.QueryContext(t.ctx, finished, before, pruneBatch)
	if err != nil {
		return 0, err
	}

	ids, err := scanIDs(rows)
	for _, id := range ids {
		for _, statement := range []string{
			`INSERT INTO pruned (repository_id, deployment_id) SELECT repository_id, deployment_id FROM deployments WHERE row_id = $1`,
			`DELETE FROM timeline WHERE row_id = $1`, `DELETE FROM reports WHERE row_id = $1`, `DELETE FROM deployments WHERE row_id = $1`,
		} {
			if _, err := t.exec(statement, id); err != nil {
				return 0, err
			}
		}
	}

	return int64(len(ids)), err
}

func (t *tx) pruneBodies(before int64) (int64, error) {
	return t.changed(`UPDATE deliveries SET body = NULL WHERE guid IN (
		SELECT guid FROM deliveries WHERE received_at < $1 AND body IS NOT NULL ORDER BY received_at LIMIT $2)`, before)
}

func (t *tx) pruneDuplicates(before int64) (int64, error) {
	return t.changed(`DELETE FROM deliveries WHERE guid IN (
		SELECT guid FROM deliveries WHERE received_at < $1 AND ignored <> '' AND ignored = 'duplicate'
		ORDER BY received_at LIMIT $2)`, before)
}

// pruneIgnored deletes what IgnoredDeliveries does not show any more, whatever the retention is.
func (t *tx) pruneIgnored(int64) (int64, error) {
	return t.changed(`DELETE FROM deliveries WHERE guid IN (
		SELECT guid FROM deliveries WHERE received_at < $1 AND ignored <> '' AND ignored <> 'duplicate'
		ORDER BY received_at LIMIT $2)`, micros(t.now.Add(-deployment.KeepIgnored)))
}

// prunePipelines keeps those of deployments that are there: they are claimed.
func (t *tx) prunePipelines(before int64) (int64, error) {
	return t.changed(`DELETE FROM pipelines WHERE pipeline_id IN (
		SELECT p.pipeline_id FROM pipelines p LEFT JOIN deployments d ON d.row_id = p.row_id
		WHERE p.seen_at < $1 AND d.row_id IS NULL ORDER BY p.seen_at LIMIT $2)`, before)
}

func (t *tx) pruneRedeliveries(before int64) (int64, error) {
	return t.changed(
		`DELETE FROM redeliveries WHERE guid IN (SELECT guid FROM redeliveries WHERE asked_at < $1 LIMIT $2)`,
		before,
	)
}

func (t *tx) pruneLocks(before int64) (int64, error) {
	return t.changed(
		`DELETE FROM locks WHERE id IN (SELECT id FROM locks WHERE coalesce(ended_at, expires_at) < $1 LIMIT $2)`,
		before,
	)
}

func (t *tx) pruneNotices(before int64) (int64, error) {
	return t.changed(
		`DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE at < $1 ORDER BY id LIMIT $2)`,
		before,
	)
}

func (t *tx) changed(statement string, before int64) (int64, error) {
	res, err := t.exec(statement, before, pruneBatch)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
