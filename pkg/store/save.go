package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Save writes the next version of a row and what stands beside it in one commit, its acts in the
// audit too, and ends the row's lease unless keep says otherwise. It fails with deployment.ErrStale
// when the row was written in the meantime, with *deployment.Busy when the row may not start now,
// be it for a lock that ch does not pass, and with *deployment.Taken when its pipeline belongs to
// another row; then nothing is written.
func (db *DB) Save(
	ctx context.Context,
	next deployment.Deployment,
	ch deployment.Changes,
	keep bool,
) (deployment.Deployment, error) {
	err := db.write(ctx, func(t *tx) error {
		if err := t.lockEnvironments(next); err != nil {
			return err
		}

		return t.save(next, ch, keep)
	})

	if err != nil {
		return next, err
	}

	next.Version++
	next.Woken = false
	if !keep {
		db.leases.ended(advanceTask(next.Row))
	}

	return next, nil
}

// SavePair writes two rows in one commit, the first one first.
func (db *DB) SavePair(
	ctx context.Context,
	a deployment.Deployment,
	ca deployment.Changes,
	b deployment.Deployment,
	cb deployment.Changes,
) error {
	err := db.write(ctx, func(t *tx) error {
		if err := t.lockEnvironments(a, b); err != nil {
			return err
		}
		if err := t.save(a, ca, false); err != nil {
			return err
		}

		return t.save(b, cb, false)
	})

	if err == nil {
		db.leases.ended(advanceTask(a.Row))
		db.leases.ended(advanceTask(b.Row))
	}

	return err
}

// currentRow is what save needs to know of the row as it is.
type currentRow struct {
	version, wakeCount int64
	slot, project      bool
	started            bool
	state              deployment.State
	projectID          string
	pipelineID         string
}

func (t *tx) save(next deployment.Deployment, ch deployment.Changes, keep bool) error {
	old, err := t.readCurrent(next.Row)
	if err != nil {
		return err
	}
	if old.version != next.Version {
		return deployment.ErrVersionConflict
	}
	if err := t.mayStart(old, next, ch.PassedLocks); err != nil {
		return err
	}
	if err := t.mayClaim(old, next); err != nil {
		return err
	}
	if err := t.claim(old, next); err != nil {
		return err
	}
	if err := t.update(old, next, keep); err != nil {
		return err
	}
	if err := t.insertHistory(next, ch); err != nil {
		return err
	}

	t.acts = append(t.acts, ch.Audit...)
	return t.wakeNext(old, next)
}

func (t *tx) readCurrent(row int64) (s currentRow, err error) {
	err = t.row(
		`SELECT version, nudges, holds_slot, holds_project, started, state, project_id, pipeline_id FROM deployments WHERE row_id = $1`+t.fragments().forUpdate,
		[]any{row},
		&s.version,
		&s.wakeCount,
		&s.slot,
		&s.project,
		&s.started,
		&s.state,
		&s.projectID,
		&s.pipelineID,
	)

	if errors.Is(err, sql.ErrNoRows) {
		err = deployment.ErrNotFound
	}

	return s, err
}

// mayStart keeps the order of an environment, its one slot, its locks, and the one trigger of a
// project.
func (t *tx) mayStart(old currentRow, next deployment.Deployment, passed []int64) error {
	if next.HoldsSlot() && !old.slot {
		if err := t.mayTakeSlot(next); err != nil {
			return err
		}
	}

	if next.State == deployment.Triggering && old.state != deployment.Triggering {
		if err := t.mayPassLocks(next, passed); err != nil {
			return err
		}
	}

	if next.HoldsProject() && !old.project {
		return t.findBlocker(deployment.BlockedByProject, `project_id = $1 AND holds_project = 1`, next.Project.ID)
	}

	return nil
}

func (t *tx) mayTakeSlot(next deployment.Deployment) error {
	asks := []blocker{inEnvironment(next, deployment.BlockedByEnvironment, `holds_slot = 1`)}
	if next.State == deployment.Triggering {
		asks = ahead(next)
	}

	for _, w := range asks {
		if err := t.findBlocker(w.on, w.where, w.args...); err != nil {
			return err
		}
	}

	return nil
}

// blocker is one thing that may keep a deployment from starting.
type blocker struct {
	on, where string
	args      []any
}

// ahead is what of its own environment may keep a deployment from starting.
func ahead(d deployment.Deployment) []blocker {
	return []blocker{
		inEnvironment(d, deployment.BlockedByNewer, `started = 1 AND deployment_id > $3`, d.Request.ID),
		inEnvironment(d, deployment.BlockedByEnvironment, `holds_slot = 1`),
		inEnvironment(d, deployment.BlockedByOrder, `state = 'waiting' AND deployment_id < $3`, d.Request.ID),
	}
}

