package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// How often GitHub is asked to make one delivery again: after a while, then after twice that while,
// and so on.
const (
	redeliverTries = 5
	redeliverPause = 10 * time.Minute
)

// AcquireLease takes on for so long what one process does for all. mine is false while another has
// it. note is what the last one left.
func (db *DB) AcquireLease(ctx context.Context, name string, hold time.Duration) (note string, mine bool, err error) {
	type duty struct {
		note string
		mine bool
	}

	d, err := writeFor(ctx, db, func(t *tx) (d duty, err error) {
		if _, err := t.exec(`INSERT INTO duties (name) VALUES ($1) ON CONFLICT (name) DO NOTHING`, name); err != nil {
			return d, err
		}

		d.mine, err = changedOne(
			t.exec(
				`UPDATE duties SET held_until = $2 WHERE name = $1 AND held_until <= $3`,
				name,
				micros(t.now.Add(hold)),
				micros(t.now),
			),
		)

		if err != nil || !d.mine {
			return d, err
		}

		return d, t.row(`SELECT note FROM duties WHERE name = $1`, []any{name}, &d.note)
	})

	return d.note, d.mine, err
}

// RenewLease holds a duty for longer. Whoever has lost it to a replica that went on learns it by
// nobody: both do what bears to be done twice.
func (db *DB) RenewLease(ctx context.Context, name string, hold time.Duration) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE duties SET held_until = $2 WHERE name = $1`, name, micros(t.now.Add(hold)))
		return err
	})
}

// ReleaseLease gives a duty back and leaves a note.
func (db *DB) ReleaseLease(ctx context.Context, name, note string) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE duties SET note = $2, held_until = 0 WHERE name = $1`, name, note)
		return err
	})
}

// Redeliver says whether GitHub should be asked to make a delivery again, and counts that it is:
// not for one that has come, and not too often.
func (db *DB) Redeliver(ctx context.Context, guid string) (ask bool, err error) {
	return writeFor(ctx, db, func(t *tx) (bool, error) {
		var came int
		if err := t.row(`SELECT count(*) FROM deliveries WHERE guid = $1`, []any{guid}, &came); err != nil ||
			came > 0 {
			return false, err
		}

		var tries int
		var asked int64
		err := t.row(`SELECT tries, asked_at FROM redeliveries WHERE guid = $1`, []any{guid}, &tries, &asked)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return false, err
		}
		if tries >= redeliverTries || tries > 0 && t.now.Sub(at(asked)) < redeliverPause<<(tries-1) {
			return false, nil
		}

		_, err = t.exec(`INSERT INTO redeliveries (guid, tries, asked_at) VALUES ($1, 1, $2)
			ON CONFLICT (guid) DO UPDATE SET tries = redeliveries.tries + 1, asked_at = excluded.asked_at`, guid, micros(t.now))
		return err == nil, err
	})
}

// Redelivered gives the deployments that came in because GitHub was asked to deliver again, each
// once, and writes that into their timelines.
func (db *DB) Redelivered(ctx context.Context) ([]deployment.Deployment, error) {
	rows, err := writeFor(ctx, db, func(t *tx) ([]int64, error) {
		rows, err := t.landed()
		for _, row := range rows {
			entry := deployment.Entry{
				At:     t.now,
				Event:  "recovered",
				Detail: "its webhook had failed; GitHub was asked to deliver it again",
			}

			err = errors.Join(err, t.addTimeline(row, []deployment.Entry{entry}))
		}

		return rows, err
	})

	if err != nil {
		return nil, err
	}

	list := make([]deployment.Deployment, len(rows))
	for i, row := range rows {
		if list[i], err = db.Load(ctx, row); err != nil {
			return nil, err
		}
	}

	return list, nil
}

// landed marks what has come, and gives the rows of what led to a deployment.
func (t *tx) landed() ([]int64, error) {
	found, err := t.QueryContext(
		t.ctx,
		`SELECT r.guid, d.row_id, v.ignored FROM redeliveries r JOIN deliveries v ON v.guid = r.guid
		LEFT JOIN deployments d ON d.repository_id = v.repository_id AND d.deployment_id = v.deployment_id
		WHERE r.landed = 0 LIMIT 100`,
	)

	if err != nil {
		return nil, err
	}

	var rows []int64
	var came, nowhere []string
	for found.Next() {
		var guid, ignored string
		var row sql.NullInt64
		if err := found.Scan(&guid, &row, &ignored); err != nil {
			return nil, errors.Join(err, found.Close())
		}

		if ignored == "" && row.Valid {
			rows, came = append(rows, row.Int64), append(came, guid)
		} else {
			nowhere = append(nowhere, guid)
		}
	}

	err = errors.Join(found.Err(), found.Close())
	for landed, guids := range map[int][]string{1: came, 2: nowhere} {
		for _, guid := range guids {
			_, failed := t.exec(`UPDATE redeliveries SET landed = $2 WHERE guid = $1`, guid, landed)
			err = errors.Join(err, failed)
		}
	}

	return rows, err
}
