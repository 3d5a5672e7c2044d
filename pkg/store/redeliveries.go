package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// GitHub is asked to repeat a delivery at most redeliverTries times: the second time after
// redeliverPause, and each further time after twice the pause before it.
const (
	redeliverTries = 5
	redeliverPause = 10 * time.Minute
)

// What became of a delivery that GitHub was asked to repeat, in the column landed.
const (
	redeliveryAccepted = 1 // it led to a deployment
	redeliveryIgnored  = 2 // it led to none
)

// MayRedeliver says whether GitHub should be asked to repeat a delivery. It should not for a delivery
// that has come in, nor too often.
func (s Redeliveries) MayRedeliver(ctx context.Context, guid string) (bool, error) {
	var arrived int
	err := s.db.get(ctx, `SELECT count(*) FROM deliveries WHERE guid = $1`, guid).Scan(&arrived)
	if err != nil || arrived > 0 {
		return false, err
	}

	var tries int
	var asked int64
	err = s.db.get(ctx, `SELECT tries, asked_at FROM redeliveries WHERE guid = $1`, guid).Scan(&tries, &asked)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}

	tooOften := tries >= redeliverTries
	tooSoon := tries > 0 && s.db.o.Now().Sub(at(asked)) < redeliverPause<<(tries-1)
	return !tooOften && !tooSoon, nil
}

// CountRedelivery counts that GitHub has taken a request to repeat a delivery.
func (s Redeliveries) CountRedelivery(ctx context.Context, guid string) error {
	return s.db.write(ctx, func(t *tx) error {
		_, err := t.exec(`
			INSERT INTO redeliveries (guid, tries, asked_at)
			VALUES ($1, 1, $2)
			ON CONFLICT (guid) DO UPDATE SET
				tries = redeliveries.tries + 1,
				asked_at = excluded.asked_at`,
			guid,
			micros(t.now),
		)
		return err
	})
}

// Redelivered gives the deployments that came in because GitHub was asked to repeat a delivery, and
// writes that into their timelines. It gives each one once, even if two replicas ask at the same
// moment.
func (s Redeliveries) Redelivered(ctx context.Context) ([]deployment.Deployment, error) {
	rows, err := writeFor(ctx, s.db, func(t *tx) ([]int64, error) {
		rows, err := t.markRepeated()
		if err != nil {
			return nil, err
		}

		for _, row := range rows {
			err := t.addTimeline(row, []deployment.Entry{{
				At:     t.now,
				Event:  "recovered",
				Detail: "its webhook had failed; GitHub was asked to deliver it again",
			}})
			if err != nil {
				return nil, err
			}
		}

		return rows, nil
	})
	if err != nil {
		return nil, err
	}

	list := make([]deployment.Deployment, len(rows))
	for i, row := range rows {
		list[i], err = s.db.Load(ctx, row)
		if err != nil {
			return nil, err
		}
	}

	return list, nil
}

// repeatedDelivery is a repeated delivery that has come in.
type repeatedDelivery struct {
	guid   string
	row    int64 // of its deployment; 0: it led to none
	landed int
}

// markRepeated records what has come in since the last time, and gives the rows of what led to a
// deployment.
func (t *tx) markRepeated() ([]int64, error) {
	found, err := t.all(`
		SELECT r.guid, d.row_id, v.ignored
		FROM redeliveries r
		JOIN deliveries v ON v.guid = r.guid
		LEFT JOIN deployments d ON d.repository_id = v.repository_id AND d.deployment_id = v.deployment_id
		WHERE r.landed = 0
		LIMIT 100`)
	if err != nil {
		return nil, err
	}

	repeated, err := scanEach(found, scanRepeatedDelivery)
	if err != nil {
		return nil, err
	}

	var rows []int64
	for _, r := range repeated {
		// Another replica may have marked it since we read it.
		marked, err := changedOne(t.exec(
			`UPDATE redeliveries SET landed = $2 WHERE guid = $1 AND landed = 0`,
			r.guid,
			r.landed,
		))
		if err != nil {
			return nil, err
		}

		if marked && r.row != 0 {
			rows = append(rows, r.row)
		}
	}

	return rows, nil
}

func scanRepeatedDelivery(s scanner) (r repeatedDelivery, err error) {
	var row sql.NullInt64
	var ignored string
	err = s.Scan(&r.guid, &row, &ignored)

	r.landed = redeliveryIgnored
	if ignored == "" && row.Valid {
		r.row, r.landed = row.Int64, redeliveryAccepted
	}

	return r, err
}
