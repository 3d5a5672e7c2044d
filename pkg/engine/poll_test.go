package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// onePipeline shows one pipeline with one workflow, and records what was read.
type onePipeline struct {
	Poller
	status string // of the workflow
	reads  []string
}

func (p *onePipeline) Poll(_ context.Context, id string) (deployment.Progress, *deployment.PollFailed) {
	p.reads = append(p.reads, "pipeline")
	return p.progress(deployment.PipelineFacts{
		ID:       id,
		Number:   1,
		Slug:     "gh/acme/api",
		State:    "created",
		Revision: "abc",
	}), nil
}

func (p *onePipeline) PollWorkflows(_ context.Context, id string) (deployment.Progress, *deployment.PollFailed) {
	p.reads = append(p.reads, "workflows")
	return p.progress(deployment.PipelineFacts{ID: id}), nil
}

func (p *onePipeline) progress(facts deployment.PipelineFacts) deployment.Progress {
	return deployment.Progress{
		Pipeline:  facts,
		Workflows: []deployment.Workflow{{ID: "w1", Name: "deploy", Status: p.status}},
	}
}

// takeReads returns what was read since the last call.
func (p *onePipeline) takeReads() []string {
	reads := p.reads
	p.reads = nil
	return reads
}

// While a workflow is busy, only the workflows are read once the pipeline was read. The pipeline is
// read again after a hint and when no workflow is busy any more.
func TestPoll_WorkflowsOnlyWhileRunning(t *testing.T) {
	e, circleci := newTestEngine(t), &onePipeline{status: "running"}
	e.Poller = circleci
	d := e.running(t, 1)

	e.run(t, d.Row, 5*time.Second)
	if got, want := circleci.takeReads(), []string{"pipeline"}; !slices.Equal(got, want) {
		t.Errorf("first poll: got %q, want %q", got, want)
	}

	circleci.status = "on_hold"
	d = e.run(t, d.Row, 2*time.Minute)
	if d.State != deployment.Held {
		t.Errorf("on hold: got %s %q, want held", d.State, d.Reason)
	}
	if got := circleci.takeReads(); len(got) == 0 || slices.Contains(got, "pipeline") {
		t.Errorf("while it was busy: got %q, want workflows only", got)
	}

	known, err := e.db.WakeByPipeline(t.Context(), "p1")
	if err != nil || !known {
		t.Fatalf("hint: known %v, %v", known, err)
	}
	e.advance(t.Context(), d.Row)
	if got, want := circleci.takeReads(), []string{"pipeline"}; !slices.Equal(got, want) {
		t.Errorf("after a hint: got %q, want %q", got, want)
	}

	circleci.status = "success"
	d = e.run(t, d.Row, time.Minute)
	if d.State != deployment.Succeeded {
		t.Errorf("success: got %s %q, want succeeded", d.State, d.Reason)
	}
	if got, want := strings.Join(circleci.takeReads(), " "), "workflows pipeline"; got != want {
		t.Errorf("last poll: got %q, want %q", got, want)
	}
}
