package circleci

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// User is who the token belongs to.
type User struct {
	ID    string `json:"id"`
	Login string `json:"login"`
	Name  string `json:"name"`
}

// Me asks who the token belongs to; the first answer is kept.
func (c *Client) Me(ctx context.Context) (User, error) {
	c.mu.Lock()
	me := c.me
	c.mu.Unlock()
	if me.ID != "" {
		return me, nil
	}
	if _, err := c.get(ctx, "me", "/me", nil, &me); err != nil {
		return me, err
	}

	c.mu.Lock()
	c.me = me
	c.mu.Unlock()
	return me, nil
}

// FindProject asks for a project by any spelling of its slug.
func (c *Client) FindProject(ctx context.Context, slug string) (deployment.Project, error) {
	var p struct {
		ID   string `json:"id"`
		Slug string `json:"slug"`
	}

	if _, err := c.get(ctx, "project", "/project/"+slugPath(slug), nil, &p); err != nil {
		return deployment.Project{}, err
	}

	if p.ID == "" || p.Slug == "" {
		return deployment.Project{}, &Error{
			Operation: "project",
			Status:    http.StatusOK,
			Err:       errors.New("it names no id or slug"),
		}
	}

	return deployment.Project{ID: p.ID, Slug: p.Slug}, nil
}

// Project is FindProject for a deployment that waits for it: what it cannot have is an event.
func (c *Client) Project(ctx context.Context, slug string) (deployment.Project, deployment.Event) {
	p, err := c.FindProject(ctx, slug)
	if err == nil {
		return p, nil
	}

	var e *Error
	if errors.As(err, &e) &&
		(e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.Status == http.StatusNotFound) &&
		e.Err == nil {
		return p, deployment.TriggerRefused{
			Status:    e.Status,
			Message:   "project " + slug + ": " + e.Message,
			AuthDoubt: e.Status != http.StatusForbidden,
		}
	}

	return p, deployment.TriggerNotSent{
		Cause: "the CircleCI project could not be looked up: " + err.Error(),
		After: retryAfter(err),
	}
}

// Definition is one pipeline definition of a project.
type Definition struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Definitions lists a project's pipeline definitions.
func (c *Client) Definitions(ctx context.Context, projectID string) ([]Definition, error) {
	var page struct {
		Items []Definition `json:"items"`
	}
	_, err := c.get(ctx, "definitions", "/projects/"+url.PathEscape(projectID)+"/pipeline-definitions", nil, &page)
	return page.Items, err
}

// CancelWorkflow asks for a workflow's end; CircleCI does it later. One that has ended already is
// no error.
func (c *Client) CancelWorkflow(ctx context.Context, id string) error {
	a, err := c.send(ctx, "cancel", http.MethodPost, "/workflow/"+url.PathEscape(id)+"/cancel", nil, nil)
	if err != nil {
		return err
	}
	if a.status/100 == 2 || a.status == http.StatusBadRequest || a.status == http.StatusNotFound {
		return nil
	}
	return c.answerError("cancel", a)
}

// Close ends the client's idle connections.
func (c *Client) Close() {
	if t, ok := c.o.HTTP.Transport.(*outbound.Transport); ok {
		t.CloseIdle()
	}
}
