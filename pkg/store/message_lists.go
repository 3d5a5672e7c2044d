package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// CountCards counts the cards of a channel that were begun from one moment to another one, both included.
func (s Messages) CountCards(ctx context.Context, face, channel string, from, to time.Time) (n int, err error) {
	err = s.db.get(ctx, `
		SELECT count(*)
		FROM cards
		WHERE channel = $1 AND created_at BETWEEN $2 AND $3 AND face = $4 AND kind = 'card'`,
		channel,
		micros(from),
		micros(to),
		face,
	).Scan(&n)
	return n, err
}

// NewestList returns the newest MessageList of a channel that was begun after a moment, and how many deployments it
// shows. found is false if there is none.
func (s Messages) NewestList(
	ctx context.Context,
	face, channel string,
	after time.Time,
) (m deployment.Message, size int, found bool, err error) {
	m, err = scanMessage(s.db.get(ctx, `
		SELECT `+messageColumns+`
		FROM cards
		WHERE channel = $1 AND created_at > $2 AND face = $3 AND kind = 'list'
		ORDER BY created_at DESC, id DESC
		LIMIT 1`,
		channel,
		micros(after),
		face,
	))
	if errors.Is(err, sql.ErrNoRows) {
		return m, 0, false, nil
	}
	if err != nil {
		return m, 0, false, err
	}

	rows, err := s.ListedRows(ctx, m.ID)
	return m, len(rows), true, err
}

// ListedRows returns the rows of the deployments that a MessageList shows, in the order in which their messages began.
func (s Messages) ListedRows(ctx context.Context, list int64) ([]int64, error) {
	rows, err := s.db.all(ctx, `SELECT row_id FROM cards WHERE list_id = $1 AND row_id IS NOT NULL ORDER BY id`, list)
	if err != nil {
		return nil, err
	}
	return scanEach(rows, func(s scanner) (row int64, err error) {
		err = s.Scan(&row)
		return row, err
	})
}

// JoinList saves a message whose deployment is to be shown in a list, and makes the list due, in one commit. A list
// without an ID is begun, unless there is one with its topic. deployment.ErrVersionConflict: somebody else has written
// the message, or the list, since it was read, and nothing is written. So no deployment joins a list that has ended.
func (s Messages) JoinList(ctx context.Context, m, list deployment.Message) error {
	return s.db.write(ctx, func(t *tx) error {
		if list.ID == 0 {
			if _, err := t.addMessage(list); err != nil {
				return err
			}
			err := t.row(`SELECT id, version FROM cards WHERE topic = $1`, []any{list.Topic}, &list.ID, &list.Version)
			if err != nil {
				return err
			}
		}

		m.List = list.ID
		if _, err := t.saveMessage(m); err != nil {
			return err
		}
		if err := t.touchLists(deployment.MessageTouch{Row: m.Row, Due: t.now}); err != nil {
			return err
		}

		var version int64
		if err := t.row(`SELECT version FROM cards WHERE id = $1`, []any{list.ID}, &version); err != nil {
			return err
		}
		if version != list.Version {
			return deployment.ErrVersionConflict
		}
		return nil
	})
}

// touchLists makes the lists due that show deployments. Whoever writes several lists does so in the order of their ids,
// after all other messages, so that two commits never wait for each other.
func (t *tx) touchLists(touches ...deployment.MessageTouch) error {
	due := map[int64]time.Time{}
	for _, touch := range touches {
		lists, err := t.listsOf(touch.Row)
		if err != nil {
			return err
		}
		for _, list := range lists {
			if known, ok := due[list]; !ok || touch.Due.Before(known) {
				due[list] = touch.Due
			}
		}
	}

	for _, list := range slices.Sorted(maps.Keys(due)) {
		_, err := t.exec(`
			UPDATE cards
			SET
				touched = touched + 1,
				due_at = CASE WHEN due_at < $2 THEN due_at ELSE CAST($2 AS BIGINT) END
			WHERE id = $1`,
			list,
			micros(due[list]),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// listsOf returns the ids of the lists that show a deployment.
func (t *tx) listsOf(row int64) ([]int64, error) {
	rows, err := t.all(`SELECT list_id FROM cards WHERE row_id = $1 AND list_id IS NOT NULL`, row)
	if err != nil {
		return nil, err
	}
	return scanEach(rows, func(s scanner) (list int64, err error) {
		err = s.Scan(&list)
		return list, err
	})
}
