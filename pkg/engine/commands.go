package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Deployments finds deployments and what is stored with them.
type Deployments interface {
	// ByKey returns deployment.ErrNotFound if no deployment has the key.
	ByKey(ctx context.Context, key string) (deployment.Deployment, error)
	Get(ctx context.Context, deploymentID int64) ([]deployment.Record, error)
	// OlderLockTask returns GitHub's id of an older deployment of the environment that locks or
	// unlocks and is still waiting; 0: there is none.
	OlderLockTask(ctx context.Context, repositoryID int64, environmentKey string, deploymentID int64) (int64, error)
	Reports(ctx context.Context, row int64) ([]deployment.Report, error)
	// WaitingBefore returns the rows of an environment that wait and are older, but no lock tasks.
	WaitingBefore(ctx context.Context, repositoryID int64, environmentKey string, deploymentID int64) ([]int64, error)
}

// Requests keeps what people asked this service for.
type Requests interface {
	// SupersedeRequests says of the open requests that are older than a rollback, by its nonce, that it takes
	// their place.
	SupersedeRequests(ctx context.Context, nonce string) error
}

// Cancel cancels a deployment for somebody: at once while it waits, else by canceling its workflows
// and waiting until CircleCI shows their end. *deployment.InvalidTransitionError: it has ended.
func (e *Engine) Cancel(
	ctx context.Context,
	row int64,
	request deployment.CancelRequested,
	audit deployment.AuditEvent,
) (deployment.Deployment, error) {
	return e.update(ctx, row, request, updateOptions{audit: &audit})
}

// Force lets a waiting deployment pass rules that can be forced.
// *deployment.InvalidTransitionError: it does not wait.
func (e *Engine) Force(
	ctx context.Context,
	row int64,
	force deployment.Force,
	audit deployment.AuditEvent,
) (deployment.Deployment, error) {
	return e.update(ctx, row, deployment.ForceRequested{Force: force}, updateOptions{audit: &audit})
}

// Hold records that somebody approves, or has approved, a job that CircleCI holds: hold is a
// deployment.HoldAsked or a deployment.HoldApproved. audit may be nil.
// *deployment.InvalidTransitionError: the deployment does not run.
func (e *Engine) Hold(
	ctx context.Context,
	row int64,
	hold deployment.Event,
	audit *deployment.AuditEvent,
) (deployment.Deployment, error) {
	return e.update(ctx, row, hold, updateOptions{audit: audit})
}

// cancelRunning cancels the running deployment of an environment for a newer one. If it fails it is
// repeated when the rules of the newer one are evaluated again.
func (e *Engine) cancelRunning(ctx context.Context, newer deployment.Deployment, id int64) {
	request := deployment.CancelRequested{Reason: fmt.Sprintf("superseded by #%d", newer.Request.ID)}
	audit := deployment.AuditEvent{
		Kind:    deployment.AuditCanceled,
		Channel: deployment.ChannelSeraph,
		Actor:   newer.Request.Requester(),
	}

	records, err := e.Deployments.Get(ctx, id)
	for _, rec := range records {
		running := rec.Deployment
		if running.Request.Repository.ID == newer.Request.Repository.ID && running.Cancel == nil {
			_, err = e.Cancel(ctx, running.Row, request, audit)
		}
	}

	if err != nil {
		e.log(newer, zerolog.WarnLevel).Err(err).Int64("running", id).Msg("cancel of running deployment failed")
	}
}

// supersedeOlder ends what is older than a rollback and waits in its environment, or is still to be created:
// it would undo the rollback. The rules let the rollback go on, so that nobody can end by asking for one what
// others have asked for. What could not be ended now is ended when the rules are evaluated again.
func (e *Engine) supersedeOlder(ctx context.Context, rollback deployment.Deployment) {
	r := rollback.Request
	err := e.Requests.SupersedeRequests(ctx, r.Asked.Nonce)
	rows, failed := e.Deployments.WaitingBefore(ctx, r.Repository.ID, r.EnvironmentKey(), r.ID)
	err = errors.Join(err, failed)
	for _, row := range rows {
		var late *deployment.InvalidTransitionError
		_, failed := e.update(ctx, row, deployment.Superseded{By: r.ID}, updateOptions{})
		if failed != nil && !errors.As(failed, &late) {
			err = errors.Join(err, failed)
		}
	}

	if err != nil {
		e.log(rollback, zerolog.WarnLevel).Err(err).Msg("older deployments not superseded")
	}
}
