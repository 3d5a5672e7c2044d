package github

import (
	"context"
	"errors"
	"net/http"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// WriteStatus writes one report as a deployment status, at most once (REST API, "Create a
// deployment status"). A repository that was renamed is looked up by its id, and the status is
// written under the new name. WriteStatus does not wait: when the pace or a rate limit forbids a
// write, the outcome's After says how long to wait.
func (c *Client) WriteStatus(ctx context.Context, to deployment.Request, r deployment.Report) deployment.WriteOutcome {
	src := c.current(deployment.Source{Repository: to.Repository, Installation: to.Installation})
	acct, err := c.accountFor(ctx, src)
	if err != nil {
		return failedWrite(err)
	}

	outcome, err := c.write(ctx, acct, src.Repository, to.ID, r)
	if err != nil {
		src.Installation = acct.installation
		src, err = c.resolveRenamed(ctx, src, err)
		if err != nil {
			return failedWrite(err)
		}

		outcome, err = c.write(ctx, acct, src.Repository, to.ID, r)
	}
	if err != nil {
		return failedWrite(err)
	}

	return outcome
}

// write makes the call, if the account's pace allows it.
func (c *Client) write(
	ctx context.Context,
	acct *account,
	repo deployment.Repository,
	id int64,
	r deployment.Report,
) (deployment.WriteOutcome, error) {
	if wait := acct.pace.reserve(c.options.Now(), r.Final); wait > 0 {
		return deployment.WriteOutcome{
			Kind:  deployment.WritePaced,
			After: wait,
			Cause: "write held back by SERAPH_GITHUB_WRITES_PER_MINUTE or by a rate limit of GitHub",
		}, nil
	}

	var created *gh.DeploymentStatus
	err := c.sendWrite(ctx, opWrite, acct, repo, func(ctx context.Context) error {
		request := statusRequest(r)
		status, resp, err := acct.api.createStatus(ctx, repo.Owner, repo.Name, id, request)
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusCreated || status.GetID() == 0 {
			return errors.New("no status id")
		}

		created = status
		return nil
	})
	if err != nil {
		return deployment.WriteOutcome{}, err
	}

	return deployment.WriteOutcome{Kind: deployment.WriteDone, StatusID: created.GetID()}, nil
}

// sendWrite runs do, which makes one write of an account that its pace allows, and remembers what a failure
// means for later calls: a token that does not work any more, another installation, or a rate limit.
func (c *Client) sendWrite(
	ctx context.Context,
	operation string,
	acct *account,
	repo deployment.Repository,
	do func(context.Context) error,
) error {
	err := c.send(ctx, operation, do)
	if err != nil {
		if !c.noteAuthFailure(err, repo, acct) {
			c.findElsewhere(ctx, err, repo, acct) // for the next try
		}
		acct.pace.pauseAfter(err, c.options.Now())
		acct.limit.note(err, c.options.Now(), longestForReads(err))
	}

	return err
}

// longestForReads returns how long a rate limit that a write has met may hold reads back: until it ends if
// no calls of the account remain, else for a short time, because it may be the limit for writes alone.
func longestForReads(err error) time.Duration {
	var failed *Error
	if errors.As(err, &failed) && failed.Exhausted {
		return maxLimitWait
	}
	return maxPause
}

// statusRequest returns the body of a write. It holds only what the report says: the environment
// stays the deployment's, and auto_inactive keeps GitHub's default, true, unless nothing was
// deployed.
func statusRequest(r deployment.Report) *gh.DeploymentStatusRequest {
	req := &gh.DeploymentStatusRequest{State: new(string(r.State)), Description: new(r.Description)}
	if r.LogURL != "" {
		req.LogURL = new(r.LogURL)
	}
	if r.EnvironmentURL != "" {
		req.EnvironmentURL = new(r.EnvironmentURL)
	}
	if r.KeepActive {
		req.AutoInactive = new(false)
	}

	return req
}

// failedWrite maps a failed write to its outcome. A failure before the write itself, such as a
// missing token or installation, wrote nothing and is tried again. So is ErrRepositoryGone, which a
// token that may not see the repository for a while causes too.
func failedWrite(err error) deployment.WriteOutcome {
	o := deployment.WriteOutcome{Kind: deployment.WriteRetry, Cause: err.Error()}
	if errors.Is(err, errInvalidName) {
		o.Kind = deployment.WriteDropped
		return o
	}

	var e *Error
	if !errors.As(err, &e) {
		return o
	}

	o.After = e.RetryAfter
	if e.Operation != opWrite {
		return o
	}

	switch e.Kind {
	case KindFull:
		o.Kind = deployment.WriteFull
	case KindInvalid:
		o.Kind = deployment.WriteDropped
	case KindUnknown, KindNoAnswer:
		o.Kind, o.Late = deployment.WriteUnknown, e.Kind == KindNoAnswer
	}

	return o
}
