package circleci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// pipeline is a pipeline as the API shows it (OpenAPI "Pipeline"). Projects of the GitHub App have
// trigger_parameters in place of vcs.
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

// gitParameters is the part of trigger_parameters that says what was built and for whom.
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
		ID:          deployment.Readable(p.ID), // as it is, unless the database could not store it
		Number:      p.Number,
		Slug:        deployment.Readable(p.ProjectSlug),
		State:       p.State,
		CreatedAt:   p.CreatedAt,
		TriggerType: p.Trigger.Type,
		ActorLogin:  p.Trigger.Actor.Login,
	}

	for _, e := range p.Errors {
		f.Errors = append(f.Errors, e.Message)
	}

	// trigger_parameters is a map with open contents: where it does not have this shape, it says nothing.
	var g gitParameters
	if len(p.TriggerParameters) > 0 && json.Unmarshal(p.TriggerParameters, &g) == nil {
		f.Branch, f.Tag, f.Revision, f.ActorID = g.Git.Branch, g.Git.Tag, g.Git.Checkout, g.CircleCI.Actor
	}
	if p.VCS != nil {
		f.Branch, f.Tag, f.Revision = p.VCS.Branch, p.VCS.Tag, p.VCS.Revision
	}

	f.Revision = deployment.Readable(f.Revision)
	return f
}

// workflow is a workflow as the API shows it. Its status may be null.
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

// Poll reads a pipeline and all of its workflows. A failure is the event to apply.
func (c *Client) Poll(ctx context.Context, pipelineID string) (deployment.Progress, *deployment.PollFailed) {
	progress, err := c.readPipeline(ctx, pipelineID)
	return progress, pollFailed(err)
}

// PollWorkflows reads the workflows alone, which is half of what Poll costs.
func (c *Client) PollWorkflows(ctx context.Context, pipelineID string) (deployment.Progress, *deployment.PollFailed) {
	list, err := c.workflows(ctx, pipelineID)
	return deployment.Progress{Pipeline: deployment.PipelineFacts{ID: pipelineID}, Workflows: list}, pollFailed(err)
}

// pollFailed returns the event for an error, or nil.
func pollFailed(err error) *deployment.PollFailed {
	if err == nil {
		return nil
	}
	var e *Error
	gone := errors.As(err, &e) && e.Status == http.StatusNotFound
	cause, detail := deployment.PublicCause("CircleCI", err)
	return &deployment.PollFailed{Cause: cause, Detail: detail, Gone: gone, After: retryAfter(err)}
}

func (c *Client) readPipeline(ctx context.Context, pipelineID string) (deployment.Progress, error) {
	var p pipeline
	if _, err := c.get(ctx, "pipeline", pipelinePath(pipelineID), nil, &p); err != nil {
		return deployment.Progress{}, err
	}

	progress := deployment.Progress{Pipeline: p.facts()}
	if p.ID != pipelineID {
		return progress, unusable("pipeline", errors.New("answer is about another pipeline"))
	}

	var err error
	progress.Workflows, err = c.workflows(ctx, pipelineID)
	return progress, err
}

func (c *Client) workflows(ctx context.Context, pipelineID string) (list []deployment.Workflow, err error) {
	err = readPages(ctx, c, "workflows", pipelinePath(pipelineID)+"/workflow", func(p page[workflow]) bool {
		for _, w := range p.Items {
			list = append(list, w.facts())
		}
		return true
	})
	return list, err
}

// maxPages bounds every list. CircleCI puts about 20 items on a page.
const maxPages = 25

// errTooManyPages says that a list was not read to its end.
var errTooManyPages = fmt.Errorf("read list: more than %d pages, or a page that was read before", maxPages)

// errNoList rejects an answer without a list. A proxy may answer 200 with JSON of its own, which must not be
// taken for an empty list: that could prove that nothing was started, or that nothing runs.
var errNoList = errors.New("no list")

// page is one page of a list.
type page[T any] struct {
	Items []T    `json:"items"`           // required (OpenAPI): an empty list is []
	Next  string `json:"next_page_token"` // empty: this is the last page
}

// readPages reads a list page by page, as long as more asks for the next one.
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
		if p.Items == nil {
			return unusable(operation, errNoList)
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
