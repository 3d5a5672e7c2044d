package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// The parts that environmentsQuery returns of each environment.
const (
	partEnvironment = 0 // the environment itself, without a deployment
	partCurrent     = 1 // what is deployed
	partActive      = 2 // holds the slot
	partWaiting     = 3 // waits
)

// locksOne is the condition of locks that are open at $5 and name one environment.
const locksOne = `ended_at IS NULL AND (expires_at IS NULL OR expires_at > $5)
	AND repository_id > 0 AND environment_key <> ''`

// environmentsQuery selects the first $3 environments after ($1, $2) that meet conditions, and of each its current,
// its active and at most $4 waiting deployments. An environment is listed if something was deployed there, waits or is
// active; tasks that lock or unlock do not count. With locked it is listed, too, if a lock of it alone is open at $5.
// It is one statement, so that all parts are of one moment, and each part has an index of its own. The LEFT JOIN,
// which finds a row for each, keeps SQLite from reading all rows there are.
func environmentsQuery(conditions string, locked bool) string {
	const keys = `repository_id, environment_key`
	where := `(repository_id, environment_key) > ($1, $2)` + conditions
	order := ` ORDER BY repository_id, environment_key LIMIT $3`

	lockedThere := ""
	if locked {
		lockedThere = `
			UNION
			SELECT * FROM (SELECT ` + keys + ` FROM locks WHERE ` + locksOne + ` AND ` + where + order + `) AS locked_there`
	}

	return `
	WITH page AS (
		SELECT ` + keys + `
		FROM (
			SELECT * FROM (SELECT ` + keys + ` FROM deployed WHERE ` + where + order + `) AS deployed_there
			UNION
			SELECT * FROM (
				SELECT DISTINCT ` + keys + ` FROM deployments
				WHERE state = 'waiting' AND is_act <> 1 AND ` + where + order + `
			) AS waiting_there
			UNION
			SELECT * FROM (SELECT ` + keys + ` FROM deployments WHERE holds_slot = 1 AND ` + where + order + `) AS active_there` + lockedThere + `
		) AS candidates` + order + `
	)
	SELECT part, repository_id, environment_key, place, queued, row_id, version, nudges, data
	FROM (
		SELECT
			0 AS part, repository_id, environment_key, 0 AS place, 0 AS queued,
			0 AS row_id, 0 AS version, 0 AS nudges, '' AS data
		FROM page
		UNION ALL
		SELECT 1, p.repository_id, p.environment_key, 0, 0, d.row_id, d.version, d.nudges, d.data
		FROM page p
		JOIN deployed c ON c.repository_id = p.repository_id AND c.environment_key = p.environment_key
		JOIN deployments d ON d.deployment_id = c.deployment_id AND d.repository_id = c.repository_id
		UNION ALL
		SELECT 2, p.repository_id, p.environment_key, 0, 0, d.row_id, d.version, d.nudges, d.data
		FROM page p
		JOIN deployments d ON d.repository_id = p.repository_id AND d.environment_key = p.environment_key
		WHERE d.holds_slot = 1
		UNION ALL
		SELECT 3, w.repository_id, w.environment_key, w.place, w.queued, d.row_id, d.version, d.nudges, d.data
		FROM (
			SELECT
				o.row_id,
				o.repository_id,
				o.environment_key,
				row_number() OVER (PARTITION BY o.repository_id, o.environment_key ORDER BY o.deployment_id) AS place,
				count(*) OVER (PARTITION BY o.repository_id, o.environment_key) AS queued
			FROM page p
			JOIN deployments o ON o.repository_id = p.repository_id AND o.environment_key = p.environment_key
			WHERE o.state = 'waiting' AND o.is_act <> 1
		) AS w
		LEFT JOIN deployments d ON d.row_id = w.row_id
		WHERE w.place <= $4
	) AS parts
	ORDER BY repository_id, environment_key, part, place`
}

