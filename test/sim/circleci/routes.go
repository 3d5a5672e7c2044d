package circleci

import (
	"net/http"
	"slices"
	"strings"
)

const prefix = "/api/v2"

// The operations a sim.Plan can make fail.
const (
	OpMe              = "me"
	OpGetProject      = "get project"
	OpListDefinitions = "list pipeline definitions"
	OpTrigger         = "trigger pipeline"
	OpRun             = "run pipeline"
	OpGetPipeline     = "get pipeline"
	OpGetNumber       = "get pipeline by number"
	OpListWorkflows   = "list workflows"
	OpGetWorkflow     = "get workflow"
	OpListJobs        = "list jobs"
	OpValues          = "get pipeline values"
	OpConfig          = "get pipeline config"
	OpListPipelines   = "list pipelines"
	OpMine            = "list my pipelines"
	OpCancel          = "cancel workflow"
	OpRerun           = "rerun workflow"
	OpApprove         = "approve job"
)

// route is one call of the API and what answers it.
type route struct {
	op, method, path string
	query            []string // parameters it knows
	answer           func(*Server, *call) *answer
}

const projectPath = "/project/{vcs}/{org}/{repo}"

var allRoutes = []route{
	{OpMe, http.MethodGet, "/me", nil, (*Server).me},
	{OpGetProject, http.MethodGet, projectPath, nil, (*Server).getProject},
	{OpListDefinitions, http.MethodGet, "/projects/{project}/pipeline-definitions", nil, (*Server).listDefinitions},
	{OpTrigger, http.MethodPost, projectPath + "/pipeline", nil, (*Server).triggerClassic},
	{OpRun, http.MethodPost, projectPath + "/pipeline/run", nil, (*Server).triggerRun},
	{
		OpListPipelines,
		http.MethodGet,
		projectPath + "/pipeline",
		[]string{"branch", "page-token"},
		(*Server).listPipelines,
	},
	{OpMine, http.MethodGet, projectPath + "/pipeline/mine", []string{"page-token"}, (*Server).listMine},
	{OpGetNumber, http.MethodGet, projectPath + "/pipeline/{number}", nil, (*Server).getNumber},
	{OpGetPipeline, http.MethodGet, "/pipeline/{pipeline}", nil, (*Server).getPipeline},
	{OpListWorkflows, http.MethodGet, "/pipeline/{pipeline}/workflow", []string{"page-token"}, (*Server).listWorkflows},
	{OpValues, http.MethodGet, "/pipeline/{pipeline}/values", nil, (*Server).getValues},
	{OpConfig, http.MethodGet, "/pipeline/{pipeline}/config", nil, (*Server).getConfig},
	{OpGetWorkflow, http.MethodGet, "/workflow/{workflow}", nil, (*Server).getWorkflow},
	{OpListJobs, http.MethodGet, "/workflow/{workflow}/job", []string{"page-token"}, (*Server).listJobs},
	{OpCancel, http.MethodPost, "/workflow/{workflow}/cancel", nil, (*Server).postCancel},
	{OpRerun, http.MethodPost, "/workflow/{workflow}/rerun", nil, (*Server).postRerun},
	{OpApprove, http.MethodPost, "/workflow/{workflow}/approve/{request}", nil, (*Server).postApprove},
}

// Operations lists the names that NextNamed takes.
func Operations() []string {
	var ops []string
	for _, rt := range allRoutes {
		ops = append(ops, rt.op)
	}
	slices.Sort(ops)
	return ops
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range allRoutes {
		mux.Handle(rt.method+" "+prefix+rt.path, s.faulty(rt.op, s.handle(rt)))
	}
	mux.HandleFunc("/", s.unknown)
	return mux
}

func (s *Server) handle(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		c := &call{r: r, route: rt}
		s.calls[rt.op]++
		write(w, s.serve(c))
	})
}

func (s *Server) serve(c *call) *answer {
	if !s.authorized(c.r) {
		if strings.HasPrefix(c.route.path, projectPath) && c.route.op != OpRun {
			return refuse(http.StatusNotFound, "Project not found") // CircleCI does not tell strangers what exists
		}

		return refuse(http.StatusUnauthorized, "You must log in first.")
	}

	for name := range c.r.URL.Query() {
		if !slices.Contains(c.route.query, name) {
			s.violate(c, "unknown query parameter %q", name)
			return refuse(http.StatusBadRequest, "Unexpected query parameter: "+name)
		}
	}

	return c.route.answer(s, c)
}

// authorized knows CircleCI's own header and the bearer token, not the ways CircleCI calls
// deprecated.
func (s *Server) authorized(r *http.Request) bool {
	if r.Header.Get("Circle-Token") == s.token {
		return true
	}
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && bearer == s.token
}

func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violate(&call{r: r}, "CircleCI has no such call here")
	write(w, refuse(http.StatusNotFound, "Not found"))
}
