package command

import (
	"errors"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// TestAgain checks that a deployment is made once more with its commit and payload, and that it is refused where the ref
// has moved since.
func TestAgain(t *testing.T) {
	s, f := newTestService()
	d := &f.deployments.deployment.Request
	d.Repository = deployment.Repository{Owner: "acme", Name: "api"}
	d.Environment, d.Ref, d.Task = "production", "main", "ship"
	d.SHA = f.refs.sha
	order := AgainOrder{Deployment: d.ID, Reason: "it was flaky", Origin: Origin{Key: "again"}}
	if _, err := s.Again(t.Context(), Caller{Channel: deployment.ChannelAPI, By: alice}, order); err != nil {
		t.Fatal(err)
	}

	i := f.requests.intents[0]
	if i.SHA != d.SHA || i.Ref != "main" || i.Task != "ship" || i.Reason != "it was flaky" ||
		string(i.Payload) != `{"hosts":"a"}` {
		t.Errorf("got %+v with payload %s, want the same commit and its payload", i, i.Payload)
	}

	refused := func(what string, order AgainOrder, code string) {
		t.Helper()
		_, err := s.Again(t.Context(), Caller{Channel: deployment.ChannelAPI, By: alice}, order)
		var e *Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: got %v, want %s", what, err, code)
		}
	}
	refused("no such deployment", AgainOrder{Deployment: 404}, "not_found")
	d.SHA = "0123456789"
	refused("the ref has moved", AgainOrder{Deployment: d.ID}, "ref_moved")
}
