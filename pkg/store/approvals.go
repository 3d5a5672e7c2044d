package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Approve stores an approval of a row in place of the same person's older one, and makes the row due
// if it waits. deployment.ErrNotFound: there is no such row.
func (s Approvals) Approve(ctx context.Context, row int64, a policy.Approval, act deployment.AuditEvent) error {
	person, err := personKey(a.By)
	if err != nil {
		return err
	}

	return s.db.write(ctx, func(t *tx) error {
		current, err := t.readCurrent(row)
		if err != nil {
			return err
		}
		if err := t.insertApproval(row, person, a); err != nil {
			return err
		}

		t.acts = append(t.acts, act)
		if current.state != deployment.Waiting {
			return nil
		}

		return t.wakeFirst(`row_id = $1`, row)
	})
}

func (t *tx) insertApproval(row int64, person string, a policy.Approval) error {
	_, err := t.exec(`
		INSERT INTO approvals (
			row_id,
			person,
			by_id,
			by_login,
			by_app,
			by_token,
			at,
			sha,
			parameters,
			policy,
			comment
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (row_id, person) DO UPDATE SET
			by_login = excluded.by_login,
			by_app = excluded.by_app,
			by_token = excluded.by_token,
			at = excluded.at,
			sha = excluded.sha,
			parameters = excluded.parameters,
			policy = excluded.policy,
			comment = excluded.comment`,
		row,
		person,
		a.By.ID,
		a.By.Login,
		a.By.App,
		a.By.Token,
		micros(a.At),
		a.SHA,
		a.Parameters,
		a.Policy,
		a.Comment,
	)
	return err
}

// personKey is equal for two actors if they are the same.
func personKey(a deployment.Actor) (string, error) {
	switch {
	case a.ID != 0:
		return fmt.Sprintf("id:%d", a.ID), nil
	case a.App != "":
		return "app:" + a.App, nil
	case a.Token != "":
		return "token:" + a.Token, nil
	default:
		return "", errors.New("approval has no actor")
	}
}

// Approvals lists the approvals of a row, oldest first.
func (s Approvals) Approvals(ctx context.Context, row int64) ([]policy.Approval, error) {
	rows, err := s.db.all(ctx, `
		SELECT
			by_id,
			by_login,
			by_app,
			by_token,
			at,
			sha,
			parameters,
			policy,
			comment
		FROM approvals
		WHERE row_id = $1
		ORDER BY at, person`,
		row,
	)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, func(s scanner) (a policy.Approval, err error) {
		var us int64
		err = s.Scan(
			&a.By.ID,
			&a.By.Login,
			&a.By.App,
			&a.By.Token,
			&us,
			&a.SHA,
			&a.Parameters,
			&a.Policy,
			&a.Comment,
		)
		a.At = at(us)
		return a, err
	})
}
