package github

import (
	"cmp"
	"context"
	"errors"
	"slices"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// maxStatusPages bounds how many statuses of one deployment are read, at 100 a page.
const maxStatusPages = 10

var (
	errTooManyStatuses = errors.New("the deployment has too many statuses to read them all")
	// errNoList keeps an empty body, which go-github decodes without complaint, from passing for an
	// empty list.
	errNoList = errors.New("it holds no list")
)

// Statuses reads all of a deployment's statuses, oldest first. It never gives a part of them: what
// is missing could be the one that matters.
func (c *Client) Statuses(ctx context.Context, of deployment.Request) ([]deployment.Status, error) {
	repo := c.current(of.Repository)
	all, err := c.statuses(ctx, repo, of)
	if err == nil {
		return all, nil
	}
	if repo, err = c.resolveRenamed(ctx, repo, of.Installation, err); err != nil {
		return nil, err
	}

	return c.statuses(ctx, repo, of)
}

func (c *Client) statuses(
	ctx context.Context,
	repo deployment.Repository,
	of deployment.Request,
) ([]deployment.Status, error) {
	byID := map[int64]deployment.Status{} // pages shift while statuses are added
	opts := &gh.ListOptions{PerPage: 100}
	for range maxStatusPages {
		page, next, err := c.statusPage(ctx, repo, of, opts)
		if err != nil {
			return nil, err
		}

		for _, s := range page {
			byID[s.GetID()] = toStatus(s)
		}

		if next == 0 {
			return sortStatuses(byID), nil
		}

		opts.Page = next
	}

	return nil, errTooManyStatuses
}

func (c *Client) statusPage(
	ctx context.Context,
	repo deployment.Repository,
	of deployment.Request,
	opts *gh.ListOptions,
) (page []*gh.DeploymentStatus, next int, err error) {
	err = c.read(ctx, opStatuses, repo, of.Installation, func(ctx context.Context, api *gh.Client) error {
		list, resp, err := api.Repositories.ListDeploymentStatuses(ctx, repo.Owner, repo.Name, of.ID, opts)
		if err == nil && list == nil {
			err = errNoList
		}
		if err == nil {
			page, next = list, resp.NextPage
		}

		return err
	})

	return page, next, err
}

func toStatus(s *gh.DeploymentStatus) deployment.Status {
	return deployment.Status{
		ID:           s.GetID(),
		State:        deployment.GitHubState(s.GetState()),
		Description:  s.GetDescription(),
		LogURL:       s.GetLogURL(),
		CreatorID:    s.GetCreator().GetID(),
		CreatorLogin: s.GetCreator().GetLogin(),
		CreatedAt:    s.GetCreatedAt().Time,
	}
}

// sortStatuses sorts by time and id; GitHub does not document the order of its list.
func sortStatuses(byID map[int64]deployment.Status) []deployment.Status {
	all := make([]deployment.Status, 0, len(byID))
	for _, s := range byID {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b deployment.Status) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all
}
