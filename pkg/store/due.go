package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// This file says when rows are due, and who learns of it. A row is due for its next step at due_at
// and for its next report at report_due_at; NULL is never.
//
// Who moves due_at:
//
//	Accept          a new row is due at once
//	Save            to the time that the state machine gave, with the exceptions in dueAfterSave
//	Postpone        as Save does, of a waiting row that stays as it is
//	Save            to now, for the row that comes next when an environment or a project gets free (wakeNext)
//	Approve         to now, for the approved row if it waits
//	changeLocks     to now, for the first row in the queue of each environment that the lock covers
//	WakeQueue       to now, for rows that a newer one may supersede
//	WakeByPipeline  to now, for the row whose pipeline CircleCI sent a webhook about
//	CheckClock      to now, for rows that are due later than a clock that is right can have saved
//
// The rows of requests have a due_at, too, which AddRequest, SaveRequest, AcceptAsked and CheckClock move, and so
// have those of chat_deliveries, which only their own worker looks for: see ChatDeliveries. The due times of cards, the
// messages to chat systems, are in messages.go; CheckClock moves them as well.
//
// Who moves report_due_at: Save, when it adds a report that is due earlier, SaveReports, and CheckClock
// as it does due_at.
//
// Two rules hold for all of them, except that CheckClock calls no wake and leaves its rows to Overdue:
//
// Whoever moves a due time calls tx.wake in the same transaction. After the commit the function
// given to OnDue is called for what is due now, and a timer is set for what is due within
// timerReach. Neither survives a crash, and rows that are due later have no timer: the engine finds
// both with Overdue.
//
// Whoever wakes a row that a worker may be working on also raises its wake count (the column
// nudges), so that the worker's Save, which would move due_at to a later time, leaves the row due.

// timerReach is how far ahead timers are set.
const timerReach = time.Minute

// timedTask is a task that is due at a later time.
type timedTask struct {
	deployment.Task
	due time.Time
}

func advanceTask(row int64) deployment.Task {
	return deployment.Task{Kind: deployment.TaskAdvance, Row: row}
}

func reportTask(row int64) deployment.Task {
	return deployment.Task{Kind: deployment.TaskReport, Row: row}
}

func createTask(row int64) deployment.Task {
	return deployment.Task{Kind: deployment.TaskCreate, Row: row}
}

// taskTable is the table of the row of a task.
func taskTable(task deployment.Task) string {
	switch task.Kind {
	case deployment.TaskCreate:
		return "requests"
	case deployment.TaskChat:
		return "chat_deliveries"
	default:
		return "deployments"
	}
}

// dueColumn is the column that says when a task is due.
func dueColumn(task deployment.Task) string {
	if task.Kind == deployment.TaskReport {
		return "report_due_at"
	}
	return "due_at"
}

// wake notes that a task is due at a time, for notifyAfterCommit.
func (t *tx) wake(task deployment.Task, due time.Time) {
	switch {
	case due.IsZero():
	case !due.After(t.now):
		t.due = append(t.due, task)
	case due.Sub(t.now) <= timerReach:
		t.timers = append(t.timers, timedTask{task, due})
	}
}

// notifyAfterCommit announces the tasks that are due now, sets timers for the others, and announces a
// change.
func (t *tx) notifyAfterCommit() {
	db := t.db
	db.announce(t.due...)
	if onChange := db.onChange.Load(); onChange != nil && t.changed {
		(*onChange)()
	}
	for _, timed := range t.timers {
		time.AfterFunc(timed.due.Sub(t.now), func() { db.announce(timed.Task) })
	}
}

// announce calls the function that was given to OnDue.
func (db *DB) announce(tasks ...deployment.Task) {
	onDue := db.onDue.Load()
	if onDue != nil && len(tasks) > 0 {
		(*onDue)(tasks...)
	}
}

