package circleci

import "github.com/google/uuid"

// MineEmpty makes the list of the token user's own pipelines of a project empty.
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

// ValuesShowParameters sets whether pipeline values include the parameters. The default is false.
func (s *Server) ValuesShowParameters(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.valuesShowParameters = on
}

// ConfigShowsParameters sets whether compiled configs include the parameters. The default is true.
func (s *Server) ConfigShowsParameters(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.configHidesParameters = !on
}

// ConfigUnreadable makes reads of the configs of a project's pipelines answer 403.
func (s *Server) ConfigUnreadable(slug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustFind(slug).configUnreadable = true
}

// AddUnrelatedPipeline adds a pipeline of the token's user without parameters, which no API call
// triggered, and returns its id. It has already succeeded.
func (s *Server) AddUnrelatedPipeline(slug, branch string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addUnrelated(slug, branch).id
}

// AddPipelineOfUser adds a pipeline of another user and returns its id. It has already succeeded.
func (s *Server) AddPipelineOfUser(slug, branch, login string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.addUnrelated(slug, branch)
	p.login, p.userID, p.trigger = login, uuid.NewString(), "webhook"
	return p.id
}

// addUnrelated adds a pipeline that has already ended: it sends no claim and no webhook.
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