// ListEnvironments lists what runs and waits where, by repository id and then by environment. An
// environment whose only deployment was pruned is left out, because its name is not known any more, unless the filter
// has Locked.
// last is the last environment that was looked at; the zero value: there is no other after it.
func (s Environments) ListEnvironments(
	ctx context.Context,
	f deployment.EnvironmentFilter,
) (list []deployment.EnvironmentStatus, last deployment.EnvironmentID, err error) {
	args := []any{f.After.RepositoryID, f.After.Key, f.Limit + 1, f.MaxWaiting}
	if f.Locked {
		args = append(args, micros(s.db.o.Now()))
	}
	conditions := ""
	if f.Repository != "" {
		id, err := s.repositoryNamed(ctx, f)
		if err != nil || id == 0 {
			return nil, last, err
		}
		args = append(args, id)
		conditions += ` AND repository_id = ` + placeholder(len(args))
	}
	if f.Environment != "" {
		args = append(args, strings.ToLower(f.Environment))
		conditions += ` AND environment_key = ` + placeholder(len(args))
	}

	rows, err := s.db.all(ctx, environmentsQuery(conditions, f.Locked), args...)
	if err != nil {
		return nil, last, err
	}

	parts, err := scanEach(rows, scanEnvironmentPart)
	if err != nil {
		return nil, last, err
	}

	list = foldEnvironments(parts)
	if len(list) > f.Limit {
		list = list[:f.Limit] // one more than is wanted tells whether there are others
		last = list[f.Limit-1].ID
	}

	if f.Locked {
		return list, last, nil
	}
	return withDeployments(list), last, nil
}

// repositoryNamed returns the id of the repository whose newest deployment had the name of a filter, or, where there is
// none, whose newest open lock has it; 0: none.
func (s Environments) repositoryNamed(ctx context.Context, f deployment.EnvironmentFilter) (id int64, err error) {
	name := strings.ToLower(f.Repository)
	err = s.db.get(ctx, `
		SELECT repository_id
		FROM deployments
		WHERE repository = $1
		ORDER BY row_id DESC
		LIMIT 1`,
		name,
	).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) && f.Locked {
		err = s.db.get(ctx, `
			SELECT repository_id
			FROM locks
			WHERE ended_at IS NULL AND repository_id > 0 AND lower(repository) = $1
			ORDER BY id DESC
			LIMIT 1`,
			name,
		).Scan(&id)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}

	return id, err
}

// environmentPart is one row of environmentsQuery.
type environmentPart struct {
	id         deployment.EnvironmentID
	part       int
	queued     int
	deployment deployment.Deployment
}

func scanEnvironmentPart(s scanner) (p environmentPart, err error) {
	var place int
	var data []byte
	var row, version, wakeCount int64
	err = s.Scan(
		&p.part,
		&p.id.RepositoryID,
		&p.id.Key,
		&place,
		&p.queued,
		&row,
		&version,
		&wakeCount,
		&data,
	)
	if err != nil || p.part == partEnvironment {
		return p, err
	}

	p.deployment, err = decodeDeployment(row, version, wakeCount, data)
	return p, err
}

// foldEnvironments puts the parts of each environment together. Those of one environment stand next to
// each other, the environment itself first.
func foldEnvironments(parts []environmentPart) (list []deployment.EnvironmentStatus) {
	for _, p := range parts {
		if p.part == partEnvironment {
			list = append(list, deployment.EnvironmentStatus{ID: p.id})
			continue
		}

		status := &list[len(list)-1]
		switch p.part {
		case partCurrent:
			status.Current = &p.deployment
		case partActive:
			status.Active = &p.deployment
		case partWaiting:
			status.Waiting, status.Queued = append(status.Waiting, p.deployment), p.queued
		}
	}

	return list
}

// withDeployments leaves out environments of which no deployment is left.
func withDeployments(list []deployment.EnvironmentStatus) (kept []deployment.EnvironmentStatus) {
	for _, status := range list {
		if status.Current != nil || status.Active != nil || len(status.Waiting) > 0 {
			kept = append(kept, status)
		}
	}

	return kept
}