// dueAfterSave is when a row is due after Save: when the state machine said, unless the row has to
// be looked at again at once.
func (t *tx) dueAfterSave(old currentRow, next deployment.Deployment) (time.Time, error) {
	switch {
	case next.Due.IsZero():
		return time.Time{}, nil

	case next.WakeCount != old.wakeCount:
		return t.now, nil // it was woken while the worker worked on it

	case next.State == deployment.Waiting && next.BlockedBy != "" && old.projectID == "" && next.Project.ID != "":
		// It waits, and until now the row did not say for which project: a trigger of this project
		// that ended in the meantime could not wake it.
		return t.now, nil

	case waitsForProject(next):
		// The trigger that it waits for may have ended before the row said that it waits.
		var held int
		err := t.row(
			`SELECT count(*) FROM deployments WHERE project_id = $1 AND holds_project = 1`,
			[]any{next.Project.ID},
			&held,
		)
		if err != nil || held > 0 {
			return next.Due, err
		}

		return t.now, nil

	default:
		return next.Due, nil
	}
}

// waitsForProject reports whether a deployment waits for another one's trigger in its CircleCI project.
func waitsForProject(d deployment.Deployment) bool {
	return d.State == deployment.Waiting && d.BlockedBy == deployment.WaitsForProject
}

// wakeNext wakes the row that comes next, when the saved one has left its environment's slot or the
// queue of its environment, and those that wait for its project, when it has left the project's trigger.
func (t *tx) wakeNext(old currentRow, next deployment.Deployment) error {
	leftSlot := old.slot && !next.HoldsSlot()
	leftQueue := old.state == deployment.Waiting && !next.State.Open()
	if leftSlot || leftQueue {
		err := t.wakeFirst(`
			repository_id = $1 AND environment_key = $2 AND state = 'waiting'
			ORDER BY deployment_id`,
			next.Request.Repository.ID,
			next.Request.EnvironmentKey(),
		)
		if err != nil {
			return err
		}
	}

	leftProject := old.project && !next.HoldsProject()
	if !leftProject {
		return nil
	}

	// All that wait for the project are woken: one of them may have to wait for something else by now,
	// and would not pass the turn on.
	_, err := t.wakeWaiting(0, `
		d.project_id = $1 AND d.waits_project = 1 AND d.row_id <> $2 AND NOT EXISTS (
			SELECT 1
			FROM deployments o
			WHERE o.repository_id = d.repository_id AND o.environment_key = d.environment_key AND o.row_id <> d.row_id AND
				(o.holds_slot = 1 OR o.state = 'waiting' AND o.deployment_id < d.deployment_id)
		)`,
		next.Project.ID,
		next.Row,
	)
	return err
}

// wakeFirst makes the first of the rows d that meet a condition due now.
func (t *tx) wakeFirst(where string, args ...any) error {
	var row int64
	err := t.row(`SELECT row_id FROM deployments d WHERE `+where+` LIMIT 1`, args, &row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}

	_, err = t.exec(`UPDATE deployments SET due_at = $2, nudges = nudges + 1 WHERE row_id = $1`, row, micros(t.now))
	t.wake(advanceTask(row), t.now)
	return err
}

// wakeBatch is how many rows are made due in one transaction. It is small, so that other writes do
// not wait for long.
const wakeBatch = 200

// wokenBatch says how far a batch of rows was made due.
type wokenBatch struct {
	lastRow int64
	more    bool // there may be others after lastRow
}

// wakeWaiting makes due, of the waiting rows d that meet a condition, the first ones after a row.
// The plus signs keep both databases from reading all rows there are in the order of their ids.
func (t *tx) wakeWaiting(after int64, where string, args ...any) (woken wokenBatch, err error) {
	due, from, limit := placeholder(len(args)+1), placeholder(len(args)+2), placeholder(len(args)+3)
	t.wrote = true
	rows, err := t.all(`
		UPDATE deployments
		SET due_at = `+due+`, nudges = nudges + 1
		WHERE state = 'waiting' AND row_id IN (
			SELECT d.row_id
			FROM deployments d
			WHERE d.state = 'waiting' AND +d.row_id > `+from+` AND `+where+`
			ORDER BY +d.row_id
			LIMIT `+limit+t.fragments().forUpdate+`
		)
		RETURNING row_id`,
		append(args, micros(t.now), after, wakeBatch)...,
	)
	if err != nil {
		return woken, err
	}

	ids, err := scanEach(rows, scanID)
	slices.Sort(ids) // the oldest is announced first
	for _, id := range ids {
		t.wake(advanceTask(id), t.now)
		woken.lastRow = max(woken.lastRow, id)
	}

	woken.more = len(ids) >= wakeBatch
	return woken, err
}

