package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// ChatDeliveries holds the requests that chat systems sent. A request is stored before the chat system is answered, and
// carried out afterwards by one worker at a time. If that worker crashes, another one carries it out again.
type ChatDeliveries struct{ db *DB }

func chatTask(row int64) deployment.Task {
	return deployment.Task{Kind: deployment.TaskChat, Row: row}
}

// UseChatProof says whether a signature is used for the first time, and remembers it.
func (s ChatDeliveries) UseChatProof(ctx context.Context, p deployment.ChatProof) (first bool, err error) {
	return resultOf(ctx, s.db.dialect.receive, func(t *tx) (bool, error) {
		return t.addChatKey(p.Face, proofPrefix+p.Key, p.Ends)
	})
}

// AddChatDelivery stores a request, which is due at once, unless its signature was used before or one of its names is
// known. Unless its signature was used before, the signature and all names are known from now on.
func (s ChatDeliveries) AddChatDelivery(
	ctx context.Context,
	d deployment.ChatDelivery,
	proof deployment.ChatProof,
	names []string,
) (row int64, result deployment.ChatResult, err error) {
	names = slices.Sorted(slices.Values(names)) // in one order, so that two copies at once do not deadlock
	type stored struct {
		row    int64
		result deployment.ChatResult
	}

	added, err := resultOf(ctx, s.db.dialect.receive, func(t *tx) (stored, error) {
		first, err := t.addChatKey(proof.Face, proofPrefix+proof.Key, proof.Ends)
		if err != nil || !first {
			return stored{result: deployment.ChatReplayed}, err
		}

		added := stored{result: deployment.ChatStored}
		for _, name := range slices.Compact(names) {
			isNew, err := t.addChatKey(d.Face, namePrefix+name, t.now.Add(deployment.KeepChatKeys))
			if err != nil {
				return stored{}, err
			}
			if !isNew {
				added.result = deployment.ChatCopy
			}
		}
		if added.result != deployment.ChatStored {
			return added, nil
		}

		t.wrote = true
		err = t.row(`
			INSERT INTO chat_deliveries (face, kind, received_at, due_at, data, secrets)
			VALUES ($1, $2, $3, $4, $5, $6)
			RETURNING row_id`,
			[]any{d.Face, d.Kind, micros(d.ReceivedAt), micros(t.now), string(d.Data), string(d.Secrets)},
			&added.row,
		)
		return added, err
	})

	return added.row, added.result, err
}

// What the keys in chat_keys begin with, so that no name is taken for a signature.
const (
	proofPrefix = "proof:"
	namePrefix  = "name:"
)

// addChatKey remembers a key. false: it is known.
func (t *tx) addChatKey(face, key string, until time.Time) (bool, error) {
	return changedOne(t.exec(`
		INSERT INTO chat_keys (face, key, kept_until)
		VALUES ($1, $2, $3)
		ON CONFLICT (face, key) DO NOTHING`,
		face,
		key,
		micros(until),
	))
}

const chatColumns = `row_id, face, kind, received_at, tries, data, secrets`

func scanChatDelivery(s scanner) (d deployment.ChatDelivery, err error) {
	var received int64
	err = s.Scan(&d.Row, &d.Face, &d.Kind, &received, &d.Tries, &d.Data, &d.Secrets)
	d.ReceivedAt = at(received)
	return d, err
}

// LeaseChatDelivery gives a row that is due to one worker for 25 s. ok is false when it is not due, or another
// worker has it.
func (s ChatDeliveries) LeaseChatDelivery(
	ctx context.Context,
	row int64,
) (d deployment.ChatDelivery, ok bool, err error) {
	_, ok, err = s.db.leases.take(ctx, chatTask(row), chatColumns, func(s scanner) (err error) {
		d, err = scanChatDelivery(s)
		return err
	})
	return d, ok, err
}

// EndChatDelivery says that a request was carried out, or given up because of a problem, and erases what was in it.
func (s ChatDeliveries) EndChatDelivery(ctx context.Context, row int64, problem string) error {
	return s.release(ctx, row, func(t *tx) (sql.Result, error) {
		return t.exec(`
			UPDATE chat_deliveries
			SET due_at = NULL, done_at = $2, problem = $3, data = '', secrets = ''`+t.fragments().endLease+`
			WHERE row_id = $1 AND due_at IS NOT NULL`,
			row,
			micros(t.now),
			problem,
		)
	})
}

// PostponeChatDelivery makes a row due again at a time, ends its lease, and counts the try.
func (s ChatDeliveries) PostponeChatDelivery(ctx context.Context, row int64, due time.Time) error {
	return s.release(ctx, row, func(t *tx) (sql.Result, error) {
		return t.exec(`
			UPDATE chat_deliveries
			SET due_at = $2, tries = tries + 1`+t.fragments().endLease+`
			WHERE row_id = $1 AND due_at IS NOT NULL`,
			row,
			micros(due),
		)
	})
}

// UnleaseChatDelivery gives back a row that was not worked on. It stays due.
func (s ChatDeliveries) UnleaseChatDelivery(ctx context.Context, row int64) error {
	return s.db.leases.giveBack(ctx, chatTask(row))
}

// release writes a row and ends its lease. The end of ctx does not keep it from being written.
func (s ChatDeliveries) release(ctx context.Context, row int64, update func(*tx) (sql.Result, error)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()

	err := s.db.write(ctx, func(t *tx) error {
		_, err := update(t)
		return err
	})
	if err != nil {
		return err
	}

	s.db.leases.ended(chatTask(row))
	return nil
}

// OverdueChatDeliveries lists the rows that are due and that no worker has, the longest overdue first.
func (s ChatDeliveries) OverdueChatDeliveries(ctx context.Context, limit int) ([]int64, error) {
	now := s.db.o.Now()
	rows, err := s.db.all(
		ctx,
		overdueChatDeliveries(s.db.dialect.sql().freeRow),
		micros(now),
		limit,
	)
	if err != nil {
		return nil, err
	}

	ids, err := scanEach(rows, scanID)
	taken := func(row int64) bool { return s.db.leases.isTaken(chatTask(row), now) }
	return slices.DeleteFunc(ids, taken), err
}

func overdueChatDeliveries(freeRow string) string {
	return `SELECT row_id FROM chat_deliveries WHERE due_at <= $1 AND ` + freeRow + ` ORDER BY due_at LIMIT $2`
}

// pruneChatDeliveries and pruneChatKeys delete what is not kept any more, whatever the retention is.
const (
	pruneChatDeliveries = `
		DELETE FROM chat_deliveries
		WHERE row_id IN (SELECT row_id FROM chat_deliveries WHERE done_at < $1 ORDER BY done_at LIMIT $2)`
	pruneChatKeys = `
		DELETE FROM chat_keys
		WHERE (face, key) IN (SELECT face, key FROM chat_keys WHERE kept_until < $1 ORDER BY kept_until LIMIT $2)`
)
