package circleci

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// maxPages bounds every list; CircleCI gives about 20 items a page.
const maxPages = 25

// pipeline is what the API shows of one (OpenAPI "Pipeline"). Projects of the GitHub App carry
// trigger_parameters instead of vcs.
type pipeline struct {
	ID          string    `json:"id"`
	Number      int64     `json:"number"`
	ProjectSlug string    `json:"project_slug"`
	State       string    `json:"state"`
	CreatedAt   time.Time `json:"created_at"`
	Errors      []struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"errors"`
	Trigger struct {
		Type  string `json:"type"`
		Actor struct {
			Login string `json:"login"`
		} `json:"actor"`
	} `json:"trigger"`
	VCS *struct {
		Revision string `json:"revision"`
		Branch   string `json:"branch"`
		Tag      string `json:"tag"`
	} `json:"vcs"`
	TriggerParameters json.RawMessage `json:"trigger_parameters"`
}

// gitParameters is the part of trigger_parameters that tells what was built and for whom.
type gitParameters struct {
	Git struct {
		Branch   string `json:"branch"`
		Tag      string `json:"tag"`
		Checkout string `json:"checkout_sha"`
	} `json:"git"`
	CircleCI struct {
		Actor string `json:"actor_id"`
	} `json:"circleci"`
}

func (p pipeline) facts() deployment.PipelineFacts {
	f := deployment.PipelineFacts{
		ID:          p.ID,
		Number:      p.Number,
		Slug:        p.ProjectSlug,
		State:       p.State,
		CreatedAt:   p.CreatedAt,
		TriggerType: p.Trigger.Type,
		ActorLogin:  p.Trigger.Actor.Login,
	}

	for _, e := range p.Errors {
		f.Errors = append(f.Errors, e.Message)
	}

	var g gitParameters
	// an open map: what does not fit is not there
	if len(p.TriggerParameters) > 0 && json.Unmarshal(p.TriggerParameters, &g) == nil {
		f.Branch, f.Tag, f.Revision, f.ActorID = g.Git.Branch, g.Git.Tag, g.Git.Checkout, g.CircleCI.Actor
	}
	if p.VCS != nil {
		f.Branch, f.Tag, f.Revision = p.VCS.Branch, p.VCS.Tag, p.VCS.Revision
	}

	return f
}

// workflow is what the API shows of one; status may be null.
type workflow struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	Status       *string    `json:"status"`
	Tag          string     `json:"tag"`
	CreatedAt    time.Time  `json:"created_at"`
	StoppedAt    *time.Time `json:"stopped_at"`
	AutoRerun    int        `json:"auto_rerun_number"`
	MaxAutoRerun int        `json:"max_auto_reruns"`
}

func (w workflow) facts() deployment.Workflow {
	f := deployment.Workflow{
		ID:           w.ID,
		Name:         w.Name,
		Setup:        w.Tag == "setup",
		CreatedAt:    w.CreatedAt,
		AutoRerun:    w.AutoRerun,
		MaxAutoRerun: w.MaxAutoRerun,
	}

	if w.Status != nil {
		f.Status = *w.Status
	}
	if w.StoppedAt != nil {
		f.StoppedAt = *w.StoppedAt
	}

	return f
}

// page is one page of any list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_page_token"`
}

// errEndless says that a list has more pages than is credible.
var errTooManyPages = errors.New("the list has too many pages, or goes in circles")

// Look reads a pipeline and every page of its workflows.
func (c *Client) readPipeline(ctx context.Context, pipelineID string) (deployment.Progress, error) {
	var p pipeline
	if _, err := c.get(ctx, "pipeline", pipelinePath(pipelineID), nil, &p); err != nil {
		return deployment.Progress{}, err
	}

	progress := deployment.Progress{Pipeline: p.facts()}
	if p.ID != pipelineID {
		return progress, &Error{
			Operation: "pipeline",
			Status:    http.StatusOK,
			Err:       errors.New("it is another pipeline's"),
		}
	}

	var err error
	progress.Workflows, err = c.workflows(ctx, pipelineID)
	return progress, err
}

func (c *Client) workflows(ctx context.Context, pipelineID string) (list []deployment.Workflow, err error) {
	err = readPages(ctx, c, "workflows", pipelinePath(pipelineID)+"/workflow", func(page page[workflow]) bool {
		for _, w := range page.Items {
			list = append(list, w.facts())
		}
		return true
	})
	return list, err
}

// Poll is Look for a deployment that is followed: what could not be seen is an event.
func (c *Client) Poll(ctx context.Context, pipelineID string) (deployment.Progress, *deployment.PollFailed) {
	progress, err := c.readPipeline(ctx, pipelineID)
	return progress, pollFailed(err)
}

// PollWorkflows is Observe without the pipeline itself: half of what a look costs.
func (c *Client) PollWorkflows(ctx context.Context, pipelineID string) (deployment.Progress, *deployment.PollFailed) {
	list, err := c.workflows(ctx, pipelineID)
	return deployment.Progress{Pipeline: deployment.PipelineFacts{ID: pipelineID}, Workflows: list}, pollFailed(err)
}

func pollFailed(err error) *deployment.PollFailed {
	if err == nil {
		return nil
	}
	var e *Error
	gone := errors.As(err, &e) && e.Status == http.StatusNotFound
	return &deployment.PollFailed{Cause: err.Error(), Gone: gone, After: retryAfter(err)}
}

// walk reads a list page by page until more says that it is enough.
func readPages[T any](ctx context.Context, c *Client, operation, path string, more func(page[T]) bool) error {
	token, seen := "", map[string]bool{}
	for range maxPages {
		query := url.Values{}
		if token != "" {
			query.Set("page-token", token)
		}

		var p page[T]
		if _, err := c.get(ctx, operation, path, query, &p); err != nil {
			return err
		}
		if !more(p) || p.Next == "" {
			return nil
		}
		if seen[p.Next] {
			return errTooManyPages
		}

		seen[p.Next], token = true, p.Next
	}

	return errTooManyPages
}