// wakeRest makes due, batch by batch, the rows after those of an earlier commit.
func (db *DB) wakeRest(ctx context.Context, after int64, where string, args ...any) error {
	for {
		woken, err := writeFor(ctx, db, func(t *tx) (wokenBatch, error) {
			return t.wakeWaiting(after, where, args...)
		})
		if err != nil || !woken.more {
			return err
		}

		after = woken.lastRow
	}
}

// WakeQueue makes those waiting deployments of an environment due at once that a newer one, which
// the rules have admitted, may supersede.
func (s DueRows) WakeQueue(ctx context.Context, repositoryID int64, environmentKey string) error {
	return s.db.wakeRest(ctx, 0, `
		d.repository_id = $1 AND d.environment_key = $2 AND d.is_act <> 1 AND d.deployment_id < (
			SELECT max(n.deployment_id)
			FROM deployments n
			WHERE n.repository_id = $1 AND n.environment_key = $2 AND n.state = 'waiting' AND
				n.is_act <> 1 AND n.admitted = 1
		)`,
		repositoryID,
		environmentKey,
	)
}

// WakeByPipeline makes the deployment of a pipeline due at once. It returns false when the pipeline
// belongs to no deployment that is ever due again. For a row that is due already and that no worker
// has, nothing is written.
func (s DueRows) WakeByPipeline(ctx context.Context, pipelineID string) (bool, error) {
	now := s.db.o.Now()
	var row int64
	var open, waitsForWorker bool
	err := s.db.get(ctx, `
		SELECT
			row_id,
			due_at IS NOT NULL,
			coalesce(due_at <= $1, 1 = 0) AND `+s.db.dialect.sql().freeRow+`
		FROM deployments
		WHERE pipeline_id = $2 AND pipeline_id <> ''`,
		micros(now),
		pipelineID,
	).Scan(&row, &open, &waitsForWorker)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !open {
		return false, nil
	}
	if err != nil {
		return false, err
	}

	if waitsForWorker && !s.db.leases.isTaken(advanceTask(row), now) {
		s.db.announce(advanceTask(row))
		return true, nil
	}

	err = s.db.write(ctx, func(t *tx) error {
		woken, err := changedOne(t.exec(
			`UPDATE deployments SET due_at = $2, nudges = nudges + 1 WHERE row_id = $1 AND due_at IS NOT NULL`,
			row,
			micros(t.now),
		))
		if woken {
			t.wake(advanceTask(row), t.now)
		}

		return err
	})

	return err == nil, err
}

// Overdue lists tasks that are due and that no worker has, the longest overdue first.
func (s DueRows) Overdue(ctx context.Context, limit int) ([]deployment.Task, error) {
	now := s.db.o.Now()
	fragments := s.db.dialect.sql()
	rows, err := s.db.all(ctx, `
		SELECT kind, row_id
		FROM (
			SELECT 'advance' AS kind, row_id, due_at AS at
			FROM deployments
			WHERE due_at <= $1 AND `+fragments.freeRow+`
			UNION ALL
			SELECT 'report', row_id, report_due_at
			FROM deployments
			WHERE report_due_at <= $1 AND `+fragments.freeReports+`
			UNION ALL
			SELECT 'create', row_id, due_at
			FROM requests
			WHERE due_at <= $1 AND `+fragments.freeRow+`
		) AS due
		ORDER BY at
		LIMIT $2`,
		micros(now),
		limit,
	)
	if err != nil {
		return nil, err
	}

	tasks, err := scanEach(rows, func(s scanner) (task deployment.Task, err error) {
		err = s.Scan(&task.Kind, &task.Row)
		return task, err
	})
	if err != nil {
		return nil, err
	}

	return slices.DeleteFunc(tasks, func(task deployment.Task) bool { return s.db.leases.isTaken(task, now) }), nil
}
