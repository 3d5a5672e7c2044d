package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const (
	linkColumns = `face, workspace, user_id, github_id, login, linked_at, checked_at`

	linkByUser    = `SELECT ` + linkColumns + ` FROM links WHERE face = $1 AND workspace = $2 AND user_id = $3`
	linkByAccount = `SELECT ` + linkColumns + ` FROM links WHERE face = $1 AND workspace = $2 AND github_id = $3`
)

// LinkOfUser reads the link of a user. deployment.ErrNotFound: there is none.
func (s Links) LinkOfUser(ctx context.Context, u deployment.ChatUser) (deployment.Link, error) {
	return oneLink(s.db.get(ctx, linkByUser, u.Face, u.Workspace, u.User))
}

// LinkOfAccount reads the link of an account at GitHub with a user of a workspace. deployment.ErrNotFound: there
// is none.
func (s Links) LinkOfAccount(ctx context.Context, face, workspace string, id int64) (deployment.Link, error) {
	return oneLink(s.db.get(ctx, linkByAccount, face, workspace, id))
}

// UncheckedLinks lists links whose accounts GitHub was not asked about since a moment, those that wait longest
// first.
func (s Links) UncheckedLinks(ctx context.Context, since time.Time, limit int) ([]deployment.Link, error) {
	rows, err := s.db.all(ctx,
		`SELECT `+linkColumns+` FROM links WHERE checked_at < $1 ORDER BY checked_at LIMIT $2`,
		micros(since),
		limit,
	)
	if err != nil {
		return nil, err
	}
	return scanEach(rows, scanLink)
}

// CheckedLink stores that the account of a link exists, and the login that it has now. It changes nothing if the link
// has ended.
func (s Links) CheckedLink(ctx context.Context, l deployment.Link, login string) error {
	return s.db.write(ctx, func(t *tx) error {
		_, err := t.exec(`
			UPDATE links SET login = $5, checked_at = $6
			WHERE face = $1 AND workspace = $2 AND user_id = $3 AND github_id = $4`,
			l.User.Face,
			l.User.Workspace,
			l.User.User,
			l.GitHub.ID,
			login,
			micros(t.now),
		)
		return err
	})
}

// EndLink ends a link, and what its user has begun of another. ended is false if it was ended already, and then
// nothing is audited.
func (s Links) EndLink(ctx context.Context, l deployment.Link, act deployment.AuditEvent) (ended bool, err error) {
	return writeFor(ctx, s.db, func(t *tx) (bool, error) {
		if err := t.dropAttempt(l.User); err != nil {
			return false, err
		}

		ended, err := changedOne(t.exec(
			`DELETE FROM links WHERE face = $1 AND workspace = $2 AND user_id = $3 AND github_id = $4`,
			l.User.Face,
			l.User.Workspace,
			l.User.User,
			l.GitHub.ID,
		))
		if err != nil || !ended {
			return false, err
		}

		t.acts = append(t.acts, act)
		return true, nil
	})
}

// ConfirmLink makes the link that an attempt is about. *deployment.LinkTakenError: another link stands in the
// way. deployment.ErrNotFound: the user has begun another attempt since, or confirmed this one.
func (s Links) ConfirmLink(ctx context.Context, a deployment.LinkAttempt, act deployment.AuditEvent) error {
	return s.db.write(ctx, func(t *tx) error {
		open, err := changedOne(t.exec(
			`UPDATE link_codes SET confirmed = 1 WHERE address_hash = $1 AND code_hash = $2 AND confirmed = 0`,
			a.AddressHash,
			a.CodeHash,
		))
		if err != nil {
			return err
		}
		if !open {
			return deployment.ErrNotFound
		}

		made, err := changedOne(t.exec(`
			INSERT INTO links (`+linkColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING`,
			a.User.Face,
			a.User.Workspace,
			a.User.User,
			a.GitHub.ID,
			a.GitHub.Login,
			micros(t.now),
		))
		if err != nil {
			return err
		}
		if !made {
			return t.linkInTheWay(a)
		}

		t.acts = append(t.acts, act)
		return nil
	})
}

// linkInTheWay is the error that names the link because of which an attempt cannot be confirmed.
func (t *tx) linkInTheWay(a deployment.LinkAttempt) error {
	u := a.User
	l, err := oneLink(query{t, linkByUser, []any{u.Face, u.Workspace, u.User}})
	if errors.Is(err, deployment.ErrNotFound) {
		l, err = oneLink(query{t, linkByAccount, []any{u.Face, u.Workspace, a.GitHub.ID}})
	}
	if err != nil {
		return err
	}
	return &deployment.LinkTakenError{Link: l}
}

// RefuseLink writes into the audit that a link was refused. voids is an attempt that is deleted with it, unless it was
// confirmed; nil: none is. notice is left for the person forWhom; empty: no notice.
func (s Links) RefuseLink(
	ctx context.Context,
	act deployment.AuditEvent,
	voids *deployment.LinkAttempt,
	notice string,
	forWhom deployment.Actor,
) error {
	return s.db.write(ctx, func(t *tx) error {
		t.acts = append(t.acts, act)
		if voids != nil {
			_, err := t.exec(`DELETE FROM link_codes WHERE address_hash = $1 AND confirmed = 0`, voids.AddressHash)
			if err != nil {
				return err
			}
		}
		return t.insertNotice(forWhom, 0, notice)
	})
}

func oneLink(s scanner) (deployment.Link, error) {
	l, err := scanLink(s)
	if errors.Is(err, sql.ErrNoRows) {
		return l, deployment.ErrNotFound
	}
	return l, err
}

// scanLink reads linkColumns.
func scanLink(s scanner) (l deployment.Link, err error) {
	var linked, checked int64
	err = s.Scan(
		&l.User.Face,
		&l.User.Workspace,
		&l.User.User,
		&l.GitHub.ID,
		&l.GitHub.Login,
		&linked,
		&checked,
	)
	l.LinkedAt, l.CheckedAt = at(linked), at(checked)
	return l, err
}
