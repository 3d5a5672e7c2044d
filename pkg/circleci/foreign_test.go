package circleci

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/circleci"
)

// foreignFaults are the answers of a proxy that says 200 with JSON of its own.
var foreignFaults = []string{"foreign-object", "foreign-json"}

// A proxy's JSON in place of CircleCI's is an error of the read. It does not count as an empty list, as a pipeline in
// which nothing runs, or as a pipeline without the key.
func TestClient_ForeignJSONIsNoAnswer(t *testing.T) {
	s, c, pipelineID := newSimulation(t)
	id, err := s.SetWorkflow(pipelineID, "deploy", "failed", sim.WorkflowOptions{})
	if err != nil {
		t.Fatal(err)
	}

	lists := func() error {
		_, err := c.List(t.Context(), "gh/acme/api", time.Now().Add(-time.Hour), "")
		return err
	}
	poll := func() error {
		if _, failed := c.Poll(t.Context(), pipelineID); failed != nil {
			return &Error{Message: failed.Cause}
		}
		return nil
	}

	for _, tt := range []struct {
		name string
		ops  []string
		read func() error
	}{
		{name: "user", ops: []string{sim.OpMe}, read: lists},
		{name: "both lists", ops: []string{sim.OpMine, sim.OpListPipelines}, read: lists},
		{name: "pipeline", ops: []string{sim.OpGetPipeline}, read: poll},
		{name: "workflows", ops: []string{sim.OpListWorkflows}, read: poll},
		{
			name: "project",
			ops:  []string{sim.OpGetProject},
			read: func() error { _, err := c.FindProject(t.Context(), "gh/acme/api"); return err },
		},
		{
			name: "jobs",
			ops:  []string{sim.OpListJobs},
			read: func() error {
				_, err := c.FailingStep(t.Context(), deployment.Workflow{ID: id, Name: "deploy"})
				return err
			},
		},
		{
			name: "user, for check",
			ops:  []string{sim.OpMe},
			read: func() error { _, err := New(c.o).Me(t.Context()); return err }, // c remembers the answer
		},
	} {
		for _, fault := range foreignFaults {
			t.Run(tt.name+", "+fault, func(t *testing.T) {
				for _, op := range tt.ops {
					if err := s.NextNamed(op, fault, 1); err != nil {
						t.Fatal(err)
					}
				}
				if err := tt.read(); err == nil {
					t.Error("got an answer, want an error")
				}
				if err := tt.read(); err != nil {
					t.Errorf("got %v for CircleCI's own answer", err)
				}
			})
		}
	}
}

// A list that a proxy answered is not complete. The other list is.
func TestClient_ForeignList(t *testing.T) {
	s, c, _ := newSimulation(t)
	for _, fault := range foreignFaults {
		t.Run(fault, func(t *testing.T) {
			if err := s.NextNamed(sim.OpMine, fault, 1); err != nil {
				t.Fatal(err)
			}
			l, err := c.List(t.Context(), "gh/acme/api", time.Now().Add(-time.Hour), "")
			if err != nil || l.MineComplete || !l.ProjectComplete {
				t.Errorf("got complete %v and %v, %v, want only the project's list", l.MineComplete, l.ProjectComplete, err)
			}
		})
	}
}

// A proxy's JSON shows no key, and no configuration without one.
func TestClient_ForeignEvidence(t *testing.T) {
	s, c, pipelineID := newSimulation(t)
	for _, fault := range foreignFaults {
		t.Run(fault, func(t *testing.T) {
			for _, op := range []string{sim.OpValues, sim.OpConfig} {
				if err := s.NextNamed(op, fault, 1); err != nil {
					t.Fatal(err)
				}
			}
			got, err := c.Evidence(t.Context(), pipelineID, "the key", []string{"seraph_key"})
			if err != nil || got != deployment.KeyNotCompiled {
				t.Errorf("got %v, %v, want %v", got, err, deployment.KeyNotCompiled)
			}
		})
	}
}

// The outcome of a trigger that a proxy answers is not known, whether or not CircleCI got it.
func TestClient_ForeignTriggerAnswer(t *testing.T) {
	for _, tt := range []struct {
		fault   string
		started int
	}{
		{fault: "foreign-object"},
		{fault: "foreign-json"},
		{fault: "foreign-object-after", started: 1},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			s, c, _ := newSimulation(t)
			before := len(s.Triggers())
			if err := s.NextNamed(sim.OpTrigger, tt.fault, 1); err != nil {
				t.Fatal(err)
			}

			ref := deployment.ParseRef("refs/heads/main")
			got := c.Trigger(t.Context(), deployment.Target{Project: "gh/acme/api"}, ref, time.Now().Add(time.Minute))
			if u, ok := got.(deployment.TriggerUnknown); !ok || !u.Refused {
				t.Errorf("got %#v, want an unknown outcome that looks like a refusal", got)
			}
			if n := len(s.Triggers()) - before; n != tt.started {
				t.Errorf("got %d triggers at CircleCI, want %d", n, tt.started)
			}
		})
	}
}
