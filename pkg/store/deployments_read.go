package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Load reads a row. deployment.ErrNotFound: there is none.
func (s Deployments) Load(ctx context.Context, row int64) (deployment.Deployment, error) {
	return s.one(ctx, `SELECT `+deploymentColumns+` FROM deployments WHERE row_id = $1`, row)
}

// ByKey reads the row whose key this is. deployment.ErrNotFound: there is none.
func (s Deployments) ByKey(ctx context.Context, key string) (deployment.Deployment, error) {
	return s.one(ctx, `SELECT `+deploymentColumns+` FROM deployments WHERE trigger_key = $1`, key)
}

func (s Deployments) one(ctx context.Context, query string, arg any) (deployment.Deployment, error) {
	d, err := scanDeployment(s.db.get(ctx, query, arg))
	if errors.Is(err, sql.ErrNoRows) {
		return d, deployment.ErrNotFound
	}

	return d, err
}

// List gives the deployments that a filter selects, newest row first.
func (s Deployments) List(ctx context.Context, f deployment.Filter) ([]deployment.Deployment, error) {
	var conditions []string
	var args []any
	add := func(column string, value any) {
		args = append(args, value)
		conditions = append(conditions, column+placeholder(len(args)))
	}

	if f.Repository != "" {
		add("repository = ", strings.ToLower(f.Repository))
	}
	if f.Environment != "" {
		add("environment_key = ", strings.ToLower(f.Environment))
	}
	if f.State != "" {
		add("state = ", string(f.State))
	}
	if f.Before > 0 {
		add("row_id < ", f.Before)
	}

	args = append(args, f.Limit)
	rows, err := s.db.all(ctx, listQuery(conditions, placeholder(len(args))), args...)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, scanDeployment)
}

// listQuery selects the newest rows that meet conditions, of those that wait, those that are active and
// those that have ended, each by an index of its own. One index over all of them would make accepting a
// delivery slower. Without conditions the newest rows are simply the last ones.
func listQuery(conditions []string, limit string) string {
	newest := ` ORDER BY row_id DESC LIMIT ` + limit
	if len(conditions) == 0 {
		return `SELECT ` + deploymentColumns + ` FROM deployments` + newest
	}

	where := strings.Join(conditions, " AND ")
	var parts []string
	for i, part := range []string{
		`state = 'waiting' AND ` + unordered(where) + unordered(newest),
		`state IN ('triggering', 'unconfirmed', 'running', 'held') AND ` + unordered(where) + unordered(newest),
		`ended_at IS NOT NULL AND ` + where + newest,
	} {
		parts = append(parts, `SELECT * FROM (SELECT `+deploymentColumns+` FROM deployments WHERE `+part+
			`) AS part`+strconv.Itoa(i))
	}

	return `SELECT ` + deploymentColumns + ` FROM (` + strings.Join(parts, ` UNION ALL `) + `) AS parts` + newest
}

// unordered keeps both databases from reading all rows there are in the order of their ids.
func unordered(query string) string { return strings.ReplaceAll(query, "row_id", "+row_id") }

func placeholder(n int) string { return "$" + strconv.Itoa(n) }

// Get gives the deployments with this GitHub id, and their history. On one GitHub ids are unique.
func (s Deployments) Get(ctx context.Context, deploymentID int64) ([]deployment.Record, error) {
	rows, err := s.db.all(ctx,
		`SELECT `+deploymentColumns+` FROM deployments WHERE deployment_id = $1`,
		deploymentID,
	)
	if err != nil {
		return nil, err
	}

	list, err := scanEach(rows, scanDeployment)
	if err != nil {
		return nil, err
	}

	records := make([]deployment.Record, len(list))
	for i, d := range list {
		timeline, err := s.timeline(ctx, d.Row)
		if err != nil {
			return nil, err
		}

		reports, err := s.db.Reports(ctx, d.Row)
		if err != nil {
			return nil, err
		}

		records[i] = deployment.Record{
			Deployment: d,
			Timeline:   timeline,
			Reports:    reports,
		}
	}

	return records, nil
}

func (s Deployments) timeline(ctx context.Context, row int64) ([]deployment.Entry, error) {
	rows, err := s.db.all(ctx, `SELECT at, event, detail FROM timeline WHERE row_id = $1 ORDER BY at, id`, row)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, func(s scanner) (e deployment.Entry, err error) {
		var us int64
		err = s.Scan(&us, &e.Event, &e.Detail)
		e.At = at(us)
		return e, err
	})
}

// repositoriesQuery has a plus sign that keeps SQLite from reading all rows there are in the order of their
// repositories.
const repositoriesQuery = `
	SELECT ` + deploymentColumns + `
	FROM deployments
	WHERE row_id IN (
		SELECT max(row_id)
		FROM deployments
		WHERE accepted_at >= $1
		GROUP BY +repository_id
	)
	ORDER BY row_id`

// Repositories lists the repositories of deployments that were accepted since then, each with the
// installation through which its newest delivery came.
func (s Deployments) Repositories(ctx context.Context, since time.Time) ([]deployment.Source, error) {
	rows, err := s.db.all(ctx, repositoriesQuery, micros(since))
	if err != nil {
		return nil, err
	}

	return scanEach(rows, func(s scanner) (deployment.Source, error) {
		d, err := scanDeployment(s)
		return deployment.Source{Repository: d.Request.Repository, Installation: d.Request.Installation}, err
	})
}
