package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// AcceptAsked is Accept of a deployment that matches an intent: in the same commit the intent becomes
// created. A deployment that comes after another one of the same intent, or whose intent was superseded,
// is stored to be rejected, because GitHub has it.
func (s Requests) AcceptAsked(
	ctx context.Context,
	del deployment.Delivery,
	d deployment.Deployment,
	notes ...deployment.Entry,
) (duplicate bool, err error) {
	del.RepositoryID, del.DeploymentID = d.Request.Repository.ID, d.Request.ID
	accepted := deployment.Entry{At: d.AcceptedAt, Event: "accepted", Detail: "by " + del.Source}
	in := &incoming{
		delivery:   del,
		body:       compressBody(del.Body),
		deployment: d,
		entries:    append([]deployment.Entry{accepted}, notes...),
	}

	return writeFor(ctx, s.db, func(t *tx) (bool, error) {
		own := *in // a write that is tried again begins anew
		i, err := oneIntent(query{t, requestByNonce + t.fragments().forUpdate, []any{d.Request.Asked.Nonce}})
		if err != nil {
			return false, fmt.Errorf("read request of deployment %d: %w", d.Request.ID, err)
		}

		own.deployment.Refused = i.Superseded
		if i.DeploymentID != 0 && i.DeploymentID != d.Request.ID {
			own.deployment.Refused = fmt.Sprintf("duplicate of #%d", i.DeploymentID)
		}

		added, err := t.acceptOne(&own)
		if err != nil || !added {
			return !added, err
		}
		if i.DeploymentID != 0 {
			return false, nil
		}

		return false, t.updateIntent(deployment.IntentMachine{}.Created(i, d.Request.ID, t.now))
	})
}

// acceptOne stores a delivery and its deployment. added is false if one of them had been accepted before.
// It does what acceptRow does, on both databases.
func (t *tx) acceptOne(in *incoming) (added bool, err error) {
	in.data, err = json.Marshal(in.deployment)
	if err != nil {
		return false, err
	}

	fresh, err := t.insertDelivery(in)
	if err != nil || !fresh {
		return false, err
	}

	d := in.deployment
	known, err := t.wasPruned(d.Request)
	if err != nil {
		return false, err
	}
	if !known {
		added, err = changedOne(t.exec(insertDeployment, deploymentParameters(in)...))
		if err != nil {
			return false, err
		}
	}
	if !added {
		_, err := t.exec(markDuplicate, in.delivery.GUID, duplicateReason)
		return false, err
	}

	var row int64
	err = t.row(`SELECT row_id FROM deployments WHERE trigger_key = $1`, []any{d.Target.Key}, &row)
	if err != nil {
		return false, err
	}

	t.wake(advanceTask(row), d.Due)
	return true, t.addTimeline(row, in.entries)
}

// reopenIntent has the deployment of an intent looked for again, whose row was found to be made up.
func (t *tx) reopenIntent(r deployment.Request) error {
	if r.Asked == nil {
		return nil
	}

	i, err := oneIntent(query{t, requestByNonce + t.fragments().forUpdate, []any{r.Asked.Nonce}})
	if errors.Is(err, deployment.ErrNotFound) || err == nil && i.DeploymentID != r.ID {
		return nil
	}
	if err != nil {
		return err
	}

	i = deployment.IntentMachine{}.Reopen(i, t.now)
	t.wake(createTask(i.Row), i.Due)
	return t.updateIntent(i)
}
