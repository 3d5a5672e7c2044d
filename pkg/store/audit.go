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

const auditColumns = `
	seq,
	version,
	at,
	kind,
	door,
	actor_id,
	actor_login,
	actor_app,
	actor_token,
	repository_id,
	repository,
	environment,
	deployment,
	detail,
	prev,
	hash`

const (
	auditPage = `SELECT ` + auditColumns + ` FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2`
	auditHead = `SELECT seq, hash FROM audit_head WHERE one = 1`
)

// AppendAudit adds one event to the audit, with nothing beside it.
func (s Audit) AppendAudit(ctx context.Context, act deployment.AuditEvent) error {
	return s.db.write(ctx, func(t *tx) error {
		t.acts = append(t.acts, act)
		return nil
	})
}

// Audit lists at most limit records after one, oldest first.
func (s Audit) Audit(ctx context.Context, after int64, limit int) ([]audit.Record, error) {
	rows, err := s.db.all(ctx, auditPage, after, limit)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, scanRecord)
}

// Decision reads what the rules said when a deployment started or was rejected. false: they decided
// nothing.
func (s Audit) Decision(ctx context.Context, d deployment.Deployment) (v policy.Verdict, decided bool, err error) {
	var detail []byte
	err = s.db.get(ctx, `
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

// AuditHead gives the newest record's number and hash, as they are stored beside the records.
func (s Audit) AuditHead(ctx context.Context) (audit.Head, error) {
	return scanHead(s.db.get(ctx, auditHead))
}

// appendAudit adds the transaction's events to the audit. It is the last thing that a transaction
// does: from then until the commit, others who add to the audit wait.
func (t *tx) appendAudit() error {
	if len(t.acts) == 0 {
		return nil
	}

	head, err := scanHead(query{t, auditHead + t.fragments().forUpdate, nil})
	if err != nil {
		return err
	}

	for _, act := range t.acts {
		if act.At.IsZero() {
			act.At = t.now
		}

		record := audit.NewRecord(head, act)
		if err := t.insertRecord(record); err != nil {
			return err
		}

		head = record.Head()
	}

	_, err = t.exec(`UPDATE audit_head SET seq = $1, hash = $2 WHERE one = 1`, head.Seq, head.Hash)
	return err
}

func (t *tx) insertRecord(r audit.Record) error {
	_, err := t.exec(`
		INSERT INTO audit (`+auditColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
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

func scanHead(s scanner) (h audit.Head, err error) {
	err = s.Scan(&h.Seq, &h.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return h, errors.New("audit head is missing, so somebody deleted it: " +
			"restore a backup beside this database and compare the two")
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
