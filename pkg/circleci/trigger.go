package circleci

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// gitRef is a ref as both trigger routes take it: a branch or a tag.
type gitRef struct {
	Branch string `json:"branch,omitempty"`
	Tag    string `json:"tag,omitempty"`
}

func gitRefOf(r deployment.Ref) gitRef {
	if r.Kind == deployment.RefTag {
		return gitRef{Tag: r.Name}
	}
	return gitRef{Branch: r.Name}
}

// classicBody is the body of POST /project/{slug}/pipeline.
type classicBody struct {
	gitRef
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
}

// runBody is the body of POST /project/{provider}/{organization}/{project}/pipeline/run.
type runBody struct {
	DefinitionID string                     `json:"definition_id"`
	Config       gitRef                     `json:"config"`
	Checkout     gitRef                     `json:"checkout"`
	Parameters   map[string]json.RawMessage `json:"parameters,omitempty"`
}

// Trigger asks CircleCI to start a pipeline. It sends one request, at most once and only while
// deployment.MaySend allows it, and returns the event to apply. CircleCI has no idempotency key, so an answer that does
// not tell is deployment.TriggerUnknown and must not lead to another request.
func (c *Client) Trigger(
	ctx context.Context,
	t deployment.Target,
	ref deployment.Ref,
	sendBefore time.Time,
) deployment.Event {
	path, body := triggerRequest(t, ref)
	if !deployment.MaySend(sendBefore, c.o.Now()) {
		return deployment.TriggerNotSent{Cause: "the time in which the trigger may be sent was over"}
	}

	r, err := c.send(ctx, "trigger", http.MethodPost, path, nil, body)
	switch {
	case outbound.NotSent(err):
		return deployment.TriggerNotSent{Cause: "CircleCI could not be reached", Detail: err.Error()}
	case err != nil:
		return deployment.TriggerUnknown{Cause: "CircleCI did not answer the trigger", Detail: err.Error()}
	}

	return c.triggerOutcome(r)
}

// triggerRequest returns the path and the body of a trigger. A target with a pipeline definition
// takes the newer route.
func triggerRequest(t deployment.Target, ref deployment.Ref) (path string, body any) {
	parameters := make(map[string]json.RawMessage, len(t.Parameters))
	for _, p := range t.Parameters {
		parameters[p.Name] = p.Value
	}

	path = "/project/" + slugPath(t.Project) + "/pipeline"
	if t.Definition == "" {
		return path, classicBody{gitRef: gitRefOf(ref), Parameters: parameters}
	}

	config := ref
	if t.ConfigRef.Name != "" {
		config = t.ConfigRef
	}

	return path + "/run", runBody{
		DefinitionID: t.Definition,
		Config:       gitRefOf(config),
		Checkout:     gitRefOf(ref),
		Parameters:   parameters,
	}
}

// triggerOutcome says what an answer to a trigger means. Only a 201 with an id proves that a pipeline
// was started. Another 2xx, and the 4xx listed here, prove that none was started if they have CircleCI's own
// message. Without it they prove nothing, because a proxy in between may have sent them.
func (c *Client) triggerOutcome(r response) deployment.Event {
	text, own := message(r.body)
	refused := r.status/100 == 2
	switch r.status {
	case http.StatusCreated:
		return startedEvent(r.body)
	case http.StatusTooManyRequests:
		wait, _ := outbound.RetryAfter(r.header, c.o.Now())
		return deployment.TriggerNotSent{Cause: "CircleCI's rate limit is reached", After: wait}
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
			return refusedEvent(r.status, text)
		}

		refused = true
	}

	switch {
	case own && r.status/100 == 2:
		return deployment.TriggerSkipped{Message: text}
	case own:
		return deployment.TriggerUnknown{Cause: fmt.Sprintf("CircleCI answered %d: %s", r.status, text)}
	default:
		return deployment.TriggerUnknown{
			Cause:   fmt.Sprintf("CircleCI answered %d without a message", r.status),
			Refused: refused,
		}
	}
}

// startedEvent reads the body of a 201.
func startedEvent(body []byte) deployment.Event {
	var p struct {
		ID     string `json:"id"`
		Number int64  `json:"number"`
		State  string `json:"state"`
	}

	err := json.Unmarshal(body, &p)
	id := deployment.Readable(p.ID)
	if err != nil || id == "" {
		return deployment.TriggerUnknown{Cause: "CircleCI answered 201 without a pipeline id"}
	}

	return deployment.Triggered{Pipeline: deployment.PipelineFacts{ID: id, Number: p.Number, State: p.State}}
}

// refusedEvent tells an unknown ref from the other refusals by CircleCI's message, because the
// status does not.
func refusedEvent(status int, text string) deployment.Event {
	lower := strings.ToLower(text)
	noRef := strings.Contains(lower, "branch not found") ||
		strings.Contains(lower, "tag not found") ||
		strings.Contains(lower, "ref not found")

	return deployment.TriggerRefused{
		Status:      status,
		Message:     text,
		RefNotFound: noRef,
		AuthDoubt:   status == http.StatusUnauthorized || status == http.StatusNotFound && !noRef,
	}
}
