package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// KnownPipelines gives what is on record about these pipelines. One that is not in the map was never
// seen.
func (s Pipelines) KnownPipelines(ctx context.Context, ids []string) (map[string]deployment.KnownPipeline, error) {
	known := map[string]deployment.KnownPipeline{}
	for _, id := range ids {
		var row int64
		err := s.db.get(ctx, `SELECT row_id FROM pipelines WHERE pipeline_id = $1`, id).Scan(&row)
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

// NewestClaimed gives the pipelines of a project that were claimed last by other rows than notRow, the
// newest first, at most limit.
func (s Pipelines) NewestClaimed(
	ctx context.Context,
	projectID string,
	notRow int64,
	limit int,
) ([]deployment.ClaimedPipeline, error) {
	rows, err := s.db.all(ctx, `
		SELECT pipeline_id, row_id
		FROM pipelines
		WHERE project_id = $1 AND row_id <> 0 AND row_id <> $2
		ORDER BY seen_at DESC
		LIMIT $3`,
		projectID,
		notRow,
		limit,
	)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, func(s scanner) (p deployment.ClaimedPipeline, err error) {
		return p, s.Scan(&p.ID, &p.Row)
	})
}

// Project gives CircleCI's identity of a project by a spelling of its slug; the zero Project when
// CircleCI was not asked for it yet.
func (s Pipelines) Project(ctx context.Context, slug string) (p deployment.Project, err error) {
	err = s.db.get(ctx, `SELECT project_id, canonical FROM projects WHERE slug = $1`, slug).Scan(&p.ID, &p.Slug)
	if errors.Is(err, sql.ErrNoRows) {
		return deployment.Project{}, nil
	}

	return p, err
}

// saveProject keeps CircleCI's identity of the project that a target names; the zero Project: nothing.
func (t *tx) saveProject(target deployment.Target, p deployment.Project) error {
	if p == (deployment.Project{}) {
		return nil
	}

	_, err := t.exec(`
		INSERT INTO projects (slug, project_id, canonical)
		VALUES ($1, $2, $3)
		ON CONFLICT (slug) DO UPDATE SET
			project_id = excluded.project_id,
			canonical = excluded.canonical`,
		target.Project,
		p.ID,
		p.Slug,
	)
	return err
}

// claimPipeline records which row the pipeline belongs to, and deletes the record of one that the
// row no longer has. *deployment.PipelineTakenError: it belongs to another row.
func (t *tx) claimPipeline(old currentRow, next deployment.Deployment) error {
	id := pipelineID(next)
	if id == old.pipelineID {
		return nil
	}

	if id != "" {
		owner, err := t.pipelineOwner(id)
		if err != nil {
			return err
		}
		if owner != 0 && owner != next.Row {
			return &deployment.PipelineTakenError{PipelineID: id, Row: owner}
		}
	}

	if old.pipelineID != "" {
		_, err := t.exec(`DELETE FROM pipelines WHERE pipeline_id = $1 AND row_id = $2`, old.pipelineID, next.Row)
		if err != nil {
			return err
		}
	}

	if id == "" {
		return nil
	}

	claimed, err := changedOne(t.exec(`
		INSERT INTO pipelines (pipeline_id, project_id, row_id, seen_at)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (pipeline_id) DO UPDATE SET
			row_id = excluded.row_id,
			seen_at = excluded.seen_at
		WHERE pipelines.row_id IN (0, excluded.row_id)`,
		id,
		next.Project.ID,
		next.Row,
		micros(t.now),
	))
	if err != nil || claimed {
		return err
	}

	// Another replica claimed it after we looked.
	owner, err := t.pipelineOwner(id)
	if err != nil {
		return err
	}

	return &deployment.PipelineTakenError{PipelineID: id, Row: owner}
}

// pipelineOwner gives the row that a pipeline belongs to; 0: none.
func (t *tx) pipelineOwner(pipelineID string) (row int64, err error) {
	err = t.row(`SELECT row_id FROM pipelines WHERE pipeline_id = $1`, []any{pipelineID}, &row)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}

	return row, err
}

// pipelineID is the id of a deployment's pipeline; "": it has none.
func pipelineID(d deployment.Deployment) string {
	if d.Pipeline == nil {
		return ""
	}
	return d.Pipeline.ID
}
