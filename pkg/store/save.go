package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Save writes the next version of a row, its timeline, reports and audit events in one commit, and
// ends the row's lease unless the options keep it. It writes nothing and returns
// deployment.ErrVersionConflict when the row was written since it was read,
// *deployment.BlockedError when the deployment may not start now, which includes locks that are not
// among the changes' PassedLocks, and *deployment.PipelineTakenError when its pipeline belongs to
// another row.
func (s Deployments) Save(
	ctx context.Context,
	next deployment.Deployment,
	changes deployment.Changes,
	o deployment.SaveOptions,
) (deployment.Deployment, error) {
	leasedUntil, err := writeFor(ctx, s.db, func(t *tx) (time.Time, error) {
		if err := t.lockEnvironments(next); err != nil {
			return time.Time{}, err
		}
		return leaseEnd(t.now, o.CallTimeout), t.save(next, changes, o)
	})
	if err != nil {
		return next, err
	}

	switch {
	case !o.KeepLease:
		s.db.leases.ended(advanceTask(next.Row))
	case o.CallTimeout > 0:
		s.db.leases.extended(advanceTask(next.Row), leasedUntil)
	}

	next.Version++
	next.Woken = false
	return next, nil
}

// SavePair is Save of two rows in one commit, the first one first. It ends both leases.
func (s Deployments) SavePair(ctx context.Context, first, second deployment.Update) error {
	err := s.db.write(ctx, func(t *tx) error {
		if err := t.lockEnvironments(first.Next, second.Next); err != nil {
			return err
		}
		if err := t.save(first.Next, first.Changes, deployment.SaveOptions{}); err != nil {
			return err
		}
		return t.save(second.Next, second.Changes, deployment.SaveOptions{})
	})
	if err != nil {
		return err
	}

	s.db.leases.ended(advanceTask(first.Next.Row))
	s.db.leases.ended(advanceTask(second.Next.Row))
	return nil
}

// save reads before it writes, so that a row that is refused does not disturb the others of a batch.
func (t *tx) save(next deployment.Deployment, changes deployment.Changes, o deployment.SaveOptions) error {
	old, err := t.readVersion(next)
	if err != nil {
		return err
	}

	if err := t.checkCanStart(old, next, changes.PassedLocks); err != nil {
		return err
	}
	if err := t.claimPipeline(old, next); err != nil {
		return err
	}
	if err := t.updateRow(old, next, o); err != nil {
		return err
	}
	if err := t.recordDeployed(old, next); err != nil {
		return err
	}
	if err := t.markRolledBack(old, next); err != nil {
		return err
	}
	if err := t.insertHistory(next, changes); err != nil {
		return err
	}
	if err := t.saveProject(next.Target, changes.Project); err != nil {
		return err
	}
	if changes.Disowned {
		if err := t.disown(next.Row); err != nil {
			return err
		}
		if err := t.reopenIntent(next.Request); err != nil {
			return err
		}
	}

	t.acts = append(t.acts, changes.Audit...)
	return t.wakeNext(old, next)
}

// readVersion is readCurrent of a row that is still as the caller read it, and deployment.ErrVersionConflict
// otherwise. A row with another key is another deployment: a database that took over without the newest commits may
// have given it the number.
func (t *tx) readVersion(next deployment.Deployment) (currentRow, error) {
	current, err := t.readCurrent(next.Row)
	if err == nil && (current.version != next.Version || current.key != next.Target.Key) {
		err = deployment.ErrVersionConflict
	}
	return current, err
}

// currentRow is what Save needs to know of a row as it stands.
type currentRow struct {
	version    int64
	key        string
	wakeCount  int64
	slot       bool // it holds its environment's slot
	project    bool // it holds the trigger of its project
	started    bool
	state      deployment.State
	projectID  string
	pipelineID string
}

func (t *tx) readCurrent(row int64) (current currentRow, err error) {
	err = t.row(`
		SELECT
			version,
			trigger_key,
			nudges,
			holds_slot,
			holds_project,
			started,
			state,
			project_id,
			pipeline_id
		FROM deployments
		WHERE row_id = $1`+t.fragments().forUpdate,
		[]any{row},
		&current.version,
		&current.key,
		&current.wakeCount,
		&current.slot,
		&current.project,
		&current.started,
		&current.state,
		&current.projectID,
		&current.pipelineID,
	)
	if errors.Is(err, sql.ErrNoRows) {
		return current, deployment.ErrNotFound
	}

	return current, err
}

