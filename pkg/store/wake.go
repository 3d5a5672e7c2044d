package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// wakeNext makes the next in line due when the row leaves its environment's slot or the head of its
// queue, or its project's trigger.
func (t *tx) wakeNext(old currentRow, next deployment.Deployment) error {
	r := next.Request
	if old.slot && !next.HoldsSlot() || old.state == deployment.Waiting && !next.State.Open() {
		if err := t.dueNow(`repository_id = $1 AND environment_key = $2 AND state = 'waiting' ORDER BY deployment_id LIMIT 1`,
			r.Repository.ID, r.EnvironmentKey()); err != nil {
			return err
		}
	}

	if old.project && !next.HoldsProject() {
		return t.dueNow(`project_id = $1 AND project_id <> '' AND row_id <> $2 AND state = 'waiting' AND NOT EXISTS (
				SELECT 1 FROM deployments o WHERE o.repository_id = d.repository_id AND o.environment_key = d.environment_key AND o.row_id <> d.row_id
					AND (o.holds_slot = 1 OR o.state = 'waiting' AND o.deployment_id < d.deployment_id))
			ORDER BY row_id LIMIT 1`, next.Project.ID, next.Row)
	}

	return nil
}

func (t *tx) dueNow(where string, args ...any) error {
	var row int64
	err := t.row(`SELECT row_id FROM deployments d WHERE `+where, args, &row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE deployments SET due_at = $2, nudges = nudges + 1 WHERE row_id = $1`, row, micros(t.now)); err != nil {
		return err
	}

	t.wake(deployment.TaskAdvance, row, t.now)
	return nil
}

// wakeBatch is how many rows are made due in one transaction: few, so that what else is written
// waits for moments only.
const wakeBatch = 200

// woken says how far a batch of rows was made due.
type woken struct {
	last int64 // the row
	more bool  // there may be others after it
}

// wakeWaiting makes waiting rows d due now, the first ones after a row. The plus signs keep both
// databases from walking through all rows there ever were in the order of their ids.
func (t *tx) wakeWaiting(after int64, where string, args ...any) (w woken, err error) {
	due, from, most := len(args)+1, len(args)+2, len(args)+3
	t.wrote = true
	rows, err := t.all(
		`UPDATE deployments SET due_at = `+placeholder(
			due,
		)+`, nudges = nudges + 1 WHERE state = 'waiting' AND row_id IN (
			SELECT d.row_id FROM deployments d WHERE d.state = 'waiting' AND +d.row_id > `+placeholder(
			from,
		)+` AND `+where+`
			ORDER BY +d.row_id LIMIT `+placeholder(
			most,
		)+t.fragments().forUpdate+`)
		RETURNING row_id`,
		append(args, micros(t.now), after, wakeBatch)...)

	if err != nil {
		return w, err
	}

	ids, err := scanIDs(rows)
	for _, id := range ids {
		t.wake(deployment.TaskAdvance, id, t.now)
		w.last = max(w.last, id)
	}

	w.more = len(ids) >= wakeBatch
	return w, err
}

// wakeRest makes due, batch by batch, what the first one in an earlier commit left over.
func (db *DB) wakeRest(ctx context.Context, after int64, where string, args ...any) error {
	for {
		w, err := writeFor(ctx, db, func(t *tx) (woken, error) { return t.wakeWaiting(after, where, args...) })
		if err != nil || !w.more {
			return err
		}
		after = w.last
	}
}

// reach is what of the deployments d a lock covers.
func reach(l policy.Lock) (where string, args []any) {
	where = "1 = 1"
	if l.RepositoryID != 0 {
		args = append(args, l.RepositoryID)
		where += " AND d.repository_id = " + placeholder(len(args))
	}
	if key := scopeKey(l); key != "" {
		args = append(args, key)
		where += " AND d.environment_key = " + placeholder(len(args))
	}

	return where, args
}

// firstInReach is the first in line of each environment that a lock covers.
func firstInReach(l policy.Lock) (where string, args []any) {
	where, args = reach(l)
	return where + ` AND NOT EXISTS (SELECT 1 FROM deployments o WHERE o.repository_id = d.repository_id AND o.environment_key = d.environment_key
		AND o.state = 'waiting' AND o.deployment_id < d.deployment_id)`, args
}

// WakeQueue makes those waiting deployments of an environment due that a newer one, which the rules
// let in, may supersede.
func (db *DB) WakeQueue(ctx context.Context, repositoryID int64, environmentKey string) error {
	return db.wakeRest(ctx, 0, `d.repository_id = $1 AND d.environment_key = $2 AND d.is_act = 0 AND d.deployment_id < (
		SELECT max(n.deployment_id) FROM deployments n
		WHERE n.repository_id = $1 AND n.environment_key = $2 AND n.state = 'waiting' AND n.is_act = 0 AND n.admitted = 1)`, repositoryID, environmentKey)
}
