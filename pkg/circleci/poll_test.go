package circleci

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// onePipeline answers with pipeline p1, and with its workflows on two pages.
func onePipeline(w http.ResponseWriter, r *http.Request) {
	const pipeline = `{
		"id": "p1", "number": 9, "state": "created", "project_slug": "gh/acme/api",
		"errors": [{"type": "config", "message": "bad"}],
		"trigger": {"type": "api", "actor": {"login": "bot"}},
		"trigger_parameters": {
			"git": {"branch": "main", "checkout_sha": "abc"},
			"circleci": {"actor_id": "u1"}
		}
	}`
	pages := map[string]string{
		"": `{"items": [
			{"id": "w1", "name": "a", "status": "success", "created_at": "2026-11-22T12:00:00Z"},
			{"id": "w2", "name": "b", "status": null, "tag": "setup"}
		], "next_page_token": "p2"}`,
		"p2": `{"items": [
			{
				"id": "w3", "name": "c", "status": "brand-new", "stopped_at": null,
				"auto_rerun_number": 1, "max_auto_reruns": 3
			}
		], "next_page_token": null}`,
	}

	if strings.HasSuffix(r.URL.Path, "/workflow") {
		_, _ = io.WriteString(w, pages[r.URL.Query().Get("page-token")])
		return
	}

	_, _ = io.WriteString(w, pipeline)
}

var onePipelineWorkflows = []deployment.Workflow{
	{ID: "w1", Name: "a", Status: "success", CreatedAt: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)},
	{ID: "w2", Name: "b", Setup: true},
	{ID: "w3", Name: "c", Status: "brand-new", AutoRerun: 1, MaxAutoRerun: 3},
}

func TestClient_Poll(t *testing.T) {
	c := newClient(t, onePipeline)

	t.Run("pipeline and workflows", func(t *testing.T) {
		got, failed := c.Poll(t.Context(), "p1")
		if failed != nil {
			t.Fatalf("got %+v", failed)
		}

		want := deployment.Progress{
			Pipeline: deployment.PipelineFacts{
				ID:          "p1",
				Number:      9,
				Slug:        "gh/acme/api",
				State:       "created",
				Errors:      []string{"bad"},
				Revision:    "abc",
				Branch:      "main",
				TriggerType: "api",
				ActorLogin:  "bot",
				ActorID:     "u1",
			},
			Workflows: onePipelineWorkflows,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("progress differs (-want +got):\n%s", diff)
		}
	})

	t.Run("workflows alone", func(t *testing.T) {
		got, failed := c.PollWorkflows(t.Context(), "p1")
		if failed != nil {
			t.Fatalf("got %+v", failed)
		}

		want := deployment.Progress{
			Pipeline:  deployment.PipelineFacts{ID: "p1"},
			Workflows: onePipelineWorkflows,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("progress differs (-want +got):\n%s", diff)
		}
	})

	t.Run("answer about another pipeline", func(t *testing.T) {
		if got, failed := c.Poll(t.Context(), "p2"); failed == nil {
			t.Errorf("got %+v, want a failure", got)
		}
	})
}

func TestClient_PollStopsAtRepeatedPages(t *testing.T) {
	calls := 0
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		_, _ = io.WriteString(w, `{"id":"p1","items":[],"next_page_token":"again"}`)
	})

	if _, failed := c.Poll(t.Context(), "p1"); failed == nil {
		t.Error("got no failure for a list that repeats a page")
	}
	if want := 3; calls != want { // the pipeline, the first page, and the page "again"
		t.Errorf("got %d calls, want %d", calls, want)
	}
}

// Without a list of workflows it is not known that there are none: a pipeline that runs would end as one that ran
// nothing, or would count as stopped.
func TestClient_PollWithoutAList(t *testing.T) {
	for _, body := range []string{`{}`, `null`, `{"items":null}`, `{"message":"we will be back soon"}`, `<html>`} {
		t.Run(body, func(t *testing.T) {
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				answer := body
				if strings.HasSuffix(r.URL.Path, "/pipeline/p1") {
					answer = `{"id":"p1","state":"created"}`
				}
				_, _ = io.WriteString(w, answer)
			})

			if got, failed := c.Poll(t.Context(), "p1"); failed == nil {
				t.Errorf("got %+v, want a failure", got)
			}
			if got, failed := c.PollWorkflows(t.Context(), "p1"); failed == nil {
				t.Errorf("got %+v of the workflows alone, want a failure", got)
			}
			if got, err := c.HoldJobs(t.Context(), "p1"); err == nil {
				t.Errorf("got %+v of the jobs on hold, want an error", got)
			}
			if got, err := c.Definitions(t.Context(), "p"); err == nil {
				t.Errorf("got %+v of the definitions, want an error", got)
			}
		})
	}
}

func TestClient_PollFails(t *testing.T) {
	var status int
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "9")
		w.WriteHeader(status)
	})

	polls := map[string]func(context.Context, string) (deployment.Progress, *deployment.PollFailed){
		"Poll":          c.Poll,
		"PollWorkflows": c.PollWorkflows,
	}
	for name, poll := range polls {
		for _, tt := range []struct {
			name     string
			status   int
			wantGone bool
		}{
			{name: "not found", status: 404, wantGone: true},
			{name: "rate limit", status: 429, wantGone: false},
		} {
			t.Run(name+", "+tt.name, func(t *testing.T) {
				status = tt.status
				_, failed := poll(t.Context(), "p1")
				if failed == nil {
					t.Fatal("got no failure")
				}
				if failed.Gone != tt.wantGone {
					t.Errorf("got gone %v, want %v", failed.Gone, tt.wantGone)
				}
				if want := 9 * time.Second; failed.After != want {
					t.Errorf("got a wait of %s, want %s", failed.After, want)
				}
			})
		}
	}
}
