package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// maxStatusPages bounds how many statuses of one deployment are read, at 100 a page.
const maxStatusPages = 10

var (
	errTooManyStatuses = fmt.Errorf("deployment has more than %d statuses", maxStatusPages*100)

	// errNoList rejects a response without a list. go-github v60 decodes an empty body without an
	// error, and it must not be taken for an empty list.
	errNoList = errors.New("no list")
)

// Statuses reads all statuses of a deployment, oldest first (REST API, "List deployment statuses").
// It returns all of them or an error, because a missing status could be the one that decides.
func (c *Client) Statuses(ctx context.Context, of deployment.Request) ([]deployment.Status, error) {
	src := c.current(deployment.Source{Repository: of.Repository, Installation: of.Installation})
	all, err := c.statuses(ctx, src, of.ID)
	if err != nil {
		src, err = c.resolveRenamed(ctx, src, err)
		if err != nil {
			return nil, err
		}

		all, err = c.statuses(ctx, src, of.ID)
	}

	return all, err
}

func (c *Client) statuses(ctx context.Context, src deployment.Source, id int64) ([]deployment.Status, error) {
	byID := map[int64]deployment.Status{} // a status is seen twice if another is added between two pages
	opts := &gh.ListOptions{PerPage: 100}
	for range maxStatusPages {
		page, next, err := c.statusPage(ctx, src, id, opts)
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
	src deployment.Source,
	id int64,
	opts *gh.ListOptions,
) (page []*gh.DeploymentStatus, next int, err error) {
	repo := src.Repository
	err = c.read(ctx, opStatuses, src, func(ctx context.Context, api *calls) error {
		list, resp, err := api.statuses(ctx, repo.Owner, repo.Name, id, opts)
		if err != nil {
			return err
		}
		if list == nil {
			return errNoList
		}

		page, next = list, resp.NextPage
		return nil
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

// sortStatuses returns the statuses by time of creation, then by id. GitHub does not document the
// order of its list.
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
