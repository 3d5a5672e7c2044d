package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// deploymentItem is one item of "List deployments". It is decoded here because go-github v60 drops
// performed_via_github_app.
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
	CreatedAt     time.Time `json:"created_at"`
	RepositoryURL string    `json:"repository_url"`
	App           *struct {
		ID   int64  `json:"id"`
		Slug string `json:"slug"`
	} `json:"performed_via_github_app"`
}

func (i deploymentItem) request(src deployment.Source) deployment.Request {
	r := deployment.Request{
		ID:           i.ID,
		Repository:   src.Repository,
		Installation: src.Installation,
		Environment:  i.Environment,
		Ref:          i.Ref,
		SHA:          i.SHA,
		Task:         i.Task,
		Payload:      i.Payload,
		CreatedAt:    i.CreatedAt,
		ReadAtGitHub: true,
	}

	if i.Description != nil {
		r.Description = *i.Description
	}
	if i.Creator != nil {
		r.Creator = deployment.Creator{ID: i.Creator.ID, Login: i.Creator.Login, Type: i.Creator.Type}
	}
	if i.App != nil {
		r.App = deployment.App{ID: i.App.ID, Slug: i.App.Slug}
	}

	return r
}

// repository returns the owner and name that the item shows; empty if it shows none.
func (i deploymentItem) repository() (owner, name string) {
	_, path, _ := strings.Cut(i.RepositoryURL, "/repos/")
	owner, name, _ = strings.Cut(path, "/")
	return owner, name
}

// parseDeploymentItem decodes one item of the list. An item without id, SHA, ref or environment is
// an error. The id is returned with it, where it could be read.
func parseDeploymentItem(raw []byte) (deploymentItem, error) {
	var i deploymentItem
	if err := json.Unmarshal(raw, &i); err != nil {
		return i, err
	}
	if i.ID <= 0 || i.SHA == "" || i.Ref == "" || i.Environment == "" {
		return i, errors.New("deployment without id, sha, ref or environment")
	}
	return i, nil
}

// Deployments lists the deployments of a repository, newest first, at most limit of them and none
// that was created before since (REST API, "List deployments"). An item that cannot be parsed is
// logged and left out. The error is ErrRepositoryGone if GitHub does not show the repository.
func (c *Client) Deployments(
	ctx context.Context,
	of deployment.Source,
	since time.Time,
	limit int,
) ([]deployment.Request, error) {
	src := c.current(of)
	if src.Repository.ID != 0 {
		// The list is read by name. Another repository may have taken the name, and its deployments
		// must not be listed as those of this one.
		var err error
		if src.Repository, err = c.Repository(ctx, src.Repository, src.Installation); err != nil {
			return nil, err
		}
	}

	list := &listing{src: src, since: since, limit: limit, log: c.options.Log, seen: map[int64]bool{}}

	// Items that are seen twice or left out take up room, so up to two pages more than limit fills
	// are read. Where that is not enough the result is short of limit.
	size := max(1, min(limit, 100))
	for page := 1; page <= limit/size+2; page++ {
		items, more, err := c.deploymentPage(ctx, src, size, page)
		if err != nil {
			return nil, err
		}
		if complete := list.add(items); complete || !more {
			break
		}
	}

	return list.found, nil
}

func (c *Client) deploymentPage(
	ctx context.Context,
	src deployment.Source,
	size, page int,
) (items []json.RawMessage, more bool, err error) {
	repo := src.Repository
	path := fmt.Sprintf("repos/%s/%s/deployments?per_page=%d&page=%d", repo.Owner, repo.Name, size, page)
	items, nextPage, err := fetch(ctx, c, opDeployments, src, path, requireList[json.RawMessage])
	return items, nextPage > page, err
}

// listing collects the deployments of one repository from the pages of the list.
type listing struct {
	src   deployment.Source
	since time.Time
	limit int
	log   zerolog.Logger

	seen  map[int64]bool // an item is seen twice if a deployment is created between two pages
	found []deployment.Request
}

// add appends the items of a page and reports whether the listing is complete: it has reached its
// limit, or an item that was created before since. An item that does not say when it was created ends nothing.
func (l *listing) add(items []json.RawMessage) (complete bool) {
	for _, raw := range items {
		if len(l.found) >= l.limit {
			return true
		}

		item, err := parseDeploymentItem(raw)
		if err != nil {
			l.log.Warn().
				Err(err).
				Int64("deployment", item.ID).
				Str("repository", l.src.Repository.FullName()).
				Msg("listed deployment skipped")
			continue
		}

		if !item.CreatedAt.IsZero() && item.CreatedAt.Before(l.since) {
			return true
		}
		if !l.seen[item.ID] {
			l.seen[item.ID] = true
			l.found = append(l.found, item.request(l.src))
		}
	}

	return len(l.found) >= l.limit
}
