package circleci

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	hookTimeout = 10 * time.Second // how long CircleCI waits for the response
	hookTries   = 3                // CircleCI retries "later"; it documents neither the number nor the times
)

// Hook is one webhook that was delivered or given up.
type Hook struct {
	ID         string // of the event
	Type       string // workflow-completed
	PipelineID string
	WorkflowID string
	Status     string // of the workflow
	Tries      int
	StatusCode int // of the last response; 0 when there was none
	Body       []byte
}

// webhookStatuses lists the workflow statuses that CircleCI documents for workflow-completed.
// not_run is not among them.
var webhookStatuses = []string{"success", "failed", "error", "canceled", "unauthorized"}

// Webhooks turns webhooks on or off. The default is on.
func (s *Server) Webhooks(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooksOff = !on
}

// Sent lists the webhooks that were delivered or given up, in the order in which that happened.
func (s *Server) Sent() []Hook {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hooks)
}

// Sign returns the value of the circleci-signature header for a body.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body) // never fails
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// sendCompleted sends workflow-completed for a workflow that has ended.
func (s *Server) sendCompleted(w *workflow) {
	if s.options.WebhookURL == "" || s.hooksOff || !slices.Contains(webhookStatuses, w.status) {
		return
	}

	hook := Hook{
		ID:         uuid.NewString(),
		Type:       "workflow-completed",
		PipelineID: w.pipeline.id,
		WorkflowID: w.id,
		Status:     w.status,
	}

	body, err := json.Marshal(s.eventBody(hook, w))
	if err != nil {
		panic(err)
	}

	hook.Body = body
	s.background(func() { s.deliver(hook) })
}

func (s *Server) eventBody(hook Hook, w *workflow) object {
	p := w.pipeline
	run := object{"id": p.id, "number": p.number, "created_at": p.created, "trigger": object{"type": p.trigger}}
	p.addSource(run)
	return object{
		"id":           hook.ID,
		"type":         hook.Type,
		"happened_at":  w.stopped,
		"webhook":      object{"id": "cf8c4fdd-0587-4da1-b4ca-4846e9640af9", "name": "seraph"},
		"project":      object{"id": p.project.id, "name": p.project.part(2), "slug": p.project.longSlug()},
		"organization": object{"id": p.project.orgID, "name": p.project.part(1)},
		"workflow": object{
			"id":         w.id,
			"name":       w.name,
			"status":     w.status,
			"created_at": w.created,
			"stopped_at": w.stopped,
			"url":        w.url(),
		},
		"pipeline": run,
	}
}

// deliver sends a webhook until the response is 2xx, at most hookTries times.
func (s *Server) deliver(hook Hook) {
	header := http.Header{
		"Content-Type":        {"application/json"},
		"User-Agent":          {"CircleCI-Webhook/1.0"},
		"Circleci-Event-Type": {hook.Type},
	}

	if secret := s.options.WebhookSecret; secret != "" {
		header.Set("Circleci-Signature", Sign(secret, hook.Body))
	}

	for hook.Tries < hookTries {
		hook.Tries++
		hook.StatusCode = s.post(s.options.WebhookURL, hook.Body, header.Clone())
		if hook.StatusCode >= 200 && hook.StatusCode < 300 {
			break
		}
		if !s.sleep(time.Duration(hook.Tries) * 100 * time.Millisecond) {
			break
		}
	}

	s.mu.Lock()
	s.hooks = append(s.hooks, hook)
	s.mu.Unlock()
	s.changed.Broadcast()
}

func (w *workflow) url() string {
	p := w.pipeline
	return fmt.Sprintf("https://app.circleci.com/pipelines/%s/%d/workflows/%s", p.project.longSlug(), p.number, w.id)
}
