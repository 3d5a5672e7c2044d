package store

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// testAnyWordsSaved wants that no word of CircleCI or of a rule keeps a deployment from being written:
// PostgreSQL takes no NUL and only UTF-8, and a deployment that cannot be written would hold its
// environment for ever.
func testAnyWordsSaved(t *testing.T, b *testDB) {
	const words = "broken\x00 by \xff a\u202e name"
	machine := deployment.Machine{StartTimeout: time.Minute}
	sent := deployment.Start{SendBefore: b.clock().Add(deployment.SendWindow)}
	running := deployment.Triggered{Pipeline: deployment.PipelineFacts{ID: "p1", Number: 1}}
	refused := deployment.Progress{
		Pipeline: deployment.PipelineFacts{ID: "p1", State: "errored", Errors: []string{words}},
	}

	d := b.accept(1, "production", "project")
	for _, event := range []deployment.Event{
		deployment.Blocked{By: words, First: true},
		sent,
		running,
		deployment.PollFailed{Cause: words},
		deployment.CancelRequested{Reason: words},
		deployment.Polled{Progress: refused},
	} {
		next, changes, err := machine.Apply(d, event, b.clock())
		if err != nil {
			t.Fatal(err)
		}

		d = b.mustSave(next, changes)
	}

	got, err := b.Load(t.Context(), d.Row)
	if err != nil {
		t.Fatal(err)
	}
	if got.State.Open() || got.Reason != "Canceled: broken by a name" {
		t.Errorf("got %s %q, want an end with readable words", got.State, got.Reason)
	}
}
