package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// oneCircleCI shows one pipeline, and notes how it was asked.
type oneCircleCI struct {
	Poller
	status string
	asked  []string
}

func (c *oneCircleCI) Poll(_ context.Context, id string) (deployment.Progress, *deployment.PollFailed) {
	c.asked = append(c.asked, "whole")
	return deployment.Progress{
		Pipeline:  deployment.PipelineFacts{ID: id, Number: 1, Slug: "gh/acme/api", State: "created", Revision: "abc"},
		Workflows: []deployment.Workflow{{ID: "w1", Name: "deploy", Status: c.status}},
	}, nil
}

func (c *oneCircleCI) PollWorkflows(ctx context.Context, id string) (deployment.Progress, *deployment.PollFailed) {
	progress, _ := c.Poll(ctx, id)
	progress.Pipeline = deployment.PipelineFacts{ID: id}
	c.asked[len(c.asked)-1] = "glance"
	return progress, nil
}

func (c *oneCircleCI) all() string {
	all := strings.Join(c.asked, " ")
	c.asked = nil
	return all
}

// While a workflow is busy, a look costs one read once the pipeline was seen. An end is read whole,
// and so is what a hint tells of.
func TestLooksAreGlancesWhileItRuns(t *testing.T) {
	s, c := newStage(t), &oneCircleCI{status: "running"}
	s.Poller = c
	d := s.running(t, 1)
	s.turn(t, d.Row, 5*time.Second)
	if got := c.all(); got != "whole" {
		t.Errorf("the first look was %q", got)
	}

	c.status = "on_hold"
	s.turn(t, d.Row, time.Minute)
	if d = s.turn(t, d.Row, time.Minute); d.State != deployment.Held {
		t.Errorf("%s %q", d.State, d.Reason)
	}
	if got := c.all(); got == "" || strings.Contains(got, "whole") {
		t.Errorf("the looks while it was busy were %q", got)
	}
	if known, err := s.db.WakeByPipeline(t.Context(), "p1"); !known || err != nil {
		t.Fatal(known, err)
	}

	s.advance(t.Context(), d.Row)
	if got := c.all(); got != "whole" {
		t.Errorf("the look after a hint was %q", got)
	}

	c.status = "success"
	if d = s.turn(t, d.Row, time.Minute); d.State != deployment.Succeeded {
		t.Errorf("%s %q", d.State, d.Reason)
	}
	if got := c.all(); got != "glance whole" {
		t.Errorf("the last looks were %q", got)
	}
}
