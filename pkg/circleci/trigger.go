package circleci

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// gitRef is how both trigger routes name a ref: a branch or a tag.
type gitRef struct {
	Branch string `json:"branch,omitempty"`
	Tag    string `json:"tag,omitempty"`
}

func refOf(r deployment.Ref) gitRef {
	if r.Kind == deployment.RefTag {
		return gitRef{Tag: r.Name}
	}
	return gitRef{Branch: r.Name}
}

// classicBody is that of POST /project/{slug}/pipeline.
type classicBody struct {
	gitRef
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
}

// runBody is that of POST /project/{provider}/{organization}/{project}/pipeline/run.
type runBody struct {
	DefinitionID string                     `json:"definition_id"`
	Config       gitRef                     `json:"config"`
	Checkout     gitRef                     `json:"checkout"`
	Parameters   map[string]json.RawMessage `json:"parameters,omitempty"`
}

// Trigger sends one request for a pipeline, at most once and not after sendBefore, and says what
// came of it. CircleCI has no idempotency key: whatever is not a clear answer is
// deployment.Unknown.
func (c *Client) Trigger(
	ctx context.Context,
	t deployment.Target,
	ref deployment.Ref,
	sendBefore time.Time,
) deployment.Event {
	path, body := triggerRequest(t, ref)
	if now := c.o.Now(); now.After(sendBefore) {
		return deployment.TriggerNotSent{Cause: "the moment to send the trigger had passed"}
	}

	a, err := c.send(ctx, "trigger", http.MethodPost, path, nil, body)
	if err != nil {
		if outbound.NotSent(err) {
			return deployment.TriggerNotSent{Cause: "CircleCI could not be reached: " + err.Error()}
		}

		return deployment.TriggerUnknown{Cause: "the trigger was not answered: " + err.Error()}
	}

	return c.triggerOutcome(a)
}

func triggerRequest(t deployment.Target, ref deployment.Ref) (path string, body any) {
	parameters := make(map[string]json.RawMessage, len(t.Parameters))
	for _, p := range t.Parameters {
		parameters[p.Name] = p.Value
	}

	if t.Definition == "" {
		return "/project/" + slugPath(t.Project) + "/pipeline", classicBody{refOf(ref), parameters}
	}

	config := ref
	if t.ConfigRef.Name != "" {
		config = t.ConfigRef
	}

	return "/project/" + slugPath(
			t.Project,
		) + "/pipeline/run", runBody{
			t.Definition,
			refOf(config),
			refOf(ref),
			parameters,
		}
}

// outcome is the table of answers to a trigger.
func (c *Client) triggerOutcome(a response) deployment.Event {
	text, own := message(a.body)
	switch a.status {
	case http.StatusCreated:
		return startedEvent(a.body)
	case http.StatusTooManyRequests:
		wait, _ := outbound.RetryAfter(a.header, c.o.Now())
		return deployment.TriggerNotSent{Cause: "CircleCI's rate limit", After: wait}
	case http.StatusBadRequest,
		http.StatusUnauthorized,
		http.StatusForbidden,
		http.StatusNotFound,
		http.StatusMethodNotAllowed,
		http.StatusGone,
		http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity:
		if own {
			return refusedEvent(a.status, text)
		}
	}

	if a.status/100 == 2 {
		return deployment.TriggerSkipped{Message: text}
	}

	return deployment.TriggerUnknown{Cause: c.answerError("trigger", a).Error()}
}

func startedEvent(body []byte) deployment.Event {
	var p struct {
		ID     string `json:"id"`
		Number int64  `json:"number"`
		State  string `json:"state"`
	}

	if err := json.Unmarshal(body, &p); err != nil || p.ID == "" {
		return deployment.TriggerUnknown{Cause: "CircleCI's 201 cannot be read"}
	}

	return deployment.Triggered{Pipeline: deployment.PipelineFacts{ID: p.ID, Number: p.Number, State: p.State}}
}

func refusedEvent(status int, text string) deployment.Event {
	lower := strings.ToLower(text)
	noRef := strings.Contains(lower, "branch not found") || strings.Contains(lower, "tag not found") ||
		strings.Contains(lower, "ref not found")
	return deployment.TriggerRefused{
		Status:         status,
		Message:        text,
		BranchNotFound: noRef,
		AuthDoubt:      status == http.StatusUnauthorized || status == http.StatusNotFound && !noRef,
	}
}

func retryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}
