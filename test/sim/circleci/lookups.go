package circleci

import "github.com/google/uuid"

// MineEmpty makes the list of the token's own pipelines of a project empty.
func (s *Server) MineEmpty(slug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustFind(slug).mineEmpty = true
}

// ListsEmpty makes all lists of a project's pipelines empty.
func (s *Server) ListsEmpty(slug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustFind(slug).listsEmpty = true
}

// ValuesShowParameters says whether pipeline values include the parameters; at the start they do
// not.
func (s *Server) ValuesShowParameters(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.valuesShowParameters = on
}

// ConfigShowsParameters says whether compiled configs include the parameters; at the start they do.
func (s *Server) ConfigShowsParameters(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.configHidesParameters = !on
}

// ConfigUnreadable makes the configs of a project's pipelines answer 403.
func (s *Server) ConfigUnreadable(slug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustFind(slug).configUnreadable = true
}

// Stranger makes a pipeline of the token's user that nobody triggered with parameters, and returns
// its id. It succeeds.
func (s *Server) AddUnrelatedPipeline(slug, branch string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addUnrelated(slug, branch).id
}

// Foreign makes a pipeline of another user, and returns its id. It succeeds.
func (s *Server) AddPipelineOfUser(slug, branch, login string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.addUnrelated(slug, branch)
	p.login, p.userID, p.trigger = login, uuid.NewString(), "webhook"
	return p.id
}

// stranger has its end behind it: it claims nothing and tells no webhook.
func (s *Server) addUnrelated(slug, branch string) *pipeline {
	project := s.mustFind(slug)
	revision := project.branches[branch]
	if revision == "" {
		revision = s.options.Revision(project.slug, branch)
	}

	p := s.create(project, ref{Branch: branch}, revision, nil)
	p.state, p.claim = "created", refused
	w := s.addWorkflow(p, "build", "running")
	w.status, w.stopped = "success", w.created

	return p
}
