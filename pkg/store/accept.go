package store

import (
	"context"
	"encoding/json"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// duplicateReason is what the deliveries table says of a delivery whose deployment was accepted
// with another delivery.
const duplicateReason = "duplicate"

const markDuplicate = `UPDATE deliveries SET ignored = $2, body = NULL WHERE guid = $1`

// incoming is a delivery that waits to be stored: with the waiting deployment that it leads to, or
// with the reason why it leads to none.
type incoming struct {
	delivery deployment.Delivery
	ignored  string // why the delivery leads to no deployment; empty: it leads to one
	body     []byte // as it is stored

	deployment deployment.Deployment
	data       []byte             // the deployment as JSON
	entries    []deployment.Entry // the first ones of its timeline

	// duplicate is set by the commit: the delivery, or the deployment by its ids, had been
	// accepted before.
	duplicate bool
}

// actOf is the column is_act of a deployment.
func actOf(t deployment.Target) int {
	switch {
	case t.LockTask != "":
		return 1
	case t.Operation:
		return 2
	default:
		return 0
	}
}

// newIncoming is the delivery of a deployment, without data.
func newIncoming(del deployment.Delivery, d deployment.Deployment, notes []deployment.Entry) *incoming {
	del.RepositoryID, del.DeploymentID = d.Request.Repository.ID, d.Request.ID
	accepted := deployment.Entry{At: d.AcceptedAt, Event: "accepted", Detail: "by " + del.Source}
	return &incoming{
		delivery:   del,
		body:       compressBody(del.Body),
		deployment: d,
		entries:    append([]deployment.Entry{accepted}, notes...),
	}
}

// Accept stores a delivery and its waiting deployment in one commit, with the first entries of the
// timeline. duplicate says that the delivery, or the deployment by its ids, had been accepted
// before; then no deployment is added. After an error nothing is stored, except when ctx ended
// during the commit: then a redelivery may be answered as a duplicate.
func (s Intake) Accept(
	ctx context.Context,
	del deployment.Delivery,
	d deployment.Deployment,
	notes ...deployment.Entry,
) (duplicate bool, err error) {
	in := newIncoming(del, d, notes)
	in.data, err = json.Marshal(d)
	if err != nil {
		return false, err
	}

	if err := s.db.dialect.accept(ctx, in); err != nil {
		return false, err // in may still be written to: the commit goes on without its caller
	}

	return in.duplicate, nil
}

// Ignored records a delivery that led to no deployment, unless its GUID had led to one. The body is
// not kept.
func (s Intake) Ignored(ctx context.Context, del deployment.Delivery, reason string) error {
	return s.db.dialect.accept(ctx, &incoming{delivery: del, ignored: reason})
}

// Known says whether a delivery's GUID, or the deployment by its ids, had been accepted before.
func (s Intake) Known(ctx context.Context, del deployment.Delivery) (bool, error) {
	var n int
	err := s.db.get(ctx, `
		SELECT
			(SELECT count(*) FROM deliveries WHERE guid = $1 AND ignored IN ('', 'duplicate')) +
			(SELECT count(*) FROM deployments WHERE repository_id = $2 AND deployment_id = $3) +
			(SELECT count(*) FROM pruned WHERE repository_id = $2 AND deployment_id = $3)`,
		del.GUID,
		del.RepositoryID,
		del.DeploymentID,
	).Scan(&n)
	return n > 0, err
}

// NotAccepted gives those of a repository's GitHub deployment ids that were not accepted.
func (s Intake) NotAccepted(ctx context.Context, repositoryID int64, ids []int64) ([]int64, error) {
	var missing []int64
	for _, id := range ids {
		var n int
		err := s.db.get(ctx, `
			SELECT
				(SELECT count(*) FROM deployments WHERE repository_id = $1 AND deployment_id = $2) +
				(SELECT count(*) FROM pruned WHERE repository_id = $1 AND deployment_id = $2)`,
			repositoryID,
			id,
		).Scan(&n)
		if err != nil {
			return nil, err
		}

		if n == 0 {
			missing = append(missing, id)
		}
	}

	return missing, nil
}
