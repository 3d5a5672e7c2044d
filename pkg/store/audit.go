package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/audit"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// AppendAudit adds one act to the audit, with nothing beside it.
func (db *DB) AppendAudit(ctx context.Context, act deployment.AuditEvent) error {
	return db.write(ctx, func(t *tx) error {
		t.acts = append(t.acts, act)
		return nil
	})
}

// appendAudit adds the transaction's acts to the audit, as the last thing that it does: until the
// commit all others who add something wait.
func (t *tx) appendAudit() error {
	if len(t.acts) == 0 {
		return nil
	}

	head, err := scanHead(query{t, `SELECT seq, hash FROM audit_head WHERE one = 1` + t.fragments().forUpdate, nil})
	if err != nil {
		return err
	}

	for _, act := range t.acts {
		if act.At.IsZero() {
			act.At = t.now
		}

		r := audit.Seal(head, act)
		if err := t.insertRecord(r); err != nil {
			return err
		}

		head = r.Head()
	}

	_, err = t.exec(`UPDATE audit_head SET seq = $1, hash = $2 WHERE one = 1`, head.Seq, head.Hash)
	return err
}

func (t *tx) insertRecord(r audit.Record) error {
	_, err := t.exec(
		`INSERT INTO audit (`+auditColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		r.Seq,
		r.Version,
		micros(r.At),
		string(r.Kind),
		r.Channel,
		r.Actor.ID,
		r.Actor.Login,
		r.Actor.App,
		r.Actor.Token,
		r.RepositoryID,
		r.Repository,
		r.Environment,
		r.Deployment,
		string(r.Detail),
		r.Prev,
		r.Hash,
	)

	return err
}

const auditColumns = `seq, version, at, kind, door, actor_id, actor_login, actor_app, actor_token,
	repository_id, repository, environment, deployment, detail, prev, hash`

const (
	auditPage = `SELECT ` + auditColumns + ` FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2`
	auditHead = `SELECT seq, hash FROM audit_head WHERE one = 1`
)

// Audit lists records after one, oldest first.
func (db *DB) Audit(ctx context.Context, after int64, limit int) ([]audit.Record, error) {
	rows, err := db.all(ctx, auditPage, after, limit)
	if err != nil {
		return nil, err
	}
	return scanEach(rows, scanRecord)
}

// Decision reads what the rules said when a deployment started or was rejected. false: they decided
// nothing.
func (db *DB) Decision(ctx context.Context, d deployment.Deployment) (v policy.Verdict, decided bool, err error) {
	var detail []byte
	err = db.get(ctx, `
		SELECT detail FROM audit WHERE kind = 'decided' AND deployment = $1 AND repository_id = $2
		ORDER BY +seq DESC LIMIT 1`,
		d.Request.ID,
		d.Request.Repository.ID,
	).Scan(&detail)
	if errors.Is(err, sql.ErrNoRows) {
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}

	if err := json.Unmarshal(detail, &v); err != nil {
		return v, false, fmt.Errorf("decode the recorded decision on deployment %d: %w", d.Request.ID, err)
	}
	return v, true, nil
}

// AuditHead gives the newest record's number and hash, as they are kept beside the records.
func (db *DB) AuditHead(ctx context.Context) (audit.Head, error) {
	return scanHead(db.get(ctx, auditHead))
}

func scanHead(s scanner) (h audit.Head, err error) {
	err = s.Scan(&h.Seq, &h.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = errors.New(
			"the audit has lost its head: somebody deleted it; restore a backup beside the database, and compare",
		)
	}
	return h, err
}

func scanRecord(s scanner) (r audit.Record, err error) {
	var us int64
	err = s.Scan(
		&r.Seq,
		&r.Version,
		&us,
		&r.Kind,
		&r.Channel,
		&r.Actor.ID,
		&r.Actor.Login,
		&r.Actor.App,
		&r.Actor.Token,
		&r.RepositoryID,
		&r.Repository,
		&r.Environment,
		&r.Deployment,
		&r.Detail,
		&r.Prev,
		&r.Hash,
	)

	r.At = at(us)
	return r, err
}