func (t *tx) updateRow(old currentRow, next deployment.Deployment, o deployment.SaveOptions) error {
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}

	var endedAt any // NULL while it is open
	if !next.State.Open() {
		endedAt = micros(t.now)
	}

	due, err := t.dueAfterSave(old, next)
	if err != nil {
		return err
	}

	setLease, leaseArgs := t.leaseAfterSave(o)
	args := []any{
		next.Row,
		strings.ToLower(next.Request.Repository.FullName()),
		string(next.State),
		flag(next.HoldsSlot()),
		flag(next.HoldsProject()),
		flag(hasStarted(old, next)),
		next.Project.ID,
		pipelineID(next),
		nullTime(due),
		string(data),
		flag(!next.AdmittedAt.IsZero()),
		flag(waitsForProject(next)),
		endedAt,
	}
	_, err = t.exec(`
		UPDATE deployments
		SET
			repository = $2,
			state = $3,
			version = version + 1,
			holds_slot = $4,
			holds_project = $5,
			started = $6,
			project_id = $7,
			pipeline_id = $8,
			due_at = $9,
			data = $10,
			admitted = $11,
			waits_project = $12,
			ended_at = CASE state WHEN $3 THEN coalesce(ended_at, $13) ELSE $13 END`+setLease+`
		WHERE row_id = $1`,
		append(args, leaseArgs...)...,
	)
	if err != nil || o.KeepLease {
		return err
	}

	t.wake(advanceTask(next.Row), due)
	return nil
}

// disown gives up the GitHub id of a row, so that the deployment that has the id is no duplicate, and its unsent
// reports, which would be written to that deployment. The row keeps the id in its data, to be shown.
func (t *tx) disown(row int64) error {
	_, err := t.exec(
		`UPDATE reports SET fate = $2 WHERE row_id = $1 AND fate IN ($3, $4)`,
		row,
		string(deployment.ReportSuperseded),
		string(deployment.ReportPending),
		string(deployment.ReportUnknown),
	)
	if err != nil {
		return err
	}

	_, err = t.exec(`UPDATE deployments SET deployment_id = -row_id, report_due_at = NULL WHERE row_id = $1`, row)
	return err
}

// leaseAfterSave gives the part of updateRow's statement that ends or extends the row's lease, and its
// parameters.
func (t *tx) leaseAfterSave(o deployment.SaveOptions) (set string, args []any) {
	switch {
	case !o.KeepLease:
		return t.fragments().endLease, nil
	case o.CallTimeout > 0 && t.fragments().extendLease != "":
		return t.fragments().extendLease, []any{micros(leaseEnd(t.now, o.CallTimeout))}
	default:
		return "", nil
	}
}

// hasStarted reports whether the deployment has a pipeline, or may have one. Back in the queue it
// has none.
func hasStarted(old currentRow, next deployment.Deployment) bool {
	return next.Pipeline != nil ||
		next.State == deployment.Unconfirmed ||
		old.started && next.State != deployment.Waiting
}

// insertHistory adds timeline entries, reports, and the pipelines that a look-up saw and nobody
// adopted.
func (t *tx) insertHistory(next deployment.Deployment, changes deployment.Changes) error {
	if err := t.addTimeline(next.Row, changes.Timeline); err != nil {
		return err
	}

	for _, id := range changes.Unclaimed {
		_, err := t.exec(`
			INSERT INTO pipelines (pipeline_id, project_id, row_id, seen_at)
			VALUES ($1, $2, 0, $3)
			ON CONFLICT (pipeline_id) DO NOTHING`,
			id,
			next.Project.ID,
			micros(t.now),
		)
		if err != nil {
			return err
		}
	}

	return t.addReports(next.Row, changes.Reports)
}

func (t *tx) addTimeline(row int64, entries []deployment.Entry) error {
	for _, e := range entries {
		t.changed = true
		_, err := t.exec(
			`INSERT INTO timeline (row_id, at, event, detail) VALUES ($1, $2, $3, $4)`,
			row,
			micros(e.At),
			e.Event,
			e.Detail,
		)
		if err != nil {
			return err
		}
	}

	return nil
}
