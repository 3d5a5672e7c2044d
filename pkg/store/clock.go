package store

import (
	"context"
	"sync"
	"time"
)

const (
	maxClockSkew   = 5 * time.Second
	clockWarnEvery = 10 * time.Minute
	// A clock whose newest reading is this much older than the one before was set back.
	clockStep = 2 * time.Second
	// No row is saved to be due later than this; after a start, what is due later was saved by a clock
	// that has been set back since.
	longestDue = 2 * time.Hour
	// The same for messages to chat systems, which are tidied up a day after the end.
	longestMessageDue = 25 * time.Hour
)

// clockWatch is what CheckClock remembers.
type clockWatch struct {
	mu       sync.Mutex
	last     time.Time     // the newest reading of this process's clock
	skew     time.Duration // how far it is ahead of the database's
	warnedAt time.Time
}

// CheckClock compares this process's clock with that of a PostgreSQL server, and warns of a difference
// above 5 s: the windows and leases in the rows are times that all replicas must agree on. It also
// finds out that the clock was set back, and makes the rows due that would not be until the clock is
// where it was.
func (s DueRows) CheckClock(ctx context.Context) error {
	skew, err := s.db.dialect.clockSkew(ctx)
	if err != nil {
		return err
	}

	s.db.noteSkew(skew)
	after, afterMessages, stepped := s.db.steppedBack()
	if !stepped {
		return nil
	}

	return s.db.wakeLaterThan(ctx, after, afterMessages)
}

// noteSkew keeps the skew for the metrics and warns of a large one.
func (db *DB) noteSkew(skew time.Duration) {
	w := &db.clock
	w.mu.Lock()
	defer w.mu.Unlock()

	w.skew = skew
	now := db.o.Now()
	if skew.Abs() <= maxClockSkew || now.Sub(w.warnedAt).Abs() < clockWarnEvery {
		return
	}

	w.warnedAt = now
	db.o.Log.Warn().
		Dur("skew", skew).
		Dur("limit", maxClockSkew).
		Msg("clock differs from the database's: synchronize the clocks of all machines")
}

// steppedBack reports whether the clock was set back, and which due times of rows and of messages no clock that is
// right can have saved.
func (db *DB) steppedBack() (after, afterMessages time.Time, stepped bool) {
	w := &db.clock
	w.mu.Lock()
	defer w.mu.Unlock()

	now := db.o.Now().Round(0)
	last := w.last
	w.last = now
	if last.IsZero() {
		return now.Add(longestDue), now.Add(longestMessageDue), true
	}
	if last.Sub(now) > clockStep {
		db.o.Log.Warn().Dur("step", now.Sub(last)).Msg("clock set back")
		return now, now, true
	}

	return now, now, false
}

// wakeLaterThan makes all rows and reports due that would be due after one moment, and all messages that would be due
// after another.
func (db *DB) wakeLaterThan(ctx context.Context, after, afterMessages time.Time) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE cards SET due_at = $1 WHERE due_at > $2`, micros(t.now), micros(afterMessages))
		if err != nil {
			return err
		}

		for _, statement := range []string{
			`UPDATE deployments SET due_at = $1, nudges = nudges + 1 WHERE due_at > $2`,
			`UPDATE deployments SET report_due_at = $1 WHERE report_due_at > $2`,
			`UPDATE requests SET due_at = $1 WHERE due_at > $2`,
			`UPDATE chat_deliveries SET due_at = $1 WHERE due_at > $2`,
		} {
			if _, err := t.exec(statement, micros(t.now), micros(after)); err != nil {
				return err
			}
		}

		return nil
	})
}

// clockSkew is 0: the file has no clock of its own.
func (l *sqlite) clockSkew(context.Context) (time.Duration, error) { return 0, nil }

// clockSkew is how far this process's clock is ahead of the server's, give or take half of the time
// that the answer takes.
func (p *postgres) clockSkew(ctx context.Context) (time.Duration, error) {
	var server int64
	asked, began := p.db.o.Now(), time.Now()
	err := p.db.rdb.QueryRowContext(ctx,
		`SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`,
	).Scan(&server)
	if err != nil {
		return 0, err
	}

	return asked.Add(time.Since(began) / 2).Sub(at(server)), nil
}
