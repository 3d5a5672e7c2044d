package circleci

import (
	"fmt"
	"slices"
)

// WorkflowOptions are the optional settings of SetWorkflow.
type WorkflowOptions struct {
	New       bool   // add a workflow even when one of this name has not ended
	Tag       string // "setup" for a setup workflow
	Reruns    int    // how many automatic reruns there may be
	RerunOf   int    // which automatic rerun it is
	KeepState bool   // leave the state of the pipeline; otherwise a pending pipeline becomes created
}

// SetWorkflow gives the newest workflow of a name a status, and adds a workflow when there is none
// that is still running. It ends the pipeline's scenario, and returns the workflow's id.
func (s *Server) SetWorkflow(pipelineID, name, status string, options WorkflowOptions) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.takeOver(pipelineID)
	if err != nil {
		return "", err
	}
	if !options.KeepState && p.state == "pending" {
		s.setState(p, "created")
	}

	w := p.newest(name)
	if w == nil || w.ended() || options.New {
		w = s.addWorkflow(p, name, "")
	}

	w.tag, w.maxReruns, w.rerunNumber = options.Tag, options.Reruns, options.RerunOf
	s.setStatus(w, status)
	switch {
	case status == "on_hold":
		p.held = w
	case status == "running" && w.tag != "setup":
		s.startClaim(p)
	}

	return w.id, nil
}

// Hold has jobs of a workflow wait for approval, each of which an API call approves. It ends the
// pipeline's scenario, and returns the workflow's id.
func (s *Server) Hold(pipelineID, name string, jobs ...string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.takeOver(pipelineID)
	if err != nil {
		return "", err
	}
	if p.state == "pending" {
		s.setState(p, "created")
	}

	p.held = s.setOrAdd(p, name, "")
	p.held.addHolds(jobs...)
	s.setStatus(p.held, "on_hold")
	return p.held.id, nil
}

// SetState gives a pipeline a state, and errors when there are messages. It ends the pipeline's
// scenario.
func (s *Server) SetState(pipelineID, state string, messages ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.takeOver(pipelineID)
	if err != nil {
		return err
	}

	for _, message := range messages {
		p.errors = append(p.errors, object{"type": "config", "message": message})
	}

	s.setState(p, state)
	return nil
}

// Finish ends all running workflows of a pipeline with a status. A pipeline without workflows first
// gets one, "deploy".
func (s *Server) Finish(pipelineID, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.takeOver(pipelineID)
	if err != nil {
		return err
	}
	if !slices.Contains(terminal, status) {
		return fmt.Errorf("%q is not a final status: use one of %q", status, terminal)
	}

	if len(p.workflows) == 0 {
		s.setState(p, "created")
		s.addWorkflow(p, "deploy", "running")
		s.startClaim(p)
	}

	live := p.live()
	if len(live) == 0 {
		return fmt.Errorf("all workflows of pipeline %s have ended: rerun the pipeline first", pipelineID)
	}

	for _, w := range live {
		s.setStatus(w, status)
	}

	return nil
}

// takeOver finds a pipeline and ends its scenario, because from now on the test controls it.
func (s *Server) takeOver(id string) (*pipeline, error) {
	p, err := s.pipelineByID(id)
	if err == nil {
		p.halt()
	}
	return p, err
}

func (s *Server) pipelineByID(id string) (*pipeline, error) {
	if p := s.byID[id]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("no pipeline %q", id)
}

// Approve approves the workflow of a pipeline that is on hold, as a person does.
func (s *Server) Approve(pipelineID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pipelineByID(pipelineID)
	if err != nil {
		return err
	}
	if p.held == nil || p.held.ended() {
		return fmt.Errorf("pipeline %s has no workflow on hold", pipelineID)
	}

	s.approve(p)
	return nil
}

// Cancel cancels all running workflows of a pipeline at once, as a person does.
func (s *Server) Cancel(pipelineID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pipelineByID(pipelineID)
	if err != nil {
		return err
	}

	live := p.live()
	if len(live) == 0 {
		return fmt.Errorf("pipeline %s has no running workflow to cancel", pipelineID)
	}

	for _, w := range live {
		s.cancel(w)
	}

	return nil
}

// Rerun runs the workflows of a pipeline that did not succeed again, as a person does; when all
// succeeded it runs the newest again. While a scenario is played, they succeed one step later.
func (s *Server) Rerun(pipelineID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pipelineByID(pipelineID)
	if err != nil {
		return err
	}
	if len(p.workflows) == 0 || len(p.live()) > 0 {
		return fmt.Errorf("pipeline %s cannot be rerun: it needs at least one workflow, and all of them ended", pipelineID)
	}

	for _, w := range p.toRerun() {
		s.rerun(w)
	}

	return nil
}

// toRerun lists the workflows that Rerun runs again.
func (p *pipeline) toRerun() []*workflow {
	var out []*workflow
	for _, w := range p.workflows {
		if p.newest(w.name) == w && w.status != "success" {
			out = append(out, w)
		}
	}

	if len(out) == 0 {
		out = p.workflows[len(p.workflows)-1:]
	}

	return slices.Clone(out)
}
