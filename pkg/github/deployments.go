package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// listed is what GitHub's list shows of a deployment. go-github v60 drops performed_via_github_app, so it is read here.
type listed struct {
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
	Via       *struct {
		ID   int64  `json:"id"`
		Slug string `json:"slug"`
	} `json:"performed_via_github_app"`
}

func (l listed) request(s deployment.Source) deployment.Request {
	r := deployment.Request{
		ID: l.ID, Repository: s.Repository, Installation: s.Installation, Environment: l.Environment, Ref: l.Ref, SHA: l.SHA, Task: l.Task,
		Payload: l.Payload, CreatedAt: l.CreatedAt,
	}
	if l.Description != nil {
		r.Description = *l.Description
	}
	if l.Creator != nil {
		r.Creator = deployment.Creator{ID: l.Creator.ID, Login: l.Creator.Login, Type: l.Creator.Type}
	}
	if l.Via != nil {
		r.App = deployment.App{ID: l.Via.ID, Slug: l.Via.Slug}
	}
	return r
}

// Deployments lists a repository's deployments, newest first, back to since, at most limit.
func (c *Client) Deployments(ctx context.Context, of deployment.Source, since time.Time, limit int) ([]deployment.Request, error) {
	of.Repository = c.current(of.Repository)
	var all []deployment.Request
	err := c.read(ctx, of.Repository, of.Installation, func(api *gh.Client) (*gh.Response, error) {
		all = nil
		for page := 1; ; page++ {
			var items []listed
			path := fmt.Sprintf("repos/%s/%s/deployments?per_page=%d&page=%d", of.Repository.Owner, of.Repository.Name, min(limit, 100), page)
			resp, err := getJSON(ctx, api, "list_deployments", path, &items)
			if err != nil {
				return resp, err
			}
			for _, l := range items {
				if l.CreatedAt.Before(since) || len(all) >= limit {
					return resp, nil
				}
				all = append(all, l.request(of))
			}
			if resp.NextPage == 0 {
				return resp, nil
			}
		}
	})
	return all, err
}

func getJSON(ctx context.Context, api *gh.Client, operation, path string, into any) (*gh.Response, error) {
	req, err := api.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	return api.Do(outbound.WithOperation(ctx, operation), req, into)
}

// Repository asks for a repository by its id, whatever it is called now. ErrGone: there is none.
func (c *Client) Repository(ctx context.Context, known deployment.Repository, installation int64) (deployment.Repository, error) {
	var found struct {
		ID       int64  `json:"id"`
		FullName string `json:"full_name"`
	}
	err := c.read(ctx, known, installation, func(api *gh.Client) (*gh.Response, error) {
		return getJSON(ctx, api, "repository", fmt.Sprintf("repositories/%d", known.ID), &found)
	})
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound {
		return known, ErrGone
	}
	if err != nil {
		return known, err
	}
	owner, name, _ := strings.Cut(found.FullName, "/")
	now := deployment.Repository{ID: found.ID, Owner: owner, Name: name}
	return now, validName(now)
}

// ResolveRepository asks for a repository by its name, and which installation sees it.
func (c *Client) ResolveRepository(ctx context.Context, owner, name string) (deployment.Source, error) {
	s := deployment.Source{Repository: deployment.Repository{Owner: owner, Name: name}}
	var found struct {
		ID       int64  `json:"id"`
		FullName string `json:"full_name"`
	}
	err := c.read(ctx, s.Repository, 0, func(api *gh.Client) (*gh.Response, error) {
		return getJSON(ctx, api, "repository", "repos/"+owner+"/"+name, &found)
	})
	if err != nil {
		return s, err
	}
	s.Repository.ID = found.ID
	s.Repository.Owner, s.Repository.Name, _ = strings.Cut(found.FullName, "/")
	if c.o.AppID != 0 {
		s.Installation, err = c.installation(ctx, s.Repository)
	}
	return s, err
}

// HookRanges reads the address ranges that GitHub sends webhooks from.
func (c *Client) HookRanges(ctx context.Context) ([]netip.Prefix, error) {
	meta, resp, err := c.newAPI(c.transport()).Meta.Get(outbound.WithOperation(ctx, "meta"))
	if err != nil {
		return nil, c.failure("meta", resp, err)
	}
	ranges := make([]netip.Prefix, 0, len(meta.Hooks))
	for _, text := range meta.Hooks {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("GitHub's range %q cannot be read: %w", text, err)
		}
		ranges = append(ranges, p.Masked())
	}
	return ranges, nil
}

// Identity asks GitHub who we are: a user's login, or an App's slug.
func (c *Client) Identity(ctx context.Context) (string, error) {
	if c.o.AppID != 0 {
		app, resp, err := c.appAPI().Apps.Get(outbound.WithOperation(ctx, "app"), "")
		if err != nil {
			return "", c.failure("app", resp, err)
		}
		return "GitHub App " + app.GetSlug(), nil
	}
	who, _, err := c.who(ctx, deployment.Repository{}, 0)
	if err != nil {
		return "", err
	}
	user, resp, err := who.api.Users.Get(outbound.WithOperation(ctx, "user"), "")
	if err != nil {
		return "", c.failure("user", resp, err)
	}
	return "user " + user.GetLogin(), nil
}

// CheckRepository says whether a repository's deployments can be read.
func (c *Client) CheckRepository(ctx context.Context, owner, name string) error {
	s, err := c.ResolveRepository(ctx, owner, name)
	if err != nil {
		return err
	}
	_, err = c.Deployments(ctx, s, c.o.Now(), 1)
	return err
}
