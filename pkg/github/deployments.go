package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// deploymentItem is what GitHub's list shows of a deployment. go-github v60 drops performed_via_github_app,
// so it is read here.
type deploymentItem struct {
	ID          int64           `json:"id"`
	SHA         string          `json:"sha"`
	Ref         string          `json:"ref"`
	Task        string          `json:"task"`
	Payload     json.RawMessage `json:"payload"`
	Environment string          `json:"environment"`
	Description *string         `json:"description"`
	Creator     *struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"creator"`
	CreatedAt time.Time `json:"created_at"`
	App       *struct {
		ID   int64  `json:"id"`
		Slug string `json:"slug"`
	} `json:"performed_via_github_app"`
}

func (l deploymentItem) request(s deployment.Source) deployment.Request {
	r := deployment.Request{
		ID:           l.ID,
		Repository:   s.Repository,
		Installation: s.Installation,
		Environment:  l.Environment,
		Ref:          l.Ref,
		SHA:          l.SHA,
		Task:         l.Task,
		Payload:      l.Payload,
		CreatedAt:    l.CreatedAt,
	}

	if l.Description != nil {
		r.Description = *l.Description
	}
	if l.Creator != nil {
		r.Creator = deployment.Creator{ID: l.Creator.ID, Login: l.Creator.Login, Type: l.Creator.Type}
	}
	if l.App != nil {
		r.App = deployment.App{ID: l.App.ID, Slug: l.App.Slug}
	}

	return r
}

// parseDeploymentItem reads one item of the list.
func parseDeploymentItem(raw []byte) (deploymentItem, error) {
	var l deploymentItem
	if err := json.Unmarshal(raw, &l); err != nil {
		return l, err
	}
	if l.ID <= 0 || l.SHA == "" || l.Ref == "" || l.Environment == "" {
		return l, errors.New("it lacks its id, sha, ref or environment")
	}
	return l, nil
}

// Deployments lists a repository's deployments, newest first, back to since, at most limit.
// ErrGone: there is no such repository.
func (c *Client) Deployments(
	ctx context.Context,
	of deployment.Source,
	since time.Time,
	limit int,
) ([]deployment.Request, error) {
	of.Repository = c.current(of.Repository)
	if of.Repository.ID != 0 {
		var err error // a name that was given up may be another repository's by now, whose deployments are not ours
		if of.Repository, err = c.Repository(ctx, of.Repository, of.Installation); err != nil {
			return nil, err
		}
	}

	list := &listing{of: of, since: since, limit: limit, seen: map[int64]bool{}}
	size := max(1, min(limit, 100))
	for page := 1; page <= limit/size+2; page++ {
		items, more, err := c.deploymentPage(ctx, of, size, page)
		if err != nil {
			return nil, err
		}
		if full := c.add(list, items); full || !more {
			break
		}
	}

	return list.found, nil
}

func (c *Client) deploymentPage(
	ctx context.Context,
	of deployment.Source,
	size, page int,
) (items []json.RawMessage, more bool, err error) {
	path := fmt.Sprintf(
		"repos/%s/%s/deployments?per_page=%d&page=%d",
		of.Repository.Owner,
		of.Repository.Name,
		size,
		page,
	)

	err = c.read(ctx, opDeployments, of.Repository, of.Installation, func(ctx context.Context, api *gh.Client) error {
		items = nil
		resp, err := get(ctx, api, path, &items)
		if err == nil && items == nil {
			err = errNoList
		}
		if err == nil {
			more = resp.NextPage > page
		}

		return err
	})

	return items, more, err
}

// listing collects deployments, newest first.
type listing struct {
	of    deployment.Source
	since time.Time
	limit int
	seen  map[int64]bool // pages shift while deployments are made
	found []deployment.Request
}

// add takes a page in and says whether the listing goes back far enough. One item that cannot be
// read does not hide the others.
func (c *Client) add(to *listing, items []json.RawMessage) (full bool) {
	for _, raw := range items {
		if len(to.found) >= to.limit {
			return true
		}

		l, err := parseDeploymentItem(raw)
		if err != nil {
			c.options.Log.Warn().Err(err).Int64("deployment", l.ID).Str("repository", to.of.Repository.FullName()).
				Msg("a deployment in GitHub's list cannot be read; it is left out")
			continue
		}

		if l.CreatedAt.Before(to.since) {
			return true
		}
		if !to.seen[l.ID] {
			to.seen[l.ID] = true
			to.found = append(to.found, l.request(to.of))
		}
	}

	return len(to.found) >= to.limit
}
