package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const answerByRequest = `
	SELECT asker, request, digest, answer, deployment_id, at
	FROM answers
	WHERE asker = $1 AND request = $2`

// Answer reads what a message was answered with. deployment.ErrNotFound: it was not.
func (db *DB) Answer(ctx context.Context, asker, request string) (deployment.Answer, error) {
	a, err := scanAnswer(db.get(ctx, answerByRequest, asker, request))
	if errors.Is(err, sql.ErrNoRows) {
		return a, deployment.ErrNotFound
	}
	return a, err
}

// AddAnswer keeps the answer to a message that has none, and returns the one that stands then.
func (db *DB) AddAnswer(ctx context.Context, a deployment.Answer) (deployment.Answer, error) {
	return writeFor(ctx, db, func(t *tx) (deployment.Answer, error) {
		_, err := t.exec(`
			INSERT INTO answers (asker, request, digest, answer, deployment_id, at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (asker, request) DO NOTHING`,
			a.Asker,
			a.Request,
			a.Digest,
			a.Text,
			a.DeploymentID,
			micros(t.now),
		)
		if err != nil {
			return a, err
		}

		return scanAnswer(query{t, answerByRequest, []any{a.Asker, a.Request}})
	})
}

// scanAnswer reads the columns of answerByRequest.
func scanAnswer(s scanner) (a deployment.Answer, err error) {
	var us int64
	err = s.Scan(&a.Asker, &a.Request, &a.Digest, &a.Text, &a.DeploymentID, &us)
	a.At = at(us)
	return a, err
}

// pruneAnswers deletes answers that are not kept any more, whatever the retention is.
const pruneAnswers = `
	DELETE FROM answers
	WHERE (asker, request) IN (SELECT asker, request FROM answers WHERE at < $1 ORDER BY at LIMIT $2)`
