package circleci

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// User is the user to whom the token belongs.
type User struct {
	ID    string `json:"id"`
	Login string `json:"login"`
	Name  string `json:"name"`
}

// Me returns the user to whom the token belongs. It asks CircleCI once and keeps the answer.
func (c *Client) Me(ctx context.Context) (User, error) {
	c.mu.Lock()
	me := c.me
	c.mu.Unlock()
	if me.ID != "" {
		return me, nil
	}

	if _, err := c.getMe(ctx, &me); err != nil {
		return me, err
	}

	c.mu.Lock()
	c.me = me
	c.mu.Unlock()
	return me, nil
}

// getMe reads the user of the token. An answer that names nobody is an error, because it is not CircleCI's: without the
// user, everybody's pipelines would count as ours.
func (c *Client) getMe(ctx context.Context, me *User) (http.Header, error) {
	header, err := c.get(ctx, "me", "/me", nil, me)
	if err == nil && me.ID == "" && me.Login == "" {
		err = unusable("me", errors.New("user has no id and no login"))
	}
	return header, err
}

// FindProject returns the project with a slug, in any of its spellings.
func (c *Client) FindProject(ctx context.Context, slug string) (deployment.Project, error) {
	var p struct {
		ID   string `json:"id"`
		Slug string `json:"slug"`
	}

	if _, err := c.get(ctx, "project", "/project/"+slugPath(slug), nil, &p); err != nil {
		return deployment.Project{}, err
	}

	p.ID, p.Slug = deployment.Readable(p.ID), deployment.Readable(p.Slug)
	if p.ID == "" || p.Slug == "" {
		return deployment.Project{}, unusable("project", errors.New("project has no id or no slug"))
	}

	return deployment.Project{ID: p.ID, Slug: p.Slug}, nil
}

// Project is FindProject for a deployment that is about to be triggered. It returns either the
// project or the event to apply: a refusal, or that the project cannot be asked for now.
func (c *Client) Project(ctx context.Context, slug string) (deployment.Project, deployment.Event) {
	p, err := c.FindProject(ctx, slug)
	e, ok := answered(err, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
	if ok && e.Message != "" { // without a message it may be a proxy's answer
		return p, deployment.TriggerRefused{
			Status:    e.Status,
			Message:   "project " + slug + ": " + e.Message,
			AuthDoubt: e.Status != http.StatusForbidden,
		}
	}
	if err != nil {
		cause, detail := deployment.PublicCause("CircleCI", err)
		return p, deployment.TriggerNotSent{
			Cause:  "the CircleCI project could not be read: " + cause,
			Detail: detail,
			After:  retryAfter(err),
		}
	}

	return p, nil
}

// Definition is one pipeline definition of a project.
type Definition struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Definitions returns all of a project's pipeline definitions.
func (c *Client) Definitions(ctx context.Context, projectID string) (list []Definition, err error) {
	path := "/projects/" + url.PathEscape(projectID) + "/pipeline-definitions"
	err = readPages(ctx, c, "definitions", path, func(p page[Definition]) bool {
		list = append(list, p.Items...)
		return true
	})
	return list, err
}

// CancelWorkflow asks CircleCI to cancel a workflow, which it does some time later. A workflow that
// has ended (400) or does not exist (404) is no error: there is nothing left to cancel.
func (c *Client) CancelWorkflow(ctx context.Context, id string) error {
	r, err := c.send(ctx, "cancel", http.MethodPost, "/workflow/"+url.PathEscape(id)+"/cancel", nil, nil)
	if err != nil {
		return err
	}
	if r.status/100 != 2 && r.status != http.StatusBadRequest && r.status != http.StatusNotFound {
		return c.answerError("cancel", r)
	}
	return nil
}
