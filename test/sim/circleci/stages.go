package circleci

import (
	"time"
)

// stage is one step of a story. It says false when the story stands still until somebody acts.
type stage func(*Server, *pipeline) bool

func wait(*Server, *pipeline) bool { return true }

// accept is the moment when the config is compiled.
func created(s *Server, p *pipeline) bool {
	s.setState(p, "created")
	return true
}

func startSetup(s *Server, p *pipeline) bool {
	s.setState(p, "setup")
	s.addWorkflow(p, "setup", "running").tag = "setup"
	return true
}

// broken is the end of a pipeline whose config does not compile.
func configError(kind, message string) stage {
	return func(s *Server, p *pipeline) bool {
		p.errors = append(p.errors, object{"type": kind, "message": message})
		s.setState(p, "errored")
		return true
	}
}

// put gives the live workflow of a name a status, and makes one when there is none.
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

// to is put for a workflow that must be there; one that has ended keeps its end.
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

// run starts workflows: from here on the pipeline deploys, unless its claim is refused.
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

// approved approves what nobody has approved yet.
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

// tell begins a story.
func (s *Server) startScenario(p *pipeline, name string) {
	told := scenarios[name]
	p.scenario, p.stages = name, told.stages
	if told.prepare != nil {
		told.prepare(p)
	}
	s.schedule(p)
	s.changed.Broadcast()
}

// schedule plays the next stage one step from now, unless the story is over or its next stage is
// under way.
func (s *Server) schedule(p *pipeline) {
	if s.options.Step <= 0 || len(p.stages) == 0 || p.timer != nil || s.ctx.Err() != nil {
		return
	}

	var timer *time.Timer
	timer = time.AfterFunc(s.options.Step, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p.timer != timer || s.ctx.Err() != nil {
			return // stopped after it had fired
		}

		p.timer = nil
		s.advance(p)
	})

	p.timer = timer
}

// advance plays the next stage. The story waits while a claim is under way, and ends when one is
// refused.
func (s *Server) advance(p *pipeline) {
	if p.claim == claiming || len(p.stages) == 0 {
		return
	}
	if !p.stages[0](s, p) {
		return
	}
	if len(p.stages) > 0 { // the stage may have ended the story
		p.stages = p.stages[1:]
	}

	s.schedule(p)
}

// halt ends a pipeline's story where it is.
func (p *pipeline) halt() {
	p.stages = nil
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}
