package circleci

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Pipeline is a copy of one pipeline for tests.
type Pipeline struct {
	ID         string
	Number     int64
	Project    string
	State      string
	Branch     string
	Tag        string
	Revision   string
	Config     string // commit whose configuration was read; empty for a pipeline that no API call triggered
	Login      string
	Scenario   string // empty for a pipeline that no API call triggered
	Parameters map[string]any
	CreatedAt  time.Time
	Workflows  []Workflow // oldest first
}

// Workflow is one workflow of a Pipeline. An empty Status is null in the API.
type Workflow struct {
	ID, Name, Status     string
	CreatedAt, StoppedAt time.Time
}

// Triggers lists the well-formed calls for new pipelines, oldest first.
func (s *Server) Triggers() []Trigger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.triggers)
}

// WaitTriggers returns nil when there were at least n triggers, or the cause of the end of ctx.
func (s *Server) WaitTriggers(ctx context.Context, n int) error {
	return s.changed.Wait(ctx, func() bool { return len(s.Triggers()) >= n })
}

// Wait returns nil when done is true, or the cause of the end of ctx. It calls done at the start
// and after each change.
func (s *Server) Wait(ctx context.Context, done func() bool) error { return s.changed.Wait(ctx, done) }

// Pipelines lists all pipelines, oldest first.
func (s *Server) Pipelines() []Pipeline {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Pipeline, 0, len(s.pipelines))
	for _, p := range s.pipelines {
		out = append(out, p.snapshot())
	}
	return out
}

// Pipeline returns one pipeline.
func (s *Server) Pipeline(id string) (Pipeline, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.byID[id]
	if !ok {
		return Pipeline{}, false
	}
	return p.snapshot(), true
}

func (p *pipeline) snapshot() Pipeline {
	out := Pipeline{
		ID:         p.id,
		Number:     p.number,
		Project:    p.project.slug,
		State:      p.state,
		Branch:     p.branch,
		Tag:        p.tag,
		Revision:   p.revision,
		Config:     p.config,
		Login:      p.login,
		Scenario:   p.scenario,
		Parameters: maps.Clone(p.params),
		CreatedAt:  p.created,
	}

	for _, w := range p.workflows {
		out.Workflows = append(out.Workflows, Workflow{
			ID:        w.id,
			Name:      w.name,
			Status:    w.status,
			CreatedAt: w.created,
			StoppedAt: w.stopped,
		})
	}

	return out
}

// ByParameter lists the ids of pipelines by the value of one of their parameters, oldest first. Two
// ids for a value that is unique to a deployment mean that the deployment ran twice.
func (s *Server) ByParameter(name string) map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]string{}
	for _, p := range s.pipelines {
		if value, ok := p.params[name]; ok {
			out[fmt.Sprint(value)] = append(out[fmt.Sprint(value)], p.id)
		}
	}

	return out
}

// Deployed lists the pipelines that were allowed to deploy: their claim was accepted, or they
// started to run without a ClaimURL.
func (s *Server) Deployed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, p := range s.pipelines {
		if p.claim == claimed {
			out = append(out, p.id)
		}
	}

	return out
}

// Calls counts the calls that reached the simulator, by operation.
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Cancels lists the ids of workflows that API calls asked to cancel, in order.
func (s *Server) Cancels() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.cancels)
}

// Violations lists what callers did against CircleCI's reference: unknown paths, query parameters
// and fields, wrong types, values out of bounds.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}
