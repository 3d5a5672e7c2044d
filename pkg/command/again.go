package command

import (
	"context"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// AgainOrder is a deployment that somebody wants to have made once more.
type AgainOrder struct {
	Deployment int64  // GitHub's id
	Reason     string // may be empty
	Origin
}

// Again has a deployment created with the ref, commit, environment, task and payload of an earlier one. It is refused if
// the ref has moved since, because whoever asks saw the earlier commit. The rules are asked as for any other
// deployment, and whoever asks is its requester.
func (s *Service) Again(ctx context.Context, c Caller, o AgainOrder) (Ordered, error) {
	d, err := s.find(ctx, o.Deployment)
	if err != nil {
		return Ordered{}, err
	}

	in := deployment.Source{Repository: d.Request.Repository, Installation: d.Request.Installation}
	earlier := deployment.Success{DeploymentID: d.Request.ID, SHA: d.Request.SHA, Delivery: d.Delivery}
	payload, err := s.o.History.Payload(ctx, in, earlier)
	if err != nil {
		return Ordered{}, unavailable(fmt.Sprintf("the payload of #%d could not be read", d.Request.ID), err)
	}
	own, _, ok := deployment.OwnPayload(payload)
	if !ok {
		const format = "the payload of #%d is no JSON object, so that it cannot be deployed again by Seraph"
		return Ordered{}, invalid("cannot_deploy_again", fmt.Sprintf(format, d.Request.ID))
	}

	order := DeployOrder{
		Repository:  d.Request.Repository.FullName(),
		Ref:         d.Request.Ref,
		Environment: d.Request.Environment,
		Task:        d.Request.Task,
		Payload:     own,
		Reason:      o.Reason,
		SHA:         d.Request.SHA,
		Origin:      o.Origin,
	}
	if order.Ref == "" {
		order.Ref = d.Request.SHA
	}
	return s.Deploy(ctx, c, order)
}
