package circleci

import (
	"time"
)

// stage is one step of a scenario. It returns false while the scenario has to wait for an approval.
type stage func(*Server, *pipeline) bool

func wait(*Server, *pipeline) bool { return true }

// created is the stage in which the config is compiled.
func created(s *Server, p *pipeline) bool {
	s.setState(p, "created")
	return true
}

func startSetup(s *Server, p *pipeline) bool {
	s.setState(p, "setup")
	s.addWorkflow(p, "setup", "running").tag = "setup"
	return true
}

// configError is the last stage of a pipeline whose config does not compile.
func configError(kind, message string) stage {
	return func(s *Server, p *pipeline) bool {
		p.errors = append(p.errors, object{"type": kind, "message": message})
		s.setState(p, "errored")
		return true
	}
}

// setStatus gives the running workflow of a name a status, and adds a workflow when none is
// running.
func setStatus(name, status string) stage {
	return func(s *Server, p *pipeline) bool {
		s.setOrAdd(p, name, status)
		return true
	}
}

func (s *Server) setOrAdd(p *pipeline, name, status string) *workflow {
	if w := p.newest(name); w != nil && !w.ended() {
		s.setStatus(w, status)
		return w
	}
	return s.addWorkflow(p, name, status)
}

// end gives an existing workflow its final status. A workflow that has ended keeps its own.
func end(name, status string) stage {
	return func(s *Server, p *pipeline) bool {
		if w := p.newest(name); w != nil {
			s.setStatus(w, status)
		}
		return true
	}
}

func endAll(status string) stage {
	return func(s *Server, p *pipeline) bool {
		for _, w := range p.live() {
			s.setStatus(w, status)
		}
		return true
	}
}

// start runs workflows. From here on the pipeline deploys, unless its claim is refused.
func start(names ...string) stage {
	return func(s *Server, p *pipeline) bool {
		for _, name := range names {
			s.setOrAdd(p, name, "running")
		}
		s.startClaim(p)
		return true
	}
}

func hold(s *Server, p *pipeline) bool {
	p.held = s.setOrAdd(p, "deploy", "on_hold")
	return true
}

// holdTwo has two jobs of one workflow wait for approval.
func holdTwo(s *Server, p *pipeline) bool {
	p.held = s.setOrAdd(p, "deploy", "")
	p.held.addHolds("check-plan", "go-live")
	s.setStatus(p.held, "on_hold")
	return true
}

// approveHeld approves the workflow that is on hold, unless somebody has done so.
func approveHeld(s *Server, p *pipeline) bool {
	if p.held != nil {
		s.approve(p)
	}
	return true
}

func waitForApproval(_ *Server, p *pipeline) bool { return p.held == nil }

func cancelAll(s *Server, p *pipeline) bool {
	for _, w := range p.live() {
		s.cancel(w)
	}
	return true
}

func startWithAutoRerun(s *Server, p *pipeline) bool {
	s.setOrAdd(p, "deploy", "running").maxReruns = 1
	s.startClaim(p)
	return true
}

func autoRerun(s *Server, p *pipeline) bool {
	if old := p.newest("deploy"); old.status == "failed" {
		again := s.addWorkflow(p, old.name, "running")
		again.rerunNumber, again.maxReruns = old.rerunNumber+1, old.maxReruns
	}
	return true
}

// startScenario starts the named scenario of a new pipeline.
func (s *Server) startScenario(p *pipeline, name string) {
	chosen := scenarios[name]
	p.scenario, p.stages = name, chosen.stages
	if chosen.prepare != nil {
		chosen.prepare(p)
	}
	s.schedule(p)
	s.changed.Broadcast()
}

// schedule plays the next stage after one step, unless the scenario has ended or a stage is already
// scheduled.
func (s *Server) schedule(p *pipeline) {
	if s.options.Step <= 0 || len(p.stages) == 0 || p.timer != nil || s.ctx.Err() != nil {
		return
	}

	var timer *time.Timer
	timer = time.AfterFunc(s.options.Step, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p.timer != timer || s.ctx.Err() != nil {
			return // halted after the timer had fired
		}

		p.timer = nil
		s.advance(p)
	})

	p.timer = timer
}

// advance plays the next stage. It does nothing while a claim is in progress; finishClaim
// continues.
func (s *Server) advance(p *pipeline) {
	if p.claim == claiming || len(p.stages) == 0 {
		return
	}
	if !p.stages[0](s, p) {
		return
	}
	if len(p.stages) > 0 { // the stage may have ended the scenario
		p.stages = p.stages[1:]
	}

	s.schedule(p)
}

// halt ends a pipeline's scenario.
func (p *pipeline) halt() {
	p.stages = nil
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}
