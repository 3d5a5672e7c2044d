package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Messages holds what is owed to channels and people of chat systems.
type Messages struct{ db *DB }

const messageColumns = `id, version, touched, topic, coalesce(row_id, 0), coalesce(list_id, 0), face, channel, kind, rank,
	due_at, data`

// DueMessages lists messages to a chat system that are due, those of the smallest rank first.
func (s Messages) DueMessages(ctx context.Context, face string, limit int) ([]deployment.Message, error) {
	rows, err := s.db.all(ctx, `
		SELECT `+messageColumns+`
		FROM cards
		WHERE due_at <= $1 AND face = $2
		ORDER BY rank, due_at
		LIMIT $3`,
		micros(s.db.o.Now()),
		face,
		limit,
	)
	if err != nil {
		return nil, err
	}
	return scanEach(rows, scanMessage)
}

// NextMessage returns the earliest time after a moment at which a message to a chat system is due; zero: there is none.
func (s Messages) NextMessage(ctx context.Context, face string, after time.Time) (time.Time, error) {
	var due sql.NullInt64
	err := s.db.get(ctx, `SELECT min(due_at) FROM cards WHERE due_at > $1 AND face = $2`, micros(after), face).Scan(&due)
	return atOrZero(due), err
}

// MessagesOf lists the messages about a deployment, oldest first.
func (s Messages) MessagesOf(ctx context.Context, row int64) ([]deployment.Message, error) {
	rows, err := s.db.all(ctx, `SELECT `+messageColumns+` FROM cards WHERE row_id = $1 ORDER BY id`, row)
	if err != nil {
		return nil, err
	}
	return scanEach(rows, scanMessage)
}

func scanMessage(s scanner) (m deployment.Message, err error) {
	var due sql.NullInt64
	var data []byte
	err = s.Scan(
		&m.ID,
		&m.Version,
		&m.Touched,
		&m.Topic,
		&m.Row,
		&m.List,
		&m.Face,
		&m.Channel,
		&m.Kind,
		&m.Rank,
		&due,
		&data,
	)
	if err != nil {
		return m, err
	}

	m.Due = atOrZero(due)
	if err := json.Unmarshal(data, &m.MessageData); err != nil {
		return m, fmt.Errorf("decode message %d: %w", m.ID, err)
	}
	return m, nil
}

// SaveMessage writes the next version of a message. If its deployment has changed since the message was read, the rank
// stays and the message is due at once. deployment.ErrVersionConflict: somebody else has written it since it was read.
func (s Messages) SaveMessage(ctx context.Context, m deployment.Message) (deployment.Message, error) {
	return writeFor(ctx, s.db, func(t *tx) (deployment.Message, error) { return t.saveMessage(m) })
}

func (t *tx) saveMessage(m deployment.Message) (deployment.Message, error) {
	data, err := json.Marshal(m.MessageData)
	if err != nil {
		return m, err
	}

	saved, err := changedOne(t.exec(`
		UPDATE cards
		SET
			version = version + 1,
			rank = CASE WHEN touched = $3 THEN CAST($4 AS INTEGER) ELSE rank END,
			due_at = CASE WHEN touched = $3 THEN CAST($5 AS BIGINT) ELSE CAST($6 AS BIGINT) END,
			data = $7,
			list_id = CAST($8 AS BIGINT)
		WHERE id = $1 AND version = $2`,
		m.ID,
		m.Version,
		m.Touched,
		int(m.Rank),
		nullTime(m.Due),
		micros(t.now),
		string(data),
		nullID(m.List),
	))
	if err != nil {
		return m, err
	}
	if !saved {
		return m, deployment.ErrVersionConflict
	}

	m.Version++
	m.Due = asStored(m.Due)
	return m, nil
}

// AddMessage adds a message, unless there is one with its topic. added is false then.
func (s Messages) AddMessage(ctx context.Context, m deployment.Message) (added bool, err error) {
	return writeFor(ctx, s.db, func(t *tx) (bool, error) { return t.addMessage(m) })
}

