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
	in := newIncoming(del, d, notes)
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

		own.data, err = json.Marshal(own.deployment)
		if err != nil {
			return false, err
		}
		if err := t.acceptRow(&own); err != nil {
			return false, err
		}
		if own.duplicate || i.DeploymentID != 0 {
			return own.duplicate, nil
		}

		return false, t.updateIntent(deployment.IntentMachine{}.Created(i, d.Request.ID, t.now))
	})
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
