package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func (t *tx) addReports(row int64, reports []deployment.Report) error {
	if len(reports) == 0 {
		return nil
	}

	var count int
	var due sql.NullInt64
	if err := t.row(`SELECT report_count, report_due_at FROM deployments WHERE row_id = $1`, []any{row}, &count, &due); err != nil {
		return err
	}

	earliest := time.Time{}
	if due.Valid {
		earliest = at(due.Int64)
	}

	for i, r := range reports {
		if err := t.insertReport(row, count+i+1, r); err != nil {
			return err
		}
		if earliest.IsZero() || r.NotBefore.Before(earliest) {
			earliest = r.NotBefore
		}
	}

	_, err := t.exec(
		`UPDATE deployments SET report_count = $2, report_due_at = $3 WHERE row_id = $1`,
		row,
		count+len(reports),
		micros(earliest),
	)

	t.wake(reportTask(row), earliest)
	return err
}

func (t *tx) insertReport(row int64, seq int, r deployment.Report) error {
	_, err := t.exec(
		`INSERT INTO reports (row_id, seq, state, description, log_url, environment_url, is_end, created_at, not_before, fate)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		row,
		seq,
		string(r.State),
		r.Description,
		r.LogURL,
		r.EnvironmentURL,
		flag(r.Final),
		micros(r.CreatedAt),
		micros(r.NotBefore),
		string(r.Status),
	)

	return err
}

// LeaseReports gives a deployment and all its reports to one worker for 25 s. ok is false when none
// is due, or they are in another's hands.
func (db *DB) LeaseReports(ctx context.Context, row int64) (rec deployment.Record, ok bool, err error) {
	now, ok, err := db.leases.take(ctx, reportTask(row))
	if !ok {
		return rec, false, err
	}

	rec.LeasedUntil = now.Add(leaseFor)
	defer func() {
		if !ok {
			err = errors.Join(err, db.leases.giveBack(ctx, reportTask(row)))
		}
	}()

	if rec.Deployment, err = db.Load(ctx, row); err != nil {
		return rec, false, err
	}

	rec.Reports, err = db.Reports(ctx, row)
	return rec, err == nil, err
}

// Reports reads all reports of a row, oldest first.
func (db *DB) Reports(ctx context.Context, row int64) ([]deployment.Report, error) {
	rows, err := db.all(
		ctx,
		`SELECT seq, state, description, log_url, environment_url, is_end, created_at, not_before, fate, sent_at, status_id, tries, tried_at, retry_at
		FROM reports WHERE row_id = $1 ORDER BY seq`,
		row,
	)

	if err != nil {
		return nil, err
	}

	defer func() { _ = rows.Close() }()
	var reports []deployment.Report
	for rows.Next() {
		var r deployment.Report
		var created, notBefore int64
		var sent, tried, retry sql.NullInt64
		if err := rows.Scan(&r.Seq, &r.State, &r.Description, &r.LogURL, &r.EnvironmentURL, &r.Final, &created, &notBefore, &r.Status, &sent, &r.StatusID, &r.Tries, &tried, &retry); err != nil {
			return nil, err
		}

		r.CreatedAt, r.NotBefore = at(created), at(notBefore)
		if sent.Valid {
			r.SentAt = at(sent.Int64)
		}
		if retry.Valid {
			r.RetryAt = at(retry.Int64)
		}
		if tried.Valid {
			r.TriedAt = at(tried.Int64)
		}

		reports = append(reports, r)
	}

	return reports, rows.Err()
}

// Sending records that a report is about to be sent, so that a crash in the middle of it is known
// of. deployment.ErrStale: the lease is another's.
func (db *DB) Sending(ctx context.Context, rec deployment.Record, r deployment.Report) error {
	return db.write(ctx, func(t *tx) error {
		if _, err := t.holdsReports(rec); err != nil {
			return err
		}
		return t.updateReport(rec.Deployment.Row, r)
	})
}

// SaveReports writes what became of reports and when to come back (zero: nothing is owed), and ends
// their lease. When there are more reports by now than the worker had read, it is to come back at
// once. deployment.ErrStale: the lease is another's, and nothing is written.
func (db *DB) SaveReports(
	ctx context.Context,
	rec deployment.Record,
	changed []deployment.Report,
	due time.Time,
	timeline []deployment.Entry,
) error {
	err := db.write(ctx, func(t *tx) error { return t.saveReports(rec, changed, due, timeline) })
	if !errors.Is(err, deployment.ErrVersionConflict) {
		db.leases.ended(reportTask(rec.Deployment.Row))
	}
	return err
}

// holdsReports gives how many reports there are, if the lease is still the worker's: one that was
// stopped for long must not write over what another one did meanwhile.
func (t *tx) holdsReports(rec deployment.Record) (count int, err error) {
	row := rec.Deployment.Row
	var leased int64
	err = t.row(
		`SELECT report_count, `+t.fragments().leasedReports+` FROM deployments WHERE row_id = $1`+t.fragments().forUpdate,
		[]any{row},
		&count,
		&leased,
	)

	if err == nil && !t.db.leases.isCurrent(reportTask(row), rec.LeasedUntil, leased) {
		err = deployment.ErrVersionConflict
	}

	return count, err
}

func (t *tx) updateReport(row int64, r deployment.Report) error {
	_, err := t.exec(
		`UPDATE reports SET fate = $3, sent_at = $4, status_id = $5, tries = $6, tried_at = $7, retry_at = $8 WHERE row_id = $1 AND seq = $2`,
		row,
		r.Seq,
		string(r.Status),
		nullTime(r.SentAt),
		r.StatusID,
		r.Tries,
		nullTime(r.TriedAt),
		nullTime(r.RetryAt),
	)

	return err
}

func (t *tx) saveReports(
	rec deployment.Record,
	changed []deployment.Report,
	due time.Time,
	timeline []deployment.Entry,
) error {
	row := rec.Deployment.Row
	count, err := t.holdsReports(rec)
	if err != nil {
		return err
	}

	for _, r := range changed {
		if err := t.updateReport(row, r); err != nil {
			return err
		}
	}

	if err := t.addTimeline(row, timeline); err != nil {
		return err
	}
	if count > len(rec.Reports) {
		due = t.now
	}

	_, err = t.exec(
		`UPDATE deployments SET report_due_at = $2`+t.fragments().endReports+` WHERE row_id = $1`,
		row,
		nullTime(due),
	)

	t.wake(reportTask(row), due)
	return err
}