func (t *tx) addMessage(m deployment.Message) (added bool, err error) {
	data, err := json.Marshal(m.MessageData)
	if err != nil {
		return false, err
	}

	return changedOne(t.exec(`
		INSERT INTO cards (topic, row_id, face, channel, kind, rank, due_at, created_at, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (topic) DO NOTHING`,
		m.Topic,
		nullID(m.Row),
		m.Face,
		m.Channel,
		string(m.Kind),
		int(m.Rank),
		nullTime(m.Due),
		micros(t.now),
		string(data),
	))
}

// nullID is an id as it is stored; nil: 0, which is none.
func nullID(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

// ReplaceMessages saves messages and adds another one that takes their place, in one commit.
// deployment.ErrVersionConflict: somebody else has written one of them, and nothing is written.
func (s Messages) ReplaceMessages(ctx context.Context, old []deployment.Message, by deployment.Message) error {
	return s.db.write(ctx, func(t *tx) error {
		for _, m := range old {
			if _, err := t.saveMessage(m); err != nil {
				return err
			}
		}
		_, err := t.addMessage(by)
		return err
	})
}

// TouchMessages makes the messages about deployments that have changed due, adds those that are missing, and leaves a
// note in a lease, all in one commit. It changes nothing and returns an error if another process has taken the lease
// since.
func (s Messages) TouchMessages(ctx context.Context, lease deployment.Lease, touches []deployment.MessageTouch) error {
	return s.db.write(ctx, func(t *tx) error {
		mine, err := changedOne(t.exec(
			`UPDATE duties SET note = $3 WHERE name = $1 AND held_until = $2`,
			lease.Name,
			micros(lease.Until),
			lease.Note,
		))
		if err != nil {
			return err
		}
		if !mine {
			return errLeaseLost
		}

		for _, touch := range touches {
			if err := t.touchMessages(touch); err != nil {
				return err
			}
		}
		return t.touchLists(touches...)
	})
}

func (t *tx) touchMessages(touch deployment.MessageTouch) error {
	known, err := changedOne(t.exec(`
		UPDATE cards
		SET
			touched = touched + 1,
			rank = $2,
			due_at = CASE WHEN due_at < $3 THEN due_at ELSE CAST($3 AS BIGINT) END
		WHERE row_id = $1`,
		touch.Row,
		int(touch.Rank),
		micros(touch.Due),
	))
	if err != nil || known || len(touch.New) == 0 {
		return err
	}

	var exists int
	err = t.row(`SELECT count(*) FROM deployments WHERE row_id = $1`, []any{touch.Row}, &exists)
	if err != nil || exists == 0 { // it was pruned meanwhile
		return err
	}

	for _, m := range touch.New {
		if _, err := t.addMessage(m); err != nil {
			return err
		}
	}
	return nil
}

// RefreshMessages makes the messages about a deployment due now, for example after an approval, which changes what they
// show and not the deployment itself.
func (s Messages) RefreshMessages(ctx context.Context, row int64) error {
	return s.db.write(ctx, func(t *tx) error {
		_, err := t.exec(`
			UPDATE cards
			SET
				touched = touched + 1,
				due_at = CASE WHEN due_at < $2 THEN due_at ELSE CAST($2 AS BIGINT) END
			WHERE row_id = $1`,
			row,
			micros(t.now),
		)
		return err
	})
}

// MessageStats counts the messages that are due, for each chat system that has any.
func (s Messages) MessageStats(ctx context.Context) ([]deployment.MessageStats, error) {
	now := s.db.o.Now()
	rows, err := s.db.all(ctx, `
		SELECT face, count(*), min(due_at)
		FROM cards
		WHERE due_at <= $1
		GROUP BY face
		ORDER BY face`,
		micros(now),
	)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, func(s scanner) (m deployment.MessageStats, err error) {
		var oldest int64
		err = s.Scan(&m.Face, &m.Unsent, &oldest)
		m.OldestDue = max(0, now.Sub(at(oldest)))
		return m, err
	})
}

// pruneMessages deletes messages about no deployment that are not due any more. Those about a deployment are
// deleted with it.
const pruneMessages = `
	DELETE FROM cards
	WHERE id IN (
		SELECT id FROM cards WHERE row_id IS NULL AND due_at IS NULL AND created_at < $1 ORDER BY created_at LIMIT $2
	)`
