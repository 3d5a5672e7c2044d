package store

import (
	"context"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// This file tells which deployments have changed. Every change that people see adds an entry to the timeline,
// in the same commit. So the ids of the timeline serve as the positions of changes, and nothing else is written
// for them.
//
// On PostgreSQL a transaction takes its ids before it commits. An id that is not there although larger
// ones are is kept as missing and looked for again, until no transaction that may have taken it can
// still run.

const (
	changesBatch = 1000 // entries of the timeline that are read at once
	maxMissing   = 2000 // positions that are looked for again; a batch of deliveries takes some hundreds
	openTail     = 2000 // entries before the newest one among which ids may be missing at the start

	// missingFor is how long a missing id is looked for. A transaction takes at most writeTimeout, and 10 s
	// more when its process stands still; the clocks of replicas may differ by maxClockSkew.
	missingFor = 60 * time.Second
)

// OnChange sets the function that is called after each commit that changed a deployment, on the
// goroutine that writes: it must not block. It does not learn which deployment it was; ReadChanges returns that.
// On PostgreSQL it is not called for what other replicas write.
func (db *DB) OnChange(announce func()) { db.onChange.Store(&announce) }

// SharesDatabase says whether other processes may write to the database.
func (db *DB) SharesDatabase() bool { return db.dialect.sql().idIn != "" }

// LastChange returns a cursor after all changes that there are.
func (s Deployments) LastChange(ctx context.Context) (deployment.ChangeCursor, error) {
	var newest int64
	err := s.db.get(ctx, `SELECT coalesce(max(id), 0) FROM timeline`).Scan(&newest)
	if err != nil || !s.db.SharesDatabase() {
		return deployment.ChangeCursor{Position: newest}, err
	}

	cursor := deployment.ChangeCursor{Position: max(0, newest-openTail)}
	for {
		entries, err := s.entriesAfter(ctx, cursor.Position)
		if err != nil {
			return cursor, err
		}

		cursor = s.advance(cursor, entries)
		if len(entries) < changesBatch {
			return cursor, nil
		}
	}
}

// ReadChanges returns the deployments that have changed since a cursor, and the cursor after them. more says
// that there may be others after it. They are in the order of their newest changes, except that those whose
// positions were missing come first; a deployment may be among both.
func (s Deployments) ReadChanges(
	ctx context.Context,
	from deployment.ChangeCursor,
) (changes []deployment.Change, to deployment.ChangeCursor, more bool, err error) {
	entries, err := s.entriesAfter(ctx, from.Position)
	if err != nil {
		return nil, from, false, err
	}

	to = s.advance(from, entries)
	late, to, err := s.lateChanges(ctx, to)
	if err != nil {
		return nil, from, false, err
	}

	if len(entries) > 0 {
		changes, err = s.changes(ctx, changesBetween, from.Position, entries[len(entries)-1].id)
		if err != nil {
			return nil, from, false, err
		}
	}

	return append(late, changes...), to, len(entries) == changesBatch, nil
}

// timelineEntry is what is read of the timeline to see whether anything has changed.
type timelineEntry struct {
	id int64
	at time.Time
}

func (s Deployments) entriesAfter(ctx context.Context, id int64) ([]timelineEntry, error) {
	rows, err := s.db.all(ctx, `SELECT id, at FROM timeline WHERE id > $1 ORDER BY id LIMIT $2`, id, changesBatch)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, func(s scanner) (e timelineEntry, err error) {
		var us int64
		err = s.Scan(&e.id, &us)
		e.at = at(us)
		return e, err
	})
}

// advance returns the cursor after entries. Ids between them that are not there are missing from now on, if
// the entry after them is so young that they may still come.
func (s Deployments) advance(from deployment.ChangeCursor, entries []timelineEntry) deployment.ChangeCursor {
	to := deployment.ChangeCursor{Position: from.Position}
	settled := s.db.o.Now().Add(-missingFor)
	for _, m := range from.Missing {
		if m.Since.After(settled) {
			to.Missing = append(to.Missing, m)
		}
	}

	for _, e := range entries {
		if s.db.SharesDatabase() && e.at.After(settled) {
			for id := max(to.Position+1, e.id-maxMissing); id < e.id; id++ {
				to.Missing = append(to.Missing, deployment.MissingChange{Position: id, Since: e.at})
			}
		}
		to.Position = e.id
	}

	to.Missing = to.Missing[max(0, len(to.Missing)-maxMissing):]
	return to
}

// lateChanges returns the changes whose ids were missing and are there now, and the cursor without them.
func (s Deployments) lateChanges(
	ctx context.Context,
	cursor deployment.ChangeCursor,
) ([]deployment.Change, deployment.ChangeCursor, error) {
	if len(cursor.Missing) == 0 {
		return nil, cursor, nil
	}

	missing := make([]int64, len(cursor.Missing))
	for i, m := range cursor.Missing {
		missing[i] = m.Position
	}

	rows, err := s.db.all(ctx, `SELECT id FROM timeline WHERE `+s.db.dialect.sql().idIn, missing)
	if err != nil {
		return nil, cursor, err
	}

	found, err := scanEach(rows, scanID)
	if err != nil || len(found) == 0 {
		return nil, cursor, err
	}

	late, err := s.changes(ctx, changesQuery(s.db.dialect.sql().idIn), found)
	if err != nil {
		return nil, cursor, err
	}

	cursor.Missing = slices.DeleteFunc(cursor.Missing, func(m deployment.MissingChange) bool {
		return slices.Contains(found, m.Position)
	})
	return late, cursor, nil
}

// changesBetween selects the deployments of a range of the timeline.
var changesBetween = changesQuery(`id > $1 AND id <= $2`)

// changesQuery selects the deployments of entries of the timeline, with the newest entry of each. The LEFT JOIN,
// which finds a row for each entry, keeps SQLite from reading all rows there are.
func changesQuery(where string) string {
	return `
		SELECT position, d.row_id, version, nudges, data
		FROM (
			SELECT row_id, max(id) AS position
			FROM timeline
			WHERE ` + where + `
			GROUP BY row_id
		) AS changed
		LEFT JOIN deployments d ON d.row_id = changed.row_id
		ORDER BY position`
}

func (s Deployments) changes(ctx context.Context, query string, args ...any) ([]deployment.Change, error) {
	rows, err := s.db.all(ctx, query, args...)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, func(s scanner) (c deployment.Change, err error) {
		var row, version, wakeCount int64
		var data []byte
		if err := s.Scan(&c.Position, &row, &version, &wakeCount, &data); err != nil {
			return c, err
		}

		c.Deployment, err = decodeDeployment(row, version, wakeCount, data)
		return c, err
	})
}
