package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// maxStatusPages bounds how many statuses of one deployment are read, at 100 a page.
const maxStatusPages = 10

// ErrGone says that a repository was deleted, or is out of our sight for good.
var ErrGone = errors.New("the repository does not exist any more")

// WriteStatus writes one report as a deployment status, at most once, and says what came of it. A repository that has moved is looked up by its id
// once, and written to under its new name.
func (c *Client) WriteStatus(ctx context.Context, to deployment.Request, r deployment.Report) deployment.WriteOutcome {
	repo := c.current(to.Repository)
	outcome, err := c.write(ctx, repo, to, r)
	if err == nil || !mayHaveMoved(err) {
		return outcome
	}
	moved, lookErr := c.renamed(ctx, repo, to.Installation)
	switch {
	case errors.Is(lookErr, ErrGone):
		return deployment.WriteOutcome{Kind: deployment.WriteDropped, Cause: ErrGone.Error()}
	case lookErr != nil || moved.FullName() == repo.FullName():
		return outcome
	}
	outcome, _ = c.write(ctx, moved, to, r)
	return outcome
}

// mayHaveMoved says whether a refusal may come from an old name.
func mayHaveMoved(err *Error) bool {
	return err.Kind == KindMoved || err.Status == http.StatusNotFound
}

// renamed asks for a repository by its id and keeps its new name. ErrGone: there is none.
func (c *Client) renamed(ctx context.Context, r deployment.Repository, installation int64) (deployment.Repository, error) {
	if r.ID == 0 {
		return r, errors.New("the repository's id is not known")
	}
	now, err := c.Repository(ctx, r, installation)
	if err != nil {
		return r, err
	}
	c.mu.Lock()
	c.names[r.ID] = now
	c.mu.Unlock()
	return now, nil
}

func (c *Client) write(ctx context.Context, repo deployment.Repository, to deployment.Request, r deployment.Report) (deployment.WriteOutcome, *Error) {
	if err := validName(repo); err != nil {
		return deployment.WriteOutcome{Kind: deployment.WriteDropped, Cause: err.Error()}, nil
	}
	who, installation, err := c.who(ctx, repo, to.Installation)
	if err != nil {
		return c.refused(err, installation, repo)
	}
	if wait := c.hold(who, r); wait > 0 {
		return deployment.WriteOutcome{Kind: deployment.WritePaced, After: wait, Cause: "GITHUB_WRITES_PER_MINUTE"}, nil
	}
	status, resp, err := who.api.Repositories.CreateDeploymentStatus(outbound.WithOperation(ctx, "write_status"), repo.Owner, repo.Name, to.ID, body(r))
	if err == nil && (resp.StatusCode != http.StatusCreated || status.GetID() == 0) {
		err = fmt.Errorf("answer %d names no status", resp.StatusCode)
	}
	if err != nil {
		return c.refused(c.failure("write_status", resp, err), installation, repo)
	}
	return deployment.WriteOutcome{Kind: deployment.WriteDone, StatusID: status.GetID()}, nil
}

// body sends only what was decided: auto_inactive stays GitHub's default, environment the deployment's.
func body(r deployment.Report) *gh.DeploymentStatusRequest {
	req := &gh.DeploymentStatusRequest{State: gh.String(string(r.State)), Description: gh.String(r.Description)}
	if r.LogURL != "" {
		req.LogURL = gh.String(r.LogURL)
	}
	if r.EnvironmentURL != "" {
		req.EnvironmentURL = gh.String(r.EnvironmentURL)
	}
	return req
}

// hold is how long a write must wait for the pace. A quarter of a minute's writes is kept for ends.
func (c *Client) hold(who *account, r deployment.Report) time.Duration {
	now := c.o.Now()
	if who.pace.Limit() == 0 || who.pace.Burst() <= 1 {
		return 0
	}
	reserve := float64(who.pace.Burst()) / 4
	if tokens := who.pace.TokensAt(now); !r.End && tokens < reserve+1 {
		return time.Duration((reserve + 1 - tokens) / float64(who.pace.Limit()) * float64(time.Second))
	}
	taken := who.pace.ReserveN(now, 1)
	if wait := taken.DelayFrom(now); wait > 0 {
		taken.CancelAt(now)
		return wait
	}
	return 0
}

// refused is the table of failed writes.
func (c *Client) refused(err error, installation int64, repo deployment.Repository) (deployment.WriteOutcome, *Error) {
	var e *Error
	if !errors.As(err, &e) {
		return deployment.WriteOutcome{Kind: deployment.WriteRetry, Cause: err.Error()}, nil
	}
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusNotFound {
		c.forget(installation, repo.FullName())
	}
	o := deployment.WriteOutcome{After: e.RetryAfter, Cause: e.Error()}
	switch {
	case e.Operation != "write_status": // a token or an installation: nothing was written
		o.Kind = deployment.WriteRetry
	case e.Kind == KindFull:
		o.Kind = deployment.WriteFull
	case e.Kind == KindInvalid:
		o.Kind = deployment.WriteDropped
	case e.Kind == KindUnknown, e.Kind == KindNoAnswer:
		o.Kind = deployment.WriteUnknown
	default:
		o.Kind = deployment.WriteRetry
	}
	return o, e
}

// Statuses reads a deployment's statuses, oldest first.
func (c *Client) Statuses(ctx context.Context, of deployment.Request) ([]deployment.Status, error) {
	repo := c.current(of.Repository)
	var all []deployment.Status
	err := c.read(ctx, repo, of.Installation, func(api *gh.Client) (*gh.Response, error) {
		all = nil
		opts := &gh.ListOptions{PerPage: 100}
		for range maxStatusPages {
			page, resp, err := api.Repositories.ListDeploymentStatuses(outbound.WithOperation(ctx, "list_statuses"), repo.Owner, repo.Name, of.ID, opts)
			if err != nil {
				return resp, err
			}
			for _, s := range page {
				all = append(all, statusOf(s))
			}
			if resp.NextPage == 0 {
				return resp, nil
			}
			opts.Page = resp.NextPage
		}
		return nil, errors.New("the deployment has too many statuses to read")
	})
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all, err
}

func statusOf(s *gh.DeploymentStatus) deployment.Status {
	return deployment.Status{
		ID: s.GetID(), State: deployment.GitHubState(s.GetState()), Description: s.GetDescription(), LogURL: s.GetLogURL(),
		CreatorID: s.GetCreator().GetID(), CreatorLogin: s.GetCreator().GetLogin(), CreatedAt: s.GetCreatedAt().Time,
	}
}

// read makes a read as the account that may; after a 401 once more with a fresh token.
func (c *Client) read(ctx context.Context, repo deployment.Repository, installation int64, do func(*gh.Client) (*gh.Response, error)) error {
	if err := validName(repo); err != nil {
		return err
	}
	for try := 0; ; try++ {
		who, used, err := c.who(ctx, repo, installation)
		if err != nil {
			return err
		}
		resp, err := do(who.api)
		if err == nil {
			return nil
		}
		failed := c.failure("read", resp, err)
		if try == 0 && failed.Status == http.StatusUnauthorized && c.o.AppID != 0 {
			c.forget(used, repo.FullName())
			continue
		}
		return failed
	}
}
