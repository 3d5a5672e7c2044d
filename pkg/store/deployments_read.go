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

// KnownPipelines gives what is remembered of these pipelines; one that is not in the map was never
// seen.
func (db *DB) KnownPipelines(ctx context.Context, ids []string) (map[string]deployment.KnownPipeline, error) {
	known := map[string]deployment.KnownPipeline{}
	for _, id := range ids {
		var row int64
		err := db.get(ctx, `SELECT row_id FROM pipelines WHERE pipeline_id = $1`, id).Scan(&row)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}

		known[id] = deployment.KnownPipeline{Row: row, Unclaimed: row == 0}
	}

	return known, nil
}

// NewestClaimed gives the pipeline of a project that was claimed last, by another row than notRow;
// "" when there is none.
func (db *DB) NewestClaimed(
	ctx context.Context,
	projectID string,
	notRow int64,
) (pipelineID string, row int64, err error) {
	err = db.get(ctx, `SELECT pipeline_id, row_id FROM pipelines WHERE project_id = $1 AND row_id <> 0 AND row_id <> $2
		ORDER BY seen_at DESC LIMIT 1`, projectID, notRow).Scan(&pipelineID, &row)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return pipelineID, row, err
}

// NewerStarted says whether a deployment of the environment with a larger GitHub id has ever
// started.
func (db *DB) NewerStarted(
	ctx context.Context,
	repositoryID int64,
	environmentKey string,
	deploymentID int64,
) (bool, error) {
	var n int
	err := db.get(ctx, `SELECT count(*) FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND started = 1 AND deployment_id > $3`, repositoryID, environmentKey, deploymentID).Scan(&n)
	return n > 0, err
}

// Project gives CircleCI's identity of a project by a spelling of its slug; the zero Project when
// it was never asked.
func (db *DB) Project(ctx context.Context, slug string) (p deployment.Project, err error) {
	err = db.get(ctx, `SELECT project_id, canonical FROM projects WHERE slug = $1`, slug).Scan(&p.ID, &p.Slug)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return p, err
}

