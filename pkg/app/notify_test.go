package app

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/circleci"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
)

// TestSetSuccesses checks that a card offers the same target that a rollback takes: none to what was rolled back
// from.
func TestSetSuccesses(t *testing.T) {
	ran := func(id int64, commit string, bad bool) deployment.Success {
		s := deployment.Success{DeploymentID: id, SHA: strings.Repeat(commit, 40), Task: "deploy"}
		if bad {
			s.BadSince = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		}
		return s
	}

	for _, tt := range []struct {
		name   string
		state  deployment.State
		id     int64
		all    []deployment.Success // newest first
		before int64
		back   int64
	}{
		{
			name: "what ran before was rolled back from", state: deployment.Succeeded, id: 30,
			all:    []deployment.Success{ran(30, "a", false), ran(20, "b", true), ran(10, "9", false)},
			before: 20, back: 10,
		},
		{
			name: "everything before was rolled back from", state: deployment.Succeeded, id: 30,
			all: []deployment.Success{ran(30, "a", false), ran(20, "b", true)}, before: 20,
		},
		{
			name: "it has failed", state: deployment.Failed, id: 30,
			all: []deployment.Success{ran(20, "b", false), ran(10, "9", false)}, before: 20, back: 20,
		},
		{
			name: "it has failed after what was rolled back from", state: deployment.Failed, id: 30,
			all: []deployment.Success{ran(20, "b", true), ran(10, "9", false)}, before: 20, back: 10,
		},
		{name: "nothing ran", state: deployment.Failed, id: 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := notify.Facts{Deployment: deployment.Deployment{State: tt.state, Request: deployment.Request{ID: tt.id}}}
			setSuccesses(&f, tt.all, "deploy")

			if got := idOf(f.Before); got != tt.before {
				t.Errorf("before: got %d, want %d", got, tt.before)
			}
			if got := idOf(f.Back); got != tt.back {
				t.Errorf("back: got %d, want %d", got, tt.back)
			}
		})
	}
}

func idOf(s *deployment.Success) int64 {
	if s == nil {
		return 0
	}
	return s.DeploymentID
}

// TestCardSource_HeldUnknown checks that a question to CircleCI without an answer is not taken for the answer that it
// holds no job.
func TestCardSource_HeldUnknown(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}

	s := &cardSource{circleci: circleci.New(circleci.Options{BaseURL: base, Token: "t", HTTP: server.Client()})}
	f := notify.Facts{Deployment: deployment.Deployment{Pipeline: &deployment.Pipeline{ID: "p"}}}
	s.held(t.Context(), &f)
	if !f.HeldUnknown || f.Held != nil {
		t.Errorf("got %v held, want that it is not known", f.Held)
	}
}
