package github

import (
	"context"
	"errors"
	"net/http"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// WriteStatus writes one report as a deployment status, at most once, and says what came of it. A
// repository that goes by another name now is looked up by its id once, and written to under that
// name. Nothing waits: what the pace or a limit holds back comes back with After.
func (c *Client) WriteStatus(ctx context.Context, to deployment.Request, r deployment.Report) deployment.WriteOutcome {
	repo := c.current(to.Repository)
	who, err := c.accountFor(ctx, repo, to.Installation)
	if err != nil {
		return outcomeOf(err)
	}

	done, err := c.write(ctx, who, repo, to.ID, r)
	if err == nil {
		return done
	}
	if repo, err = c.resolveRenamed(ctx, repo, who.installation, err); err != nil {
		return outcomeOf(err)
	}
	if done, err = c.write(ctx, who, repo, to.ID, r); err != nil {
		return outcomeOf(err)
	}

	return done
}

// write makes the call, if the pace allows it.
func (c *Client) write(
	ctx context.Context,
	who *account,
	repo deployment.Repository,
	id int64,
	r deployment.Report,
) (deployment.WriteOutcome, error) {
	if wait := who.pace.reserve(c.options.Now(), r.Final); wait > 0 {
		return deployment.WriteOutcome{
			Kind:  deployment.WritePaced,
			After: wait,
			Cause: "the pace of SERAPH_GITHUB_WRITES_PER_MINUTE, or GitHub asked to wait",
		}, nil
	}

	var made *gh.DeploymentStatus
	failed := c.call(ctx, opWrite, func(ctx context.Context) error {
		status, resp, err := who.api.Repositories.CreateDeploymentStatus(ctx, repo.Owner, repo.Name, id, statusRequest(r))
		if err == nil && (resp.StatusCode != http.StatusCreated || status.GetID() == 0) {
			err = errors.New("it names no status")
		}

		made = status
		return err
	})

	if failed != nil {
		c.noteAuthFailure(failed, repo, who)
		if failed.Kind == KindLimited {
			who.pace.pause(c.options.Now(), failed.RetryAfter)
		}

		return deployment.WriteOutcome{}, failed
	}

	return deployment.WriteOutcome{Kind: deployment.WriteDone, StatusID: made.GetID()}, nil
}

// statusRequest sends only what was decided: auto_inactive stays GitHub's default where something was
// deployed, environment the deployment's.
func statusRequest(r deployment.Report) *gh.DeploymentStatusRequest {
	req := &gh.DeploymentStatusRequest{State: gh.String(string(r.State)), Description: gh.String(r.Description)}
	if r.LogURL != "" {
		req.LogURL = gh.String(r.LogURL)
	}
	if r.EnvironmentURL != "" {
		req.EnvironmentURL = gh.String(r.EnvironmentURL)
	}
	if r.KeepActive {
		req.AutoInactive = gh.Bool(false)
	}

	return req
}

// outcomeOf is the table of failed writes. Whatever fails before the write itself, for want of a
// token or an installation, wrote nothing.
func outcomeOf(err error) deployment.WriteOutcome {
	o := deployment.WriteOutcome{Kind: deployment.WriteRetry, Cause: err.Error()}
	var e *Error
	if !errors.As(err, &e) {
		if errors.Is(err, errInvalidName) { // ErrGone may be a token that lost its sight for a while
			o.Kind = deployment.WriteDropped
		}

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