// SaveProject remembers CircleCI's identity of a project under a spelling of its slug.
func (db *DB) SaveProject(ctx context.Context, slug string, p deployment.Project) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO projects (slug, project_id, canonical) VALUES ($1, $2, $3)
			ON CONFLICT (slug) DO UPDATE SET project_id = excluded.project_id, canonical = excluded.canonical`, slug, p.ID, p.Slug)
		return err
	})
}

// Repositories lists the repositories that rows since a moment have named, with the installation
// that their newest event came through.
func (db *DB) Repositories(ctx context.Context, since time.Time) ([]deployment.Source, error) {
	rows, err := db.all(ctx, `SELECT `+deploymentColumns+` FROM deployments
		WHERE row_id IN (SELECT max(row_id) FROM deployments WHERE accepted_at >= $1 GROUP BY repository_id) ORDER BY row_id`, micros(since))
	if err != nil {
		return nil, err
	}

	list, err := scanAll(rows)
	sources := make([]deployment.Source, len(list))
	for i, d := range list {
		sources[i] = deployment.Source{Repository: d.Request.Repository, Installation: d.Request.Installation}
	}

	return sources, err
}

func scanAll(rows *sql.Rows) ([]deployment.Deployment, error) { return scanEach(rows, scanDeployment) }

// List gives deployments, newest row first.
func (db *DB) List(ctx context.Context, f deployment.Filter) ([]deployment.Deployment, error) {
	where, args := []string{"1 = 1"}, []any{}
	add := func(clause string, value any) {
		args = append(args, value)
		where = append(where, strings.ReplaceAll(clause, "?", placeholder(len(args))))
	}

	if f.Repository != "" {
		add("repository = ?", strings.ToLower(f.Repository))
	}
	if f.Environment != "" {
		add("environment_key = ?", strings.ToLower(f.Environment))
	}
	if f.State != "" {
		add("state = ?", string(f.State))
	}
	if f.Before > 0 {
		add("row_id < ?", f.Before)
	}

	args = append(args, f.Limit)
	rows, err := db.all(ctx, `SELECT `+deploymentColumns+` FROM deployments WHERE `+strings.Join(where, " AND ")+
		` ORDER BY row_id DESC LIMIT `+placeholder(len(args)), args...)
	if err != nil {
		return nil, err
	}

	return scanAll(rows)
}

func placeholder(n int) string { return "$" + strconv.Itoa(n) }

// Get gives the deployments with this GitHub id (ids are unique on one GitHub) and their history.
func (db *DB) Get(ctx context.Context, deploymentID int64) ([]deployment.Record, error) {
	rows, err := db.all(ctx, `SELECT `+deploymentColumns+` FROM deployments WHERE deployment_id = $1`, deploymentID)
	if err != nil {
		return nil, err
	}

	list, err := scanAll(rows)
	if err != nil {
		return nil, err
	}

	records := make([]deployment.Record, len(list))
	for i, d := range list {
		records[i].Deployment = d
		if records[i].Timeline, err = db.timeline(ctx, d.Row); err != nil {
			return nil, err
		}
		if records[i].Reports, err = db.Reports(ctx, d.Row); err != nil {
			return nil, err
		}
	}

	return records, nil
}

func (db *DB) timeline(ctx context.Context, row int64) ([]deployment.Entry, error) {
	rows, err := db.all(ctx, `SELECT at, event, detail FROM timeline WHERE row_id = $1 ORDER BY at, id`, row)
	if err != nil {
		return nil, err
	}

	defer func() { _ = rows.Close() }()
	var entries []deployment.Entry
	for rows.Next() {
		var e deployment.Entry
		var us int64
		if err := rows.Scan(&us, &e.Event, &e.Detail); err != nil {
			return nil, err
		}

		e.At = at(us)
		entries = append(entries, e)
	}

	return entries, rows.Err()
}

// Stats counts what the metrics show.
func (db *DB) Stats(ctx context.Context) (deployment.Stats, error) {
	c := deployment.Stats{Open: map[deployment.State]int{}}
	rows, err := db.all(ctx, `
		SELECT 'waiting', count(*) FROM deployments WHERE state = 'waiting'
		UNION ALL
		SELECT state, count(*) FROM deployments
		WHERE state IN ('triggering', 'unconfirmed', 'running', 'held')
		GROUP BY state`)
	if err != nil {
		return c, err
	}

	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s deployment.State
		var n int
		if err := rows.Scan(&s, &n); err != nil {
			return c, err
		}

		c.Open[s] = n
	}

	if err := rows.Err(); err != nil {
		return c, err
	}
	if err := db.get(ctx, `SELECT count(*) FROM reports WHERE fate IN ('owed', 'unknown')`).Scan(&c.ReportsUnsent); err != nil {
		return c, err
	}

	var oldest sql.NullInt64
	err = db.get(ctx, `SELECT min(at) FROM (SELECT min(due_at) AS at FROM deployments WHERE due_at IS NOT NULL
		UNION ALL SELECT min(report_due_at) FROM deployments WHERE report_due_at IS NOT NULL) AS due`).Scan(&oldest)
	if oldest.Valid {
		c.OldestDue = max(0, db.o.Now().Sub(at(oldest.Int64)))
	}

	return c, err
}

// Load reads a row. deployment.ErrNotFound: there is none.
func (db *DB) Load(ctx context.Context, row int64) (deployment.Deployment, error) {
	return db.one(ctx, `SELECT `+deploymentColumns+` FROM deployments WHERE row_id = $1`, row)
}

// ByKey reads the row whose key this is. deployment.ErrNotFound: there is none.
func (db *DB) ByKey(ctx context.Context, key string) (deployment.Deployment, error) {
	return db.one(ctx, `SELECT `+deploymentColumns+` FROM deployments WHERE trigger_key = $1`, key)
}

func (db *DB) one(ctx context.Context, query string, arg any) (deployment.Deployment, error) {
	d, err := scanDeployment(db.get(ctx, query, arg))
	if errors.Is(err, sql.ErrNoRows) {
		return d, deployment.ErrNotFound
	}
	return d, err
}
