package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// LeaseReports gives a deployment and all its reports to one worker for 25 s. ok is false when no
// report is due, or another worker has them.
func (s Outbox) LeaseReports(ctx context.Context, row int64) (rec deployment.Record, ok bool, err error) {
	now, ok, err := s.db.leases.take(ctx, reportTask(row), deploymentColumns, func(s scanner) (err error) {
		rec.Deployment, err = scanDeployment(s)
		return err
	})
	if !ok {
		return rec, false, err
	}

	rec.Reports, err = s.Reports(ctx, row)
	if err != nil {
		return rec, false, errors.Join(err, s.db.leases.giveBack(ctx, reportTask(row)))
	}

	rec.LeasedUntil = now.Add(leaseFor)
	return rec, true, nil
}

// Reports reads all reports of a row, oldest first.
func (s Outbox) Reports(ctx context.Context, row int64) ([]deployment.Report, error) {
	rows, err := s.db.all(ctx, `
		SELECT
			seq,
			state,
			description,
			log_url,
			environment_url,
			is_end,
			created_at,
			not_before,
			fate,
			sent_at,
			status_id,
			tries,
			tried_at,
			retry_at
		FROM reports
		WHERE row_id = $1
		ORDER BY seq`,
		row,
	)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, scanReport)
}

func scanReport(s scanner) (r deployment.Report, err error) {
	var created, notBefore int64
	var sent, tried, retry sql.NullInt64
	err = s.Scan(
		&r.Seq,
		&r.State,
		&r.Description,
		&r.LogURL,
		&r.EnvironmentURL,
		&r.Final,
		&created,
		&notBefore,
		&r.Status,
		&sent,
		&r.StatusID,
		&r.Tries,
		&tried,
		&retry,
	)

	r.CreatedAt, r.NotBefore = at(created), at(notBefore)
	r.SentAt, r.TriedAt, r.RetryAt = atOrZero(sent), atOrZero(tried), atOrZero(retry)
	return r, err
}

// Sending records that a report is about to be sent, so that it is known after a crash.
// deployment.ErrVersionConflict: another worker has leased the reports, and nothing is written.
func (s Outbox) Sending(ctx context.Context, rec deployment.Record, r deployment.Report) error {
	return s.db.write(ctx, func(t *tx) error {
		if _, err := t.checkReportLease(rec); err != nil {
			return err
		}
		return t.updateReport(rec.Deployment.Row, r)
	})
}

// SaveReports writes what became of reports and when the next one is due (zero: never), and ends the
// lease. When reports were added since the lease began, the next one is due at once.
// deployment.ErrVersionConflict: another worker has leased the reports, and nothing is written.
func (s Outbox) SaveReports(
	ctx context.Context,
	rec deployment.Record,
	changed []deployment.Report,
	due time.Time,
	timeline []deployment.Entry,
) error {
	row := rec.Deployment.Row
	err := s.db.write(ctx, func(t *tx) error {
		count, err := t.checkReportLease(rec)
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

		next := due
		if count > len(rec.Reports) {
			next = t.now
		}

		_, err = t.exec(
			`UPDATE deployments SET report_due_at = $2`+t.fragments().endReports+` WHERE row_id = $1`,
			row,
			nullTime(next),
		)
		t.wake(reportTask(row), next)
		return err
	})

	if !errors.Is(err, deployment.ErrVersionConflict) {
		s.db.leases.ended(reportTask(row))
	}

	return err
}

// checkReportLease gives how many reports there are, if the lease is still the worker's: a worker
// that stood still for long must not write over what another one did meanwhile.
func (t *tx) checkReportLease(rec deployment.Record) (count int, err error) {
	row := rec.Deployment.Row
	var leasedUntil int64
	err = t.row(`
		SELECT report_count, `+t.fragments().leasedReports+`
		FROM deployments
		WHERE row_id = $1`+t.fragments().forUpdate,
		[]any{row},
		&count,
		&leasedUntil,
	)
	if err != nil {
		return 0, err
	}

	if !t.db.leases.isCurrent(reportTask(row), rec.LeasedUntil, leasedUntil) {
		return 0, deployment.ErrVersionConflict
	}

	return count, nil
}

func (t *tx) updateReport(row int64, r deployment.Report) error {
	_, err := t.exec(`
		UPDATE reports
		SET
			fate = $3,
			sent_at = $4,
			status_id = $5,
			tries = $6,
			tried_at = $7,
			retry_at = $8
		WHERE row_id = $1 AND seq = $2`,
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

// addReports adds reports to a row and makes the earliest of all its unsent ones due.
func (t *tx) addReports(row int64, reports []deployment.Report) error {
	if len(reports) == 0 {
		return nil
	}

	var count int
	var due sql.NullInt64
	err := t.row(
		`SELECT report_count, report_due_at FROM deployments WHERE row_id = $1`,
		[]any{row},
		&count,
		&due,
	)
	if err != nil {
		return err
	}

	earliest := atOrZero(due)
	for _, r := range reports {
		count++
		if err := t.insertReport(row, count, r); err != nil {
			return err
		}

		if earliest.IsZero() || r.NotBefore.Before(earliest) {
			earliest = r.NotBefore
		}
	}

	_, err = t.exec(
		`UPDATE deployments SET report_count = $2, report_due_at = $3 WHERE row_id = $1`,
		row,
		count,
		micros(earliest),
	)
	t.wake(reportTask(row), earliest)
	return err
}

func (t *tx) insertReport(row int64, seq int, r deployment.Report) error {
	_, err := t.exec(`
		INSERT INTO reports (
			row_id,
			seq,
			state,
			description,
			log_url,
			environment_url,
			is_end,
			created_at,
			not_before,
			fate
		)
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
