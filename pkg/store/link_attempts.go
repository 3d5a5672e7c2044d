package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const attemptColumns = `
	face,
	workspace,
	user_id,
	user_name,
	workspace_name,
	address_hash,
	expires_at,
	visits,
	typed,
	github_id,
	login,
	code_hash,
	confirmed`

// keepAttempts is how long an attempt is kept after it has expired, so that those who come too late learn why.
const keepAttempts = 24 * time.Hour

// StartLink stores a new attempt of a user, in place of an older one, and deletes all attempts that expired more than
// 24 h ago.
func (s Links) StartLink(ctx context.Context, a deployment.LinkAttempt) error {
	return s.db.write(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM link_codes WHERE expires_at < $1`, micros(t.now.Add(-keepAttempts)))
		if err != nil {
			return err
		}

		_, err = t.exec(`
			INSERT INTO link_codes
				(face, workspace, user_id, user_name, workspace_name, address_hash, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (face, workspace, user_id) DO UPDATE SET
				user_name = excluded.user_name,
				workspace_name = excluded.workspace_name,
				address_hash = excluded.address_hash,
				expires_at = excluded.expires_at,
				visits = 0,
				typed = 0,
				github_id = 0,
				login = '',
				code_hash = '',
				confirmed = 0`,
			a.User.Face,
			a.User.Workspace,
			a.User.User,
			a.UserName,
			a.WorkspaceName,
			a.AddressHash,
			micros(a.ExpiresAt),
		)
		return err
	})
}

// LinkAttempt reads the attempt with an address. deployment.ErrNotFound: there is none, or its user has begun
// another one since.
func (s Links) LinkAttempt(ctx context.Context, addressHash string) (deployment.LinkAttempt, error) {
	return oneAttempt(s.db.get(ctx,
		`SELECT `+attemptColumns+` FROM link_codes WHERE address_hash = $1`, addressHash))
}

// LinkAttemptByCode reads the attempt of anybody in a workspace that shows a code. deployment.ErrNotFound: there
// is none.
func (s Links) LinkAttemptByCode(
	ctx context.Context,
	face, workspace, codeHash string,
) (deployment.LinkAttempt, error) {
	return oneAttempt(s.db.get(ctx,
		`SELECT `+attemptColumns+` FROM link_codes WHERE code_hash = $1 AND face = $2 AND workspace = $3`,
		codeHash,
		face,
		workspace,
	))
}

// VisitLink counts, up to most, that somebody came back from GitHub with an attempt, and returns the attempt.
// counted is false if there were as many before. deployment.ErrNotFound: there is no such attempt.
func (s Links) VisitLink(ctx context.Context, addressHash string, most int) (
	a deployment.LinkAttempt,
	counted bool,
	err error,
) {
	return s.countAttempt(ctx,
		`UPDATE link_codes SET visits = visits + 1 WHERE address_hash = $1 AND visits < $2`,
		[]any{addressHash, most},
		`SELECT `+attemptColumns+` FROM link_codes WHERE address_hash = $1`,
		[]any{addressHash},
	)
}

// TypeLinkCode counts, up to most, that a user has typed a code, and returns their attempt. counted is false if
// there were as many before. deployment.ErrNotFound: they have begun none.
func (s Links) TypeLinkCode(ctx context.Context, u deployment.ChatUser, most int) (
	a deployment.LinkAttempt,
	counted bool,
	err error,
) {
	return s.countAttempt(ctx,
		`UPDATE link_codes SET typed = typed + 1
		WHERE face = $1 AND workspace = $2 AND user_id = $3 AND typed < $4`,
		[]any{u.Face, u.Workspace, u.User, most},
		`SELECT `+attemptColumns+` FROM link_codes WHERE face = $1 AND workspace = $2 AND user_id = $3`,
		[]any{u.Face, u.Workspace, u.User},
	)
}

func (s Links) countAttempt(ctx context.Context, count string, counted []any, read string, by []any) (
	deployment.LinkAttempt,
	bool,
	error,
) {
	type result struct {
		attempt deployment.LinkAttempt
		counted bool
	}

	r, err := writeFor(ctx, s.db, func(t *tx) (r result, err error) {
		if r.counted, err = changedOne(t.exec(count, counted...)); err != nil {
			return r, err
		}
		r.attempt, err = oneAttempt(query{t, read, by})
		return r, err
	})
	return r.attempt, r.counted, err
}

// SignedIn stores who has signed in at GitHub with an attempt, and the hash of the code that they are shown. first is
// false if somebody has signed in with it before, and then nothing changes. deployment.ErrNotFound: there is no such
// attempt.
func (s Links) SignedIn(ctx context.Context, addressHash string, who deployment.Actor, codeHash string) (
	first bool,
	err error,
) {
	return writeFor(ctx, s.db, func(t *tx) (bool, error) {
		first, err := changedOne(t.exec(
			`UPDATE link_codes SET github_id = $2, login = $3, code_hash = $4 WHERE address_hash = $1 AND code_hash = ''`,
			addressHash,
			who.ID,
			who.Login,
			codeHash,
		))
		if err != nil || first {
			return first, err
		}

		var one int
		err = t.row(`SELECT 1 FROM link_codes WHERE address_hash = $1`, []any{addressHash}, &one)
		if errors.Is(err, sql.ErrNoRows) {
			err = deployment.ErrNotFound
		}
		return false, err
	})
}

// DropLinkAttempt deletes what a user has begun of a link.
func (s Links) DropLinkAttempt(ctx context.Context, u deployment.ChatUser) error {
	return s.db.write(ctx, func(t *tx) error { return t.dropAttempt(u) })
}

func (t *tx) dropAttempt(u deployment.ChatUser) error {
	_, err := t.exec(
		`DELETE FROM link_codes WHERE face = $1 AND workspace = $2 AND user_id = $3`,
		u.Face,
		u.Workspace,
		u.User,
	)
	return err
}

// oneAttempt reads attemptColumns.
func oneAttempt(s scanner) (a deployment.LinkAttempt, err error) {
	var expires int64
	var confirmed int
	err = s.Scan(
		&a.User.Face,
		&a.User.Workspace,
		&a.User.User,
		&a.UserName,
		&a.WorkspaceName,
		&a.AddressHash,
		&expires,
		&a.Visits,
		&a.Typed,
		&a.GitHub.ID,
		&a.GitHub.Login,
		&a.CodeHash,
		&confirmed,
	)
	if errors.Is(err, sql.ErrNoRows) {
		return a, deployment.ErrNotFound
	}

	a.ExpiresAt, a.Confirmed = at(expires), confirmed == 1
	return a, err
}
