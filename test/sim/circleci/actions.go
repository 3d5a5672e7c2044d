package circleci

import (
	"net/http"
	"slices"
	"time"
)

// postCancel answers at once. The workflow ends later or never, as its scenario says.
func (s *Server) postCancel(c *call) *response {
	w, resp := s.workflowOf(c)
	if resp != nil {
		return resp
	}

	s.cancels = append(s.cancels, w.id)
	steps := scenarios[w.pipeline.scenario].cancelSteps
	switch {
	case steps == never:
	case s.options.Step <= 0:
		s.cancel(w)
	default:
		time.AfterFunc(s.options.Step*time.Duration(max(steps, 1)), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.ctx.Err() == nil {
				s.cancel(w)
			}
		})
	}

	s.changed.Broadcast()
	return accepted()
}

// cancel ends a workflow, and the scenario of its pipeline when no workflow is left running.
func (s *Server) cancel(w *workflow) {
	if w.ended() {
		return
	}

	p := w.pipeline
	w.canceledBy = p.userID
	if p.held == w {
		p.held = nil
	}

	s.setStatus(w, "canceled")
	if len(p.live()) == 0 {
		p.halt()
	}
}

// postRerun adds a new workflow of the same name to the pipeline.
func (s *Server) postRerun(c *call) *response {
	w, resp := s.workflowOf(c)
	if resp != nil {
		return resp
	}

	var in struct {
		FromFailed bool     `json:"from_failed"`
		Jobs       []string `json:"jobs"`
		SparseTree bool     `json:"sparse_tree"`
		EnableSSH  bool     `json:"enable_ssh"`
	}

	if resp := s.decode(c, &in); resp != nil {
		return resp
	}
	if in.FromFailed && len(in.Jobs) > 0 {
		s.reportViolation(c, "from_failed and jobs are mutually exclusive")
		return errorResponse(http.StatusBadRequest, "from_failed and jobs are mutually exclusive")
	}
	if !w.ended() {
		return errorResponse(http.StatusBadRequest, "Workflow must be in a terminal state to be rerun")
	}

	again := s.rerun(w)
	return &response{status: http.StatusAccepted, body: object{"workflow_id": again.id}}
}

// rerun runs an ended workflow again. While a scenario is played, the new workflow succeeds one
// step later.
func (s *Server) rerun(w *workflow) *workflow {
	p := w.pipeline
	again := s.addWorkflow(p, w.name, "running")
	s.startClaim(p)
	p.stages = append(p.stages[:len(p.stages):len(p.stages)], func(s *Server, _ *pipeline) bool {
		s.setStatus(again, "success")
		return true
	})

	s.schedule(p)
	return again
}

// postApprove approves one job that waits. What CircleCI answers about a job that was approved before is
// not documented.
func (s *Server) postApprove(c *call) *response {
	w, resp := s.workflowOf(c)
	if resp != nil {
		return resp
	}

	i := slices.IndexFunc(w.holds, func(h *holdJob) bool { return h.request == c.param("request") })
	switch {
	case i < 0:
		return errorResponse(http.StatusNotFound, "Approval request not found")
	case w.holds[i].approvedBy != "" || w.ended():
		return errorResponse(http.StatusBadRequest, "Job is not on hold")
	}

	s.approveJob(w, w.holds[i])
	return accepted()
}

// approveJob approves a job, and continues its workflow when no other one waits.
func (s *Server) approveJob(w *workflow, h *holdJob) {
	p := w.pipeline
	h.approvedBy = p.userID
	s.changed.Broadcast()
	if w.status != "on_hold" || slices.ContainsFunc(w.holds, func(h *holdJob) bool { return h.approvedBy == "" }) {
		return
	}

	p.held = nil
	s.setStatus(w, "running")
	s.startClaim(p)
	s.schedule(p)
}

// approve approves all jobs of the workflow of a pipeline that is on hold.
func (s *Server) approve(p *pipeline) {
	w := p.held
	for _, h := range w.holds {
		if h.approvedBy == "" {
			s.approveJob(w, h)
		}
	}
}
