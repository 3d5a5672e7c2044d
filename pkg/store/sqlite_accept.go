package store

import (
	"context"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func (l *sqlite) accept(ctx context.Context, in *incoming) error {
	return l.intake.write(newIncomingItem(ctx, in))
}

// acceptRow stores one delivery and its deployment, on SQLite and, for what people asked for, on PostgreSQL.
// The statements are small ones on purpose: for an INSERT with RETURNING or SELECT, SQLite copies each page
// that it changes into a journal of the statement, which takes longer than the INSERT itself.
func (t *tx) acceptRow(in *incoming) error {
	fresh, err := t.insertDelivery(in)
	if err != nil || in.ignored != "" {
		return err
	}

	in.duplicate = !fresh
	if in.duplicate {
		return nil
	}

	row, err := t.insertDeployment(in)
	if err != nil {
		return err
	}

	if row == 0 {
		in.duplicate = true
		_, err := t.exec(markDuplicate, in.delivery.GUID, duplicateReason)
		return err
	}

	t.wake(advanceTask(row), in.deployment.Due)
	return t.addTimeline(row, in.entries)
}

// insertDelivery says whether the delivery's GUID had not led to a deployment before.
func (t *tx) insertDelivery(in *incoming) (fresh bool, err error) {
	del := in.delivery
	if in.ignored == "" {
		del.Repository, del.Environment = "", "" // they are in the deployment
	}

	return changedOne(t.exec(`
		INSERT INTO deliveries
			(guid, event, source, repository_id, deployment_id, received_at, ignored, body, repository, environment)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (guid) DO UPDATE SET
			repository_id = excluded.repository_id,
			deployment_id = excluded.deployment_id,
			received_at = excluded.received_at,
			ignored = excluded.ignored,
			body = excluded.body,
			repository = excluded.repository,
			environment = excluded.environment
		WHERE deliveries.ignored <> ''`,
		del.GUID,
		del.Event,
		del.Source,
		del.RepositoryID,
		del.DeploymentID,
		micros(del.ReceivedAt),
		in.ignored,
		in.body,
		del.Repository,
		del.Environment,
	))
}

// insertDeployment gives the new row's number, or 0 when the deployment had been accepted before.
func (t *tx) insertDeployment(in *incoming) (row int64, err error) {
	known, err := t.wasPruned(in.deployment.Request)
	if err != nil || known {
		return 0, err
	}

	result, err := t.exec(insertDeployment, deploymentParameters(in)...)
	if added, err := changedOne(result, err); err != nil || !added {
		return 0, err
	}

	row, err = result.LastInsertId()
	if err != nil { // PostgreSQL's driver has no such number
		err = t.row(`SELECT row_id FROM deployments WHERE trigger_key = $1`, []any{in.deployment.Target.Key}, &row)
	}

	return row, err
}

// wasPruned says whether a deployment had been accepted and was deleted since.
func (t *tx) wasPruned(r deployment.Request) (bool, error) {
	var n int
	err := t.row(
		`SELECT count(*) FROM pruned WHERE repository_id = $1 AND deployment_id = $2`,
		[]any{r.Repository.ID, r.ID},
		&n,
	)
	return n > 0, err
}

const insertDeployment = `
	INSERT INTO deployments (
		repository_id,
		deployment_id,
		repository,
		environment_key,
		state,
		trigger_key,
		accepted_at,
		due_at,
		data,
		sha,
		is_act
	)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
	ON CONFLICT (repository_id, deployment_id) DO NOTHING`

// deploymentParameters are the parameters of insertDeployment.
func deploymentParameters(in *incoming) []any {
	d := in.deployment
	return []any{
		d.Request.Repository.ID,
		d.Request.ID,
		strings.ToLower(d.Request.Repository.FullName()),
		d.Request.EnvironmentKey(),
		string(d.State),
		d.Target.Key,
		micros(d.AcceptedAt),
		nullTime(d.Due),
		string(in.data),
		d.Request.SHA,
		actOf(d.Target),
	}
}
