package circleci

import (
	"time"
)

// stage is one step of a story. It says false when the story stands still until somebody acts.
type stage func(*Server, *pipeline) bool

func pause(*Server, *pipeline) bool { return true }

// accept is the moment when the config is compiled.
func accept(s *Server, p *pipeline) bool {
	s.setState(p, "created")
	return true
}

func setupStarts(s *Server, p *pipeline) bool {
	s.setState(p, "setup")
	s.add(p, "setup", "running").tag = "setup"
	return true
}

// broken is the end of a pipeline whose config does not compile.
func broken(kind, message string) stage {
	return func(s *Server, p *pipeline) bool {
		p.errors = append(p.errors, object{"type": kind, "message": message})
		s.setState(p, "errored")
		return true
	}
}

// put gives the live workflow of a name a status, and makes one when there is none.
func put(name, status string) stage {
	return func(s *Server, p *pipeline) bool {
		s.put(p, name, status)
		return true
	}
}

func (s *Server) put(p *pipeline, name, status string) *workflow {
	if w := p.newest(name); w != nil && !w.ended() {
		s.set(w, status)
		return w
	}
	return s.add(p, name, status)
}

// to is put for a workflow that must be there; one that has ended keeps its end.
func to(name, status string) stage {
	return func(s *Server, p *pipeline) bool {
		if w := p.newest(name); w != nil {
			s.set(w, status)
		}
		return true
	}
}

func toAll(status string) stage {
	return func(s *Server, p *pipeline) bool {
		for _, w := range p.live() {
			s.set(w, status)
		}
		return true
	}
}

// run starts workflows: from here on the pipeline deploys, unless its claim is refused.
func run(names ...string) stage {
	return func(s *Server, p *pipeline) bool {
		for _, name := range names {
			s.put(p, name, "running")
		}
		s.enter(p)
		return true
	}
}

func hold(s *Server, p *pipeline) bool {
	p.held = s.put(p, "deploy", "on_hold")
	return true
}

// approved approves what nobody has approved yet.
func approved(s *Server, p *pipeline) bool {
	if p.held != nil {
		s.approve(p)
	}
	return true
}

func untilApproved(_ *Server, p *pipeline) bool { return p.held == nil }

func cancelByHand(s *Server, p *pipeline) bool {
	for _, w := range p.live() {
		s.cancel(w)
	}
	return true
}

func runReruns(s *Server, p *pipeline) bool {
	s.put(p, "deploy", "running").max = 1
	s.enter(p)
	return true
}

func rerunItself(s *Server, p *pipeline) bool {
	if old := p.newest("deploy"); old.status == "failed" {
		again := s.add(p, old.name, "running")
		again.rerun, again.max = old.rerun+1, old.max
	}
	return true
}

// tell begins a story.
func (s *Server) tell(p *pipeline, name string) {
	told := stories[name]
	p.name, p.stages = name, told.stages
	if told.prepare != nil {
		told.prepare(p)
	}
	s.schedule(p)
	s.changed.Ring()
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
