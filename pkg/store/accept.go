package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Accept makes a delivery and its waiting deployment durable in one commit, with the first entries
// of its timeline. Where many come at once the deployment is made a moment later, from what the
// commit holds; List and Get wait for it. duplicate says that the delivery, or the deployment by
// its ids, had been accepted before; nothing is changed then. An error means that it is not
// remembered, except when ctx ended in the middle of a commit: then a redelivery will be told
// duplicate.
func (db *DB) Accept(
	ctx context.Context,
	del deployment.Delivery,
	d deployment.Deployment,
	notes ...deployment.Entry,
) (duplicate bool, err error) {
	data, err := json.Marshal(d)
	if err != nil {
		return false, err
	}

	a := &arrival{del: del, d: d, data: data, notes: notes} // its write may go on after the caller has left
	if !db.porter.crowd.is() {
		if a.packed, err = pack(del.Body); err != nil { // here, where it keeps nobody waiting
			return false, err
		}
	}

	it := newItem(ctx, func(t *tx) error { return t.enter(a) })
	it.arrival = a
	err = db.dialect.accept(it)
	return err == nil && a.known, err
}

func (t *tx) accept(a *arrival) (duplicate bool, err error) {
	fresh, err := t.remember(a)
	if err != nil || !fresh {
		return err == nil, err
	}

	row, err := t.insert(a.d, a.data)
	if err != nil {
		return false, err
	}
	if row == 0 {
		return true, t.forget(a.del)
	}

	entries := append([]deployment.Entry{{
		At:     a.d.AcceptedAt,
		Event:  "accepted",
		Detail: "by " + a.del.Source,
	}}, a.notes...)

	if err := t.addTimeline(row, entries); err != nil {
		return false, err
	}

	t.wake(deployment.TaskAdvance, row, a.d.Due)
	return false, nil
}

// remember stores a delivery that leads to a deployment. fresh is false when its GUID had led to
// one before.
func (t *tx) remember(a *arrival) (fresh bool, err error) {
	if a.packed == nil {
		if a.packed, err = pack(a.del.Body); err != nil {
			return false, err
		}
	}

	return changedOne(
		t.exec(
			`INSERT INTO deliveries (guid, event, source, repository_id, deployment_id, received_at, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (guid) DO UPDATE SET repository_id = excluded.repository_id, deployment_id = excluded.deployment_id,
			received_at = excluded.received_at, body = excluded.body, ignored = '' WHERE deliveries.ignored <> ''`,
			a.del.GUID,
			a.del.Event,
			a.del.Source,
			a.del.RepositoryID,
			a.del.DeploymentID,
			micros(a.del.ReceivedAt),
			a.packed,
		),
	)
}

// forget takes the delivery of a deployment that is known already back to one that led nowhere,
// without its body.
func (t *tx) forget(del deployment.Delivery) error {
	_, err := t.exec(`UPDATE deliveries SET ignored = 'duplicate', body = NULL WHERE guid = $1`, del.GUID)
	return err
}

// insert gives the new row's id, or 0 when the deployment is known.
func (t *tx) insert(d deployment.Deployment, data []byte) (int64, error) {
	var row int64
	t.wrote = true
	err := t.row(
		insertDeployment,
		[]any{
			d.Request.Repository.ID,
			d.Request.ID,
			strings.ToLower(d.Request.Repository.FullName()),
			d.Request.EnvironmentKey(),
			string(
				d.State,
			),
			d.Target.Key,
			micros(d.AcceptedAt),
			nullTime(d.Due),
			string(data),
			d.Request.SHA,
			flag(d.Target.LockTask != ""),
		},
		&row,
	)

	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}

	return row, err
}

const insertDeployment = `INSERT INTO deployments (repository_id, deployment_id, repository, environment_key, state, trigger_key, accepted_at, due_at, data, sha, is_act)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 WHERE NOT EXISTS (SELECT 1 FROM pruned WHERE repository_id = $1 AND deployment_id = $2)
	ON CONFLICT (repository_id, deployment_id) DO NOTHING RETURNING row_id`

// Ignored records a delivery that led to no deployment, unless its GUID led to one. No body is
// kept.
func (db *DB) Ignored(ctx context.Context, del deployment.Delivery, reason string) error {
	return db.dialect.accept(newItem(ctx, func(t *tx) error {
		_, err := t.exec(
			`INSERT INTO deliveries (guid, event, source, repository_id, deployment_id, received_at, ignored)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (guid) DO UPDATE SET received_at = excluded.received_at, ignored = excluded.ignored WHERE deliveries.ignored <> ''`,
			del.GUID,
			del.Event,
			del.Source,
			del.RepositoryID,
			del.DeploymentID,
			micros(del.ReceivedAt),
			reason,
		)

		return err
	}))
}

// Known says whether a delivery's GUID, or the deployment by its ids, has led to a deployment, or
// will.
func (db *DB) Known(ctx context.Context, del deployment.Delivery) (bool, error) {
	var n int
	err := db.get(ctx, `SELECT (SELECT count(*) FROM deliveries WHERE guid = $1 AND ignored IN ('', 'duplicate'))
		+ (SELECT count(*) FROM deployments WHERE repository_id = $2 AND deployment_id = $3)
		+ (SELECT count(*) FROM pruned WHERE repository_id = $2 AND deployment_id = $3)
		+ (SELECT count(*) FROM inbox_keys WHERE repository_id = $2 AND deployment_id = $3)`, del.GUID, del.RepositoryID, del.DeploymentID).Scan(&n)
	return n > 0, err
}

// NotAccepted gives those of a repository's GitHub deployment ids that were not accepted.
func (db *DB) NotAccepted(ctx context.Context, repositoryID int64, ids []int64) ([]int64, error) {
	var unseen []int64
	for _, id := range ids {
		var n int
		err := db.get(ctx, `SELECT (SELECT count(*) FROM deployments WHERE repository_id = $1 AND deployment_id = $2)
			+ (SELECT count(*) FROM pruned WHERE repository_id = $1 AND deployment_id = $2)
			+ (SELECT count(*) FROM inbox_keys WHERE repository_id = $1 AND deployment_id = $2)`, repositoryID, id).Scan(&n)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			unseen = append(unseen, id)
		}
	}

	return unseen, nil
}

func changedOne(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