func inEnvironment(d deployment.Deployment, on, where string, args ...any) blocker {
	return blocker{
		on,
		`repository_id = $1 AND environment_key = $2 AND ` + where,
		append([]any{d.Request.Repository.ID, d.Request.EnvironmentKey()}, args...),
	}
}

const blockersInOrder = `SELECT deployment_id, state FROM deployments WHERE %s ORDER BY deployment_id LIMIT 1`

func (t *tx) findBlocker(on, where string, args ...any) error {
	busy := deployment.BlockedError{On: on}
	err := t.row(fmt.Sprintf(blockersInOrder, where), args, &busy.ID, &busy.State)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}

	return &busy
}

// mayClaim says whether the pipeline is another row's.
func (t *tx) mayClaim(old currentRow, next deployment.Deployment) error {
	id := pipelineID(next)
	if id == "" || id == old.pipelineID {
		return nil
	}

	var owner int64
	err := t.row(`SELECT row_id FROM pipelines WHERE pipeline_id = $1`, []any{id}, &owner)
	if err == nil && owner != 0 && owner != next.Row {
		return &deployment.PipelineTakenError{PipelineID: id, Row: owner}
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}

	return err
}

// claim records whose the pipeline is, and gives up one that the row no longer has. Two replicas
// may claim one pipeline at a time: the second one finds it taken.
func (t *tx) claim(old currentRow, next deployment.Deployment) error {
	id := pipelineID(next)
	if id == old.pipelineID {
		return nil
	}

	if old.pipelineID != "" {
		if _, err := t.exec(`DELETE FROM pipelines WHERE pipeline_id = $1 AND row_id = $2`, old.pipelineID, next.Row); err != nil {
			return err
		}
	}

	if id == "" {
		return nil
	}

	mine, err := changedOne(
		t.exec(`INSERT INTO pipelines (pipeline_id, project_id, row_id, seen_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (pipeline_id) DO UPDATE SET row_id = excluded.row_id, seen_at = excluded.seen_at WHERE pipelines.row_id IN (0, excluded.row_id)`,
			id, next.Project.ID, next.Row, micros(t.now)),
	)

	if err != nil || mine {
		return err
	}

	taken := &deployment.PipelineTakenError{PipelineID: id}
	if err := t.row(`SELECT row_id FROM pipelines WHERE pipeline_id = $1`, []any{id}, &taken.Row); err != nil {
		return err
	}

	return taken
}

func pipelineID(d deployment.Deployment) string {
	if d.Pipeline == nil {
		return ""
	}
	return d.Pipeline.ID
}

func (t *tx) update(old currentRow, next deployment.Deployment, keep bool) error {
	due := dueAfterSave(old, next, t.now)
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}

	release := ""
	if !keep {
		release = t.fragments().endLease
	}

	_, err = t.exec(
		`UPDATE deployments SET repository = $2, state = $3, version = version + 1, holds_slot = $4, holds_project = $5, started = $6,
			project_id = $7, pipeline_id = $8, due_at = $9, data = $10, admitted = $11`+release+` WHERE row_id = $1`,
		next.Row,
		strings.ToLower(next.Request.Repository.FullName()),
		string(next.State),
		flag(next.HoldsSlot()),
		flag(next.HoldsProject()),
		flag(
			hasStarted(old, next),
		),
		next.Project.ID,
		pipelineID(next),
		nullTime(due),
		string(data),
		flag(!next.AdmittedAt.IsZero()),
	)

	if err == nil && !keep {
		t.wake(advanceTask(next.Row), due)
	}

	return err
}

// hasStarted says whether the deployment has a pipeline, or may have one. Back in the queue it has
// none.
func hasStarted(old currentRow, next deployment.Deployment) bool {
	return next.Pipeline != nil || next.State == deployment.Unconfirmed ||
		old.started && next.State != deployment.Waiting
}

// insertHistory writes the timeline, the reports and the pipelines that nobody adopted.
func (t *tx) insertHistory(next deployment.Deployment, ch deployment.Changes) error {
	if err := t.addTimeline(next.Row, ch.Timeline); err != nil {
		return err
	}

	for _, id := range ch.Unclaimed {
		if _, err := t.exec(`INSERT INTO pipelines (pipeline_id, project_id, row_id, seen_at) VALUES ($1, $2, 0, $3) ON CONFLICT (pipeline_id) DO NOTHING`,
			id, next.Project.ID, micros(t.now)); err != nil {
			return err
		}
	}

	return t.addReports(next.Row, ch.Reports)
}

func (t *tx) addTimeline(row int64, entries []deployment.Entry) error {
	for _, e := range entries {
		if _, err := t.exec(`INSERT INTO timeline (row_id, at, event, detail) VALUES ($1, $2, $3, $4)`, row, micros(e.At), e.Event, e.Detail); err != nil {
			return err
		}
	}
	return nil
}
