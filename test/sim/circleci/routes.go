package circleci

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// Where the versions of the API are. Outputs of steps are on another host than the API, which the simulator
// is as well.
const (
	prefix     = "/api/v2"
	prefixV3   = "/api/v3"
	prefixV1   = "/api/v1.1"
	outputPath = "/output"
)

// The operations that a Plan can make fail.
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
	OpJobV3           = "get job v3"
	OpOutputV3        = "get step output v3"
	OpJobV1           = "get job v1.1"
	OpOutput          = "get step output"
)

// route is one call of the API and its handler.
type route struct {
	op, method, path string
	base             string   // before path; empty: prefix
	query            []string // allowed query parameters
	handler          func(*Server, *call) *response
}

const projectPath = "/project/{vcs}/{org}/{repo}"

var allRoutes = []route{
	{op: OpMe, method: http.MethodGet, path: "/me", handler: (*Server).getMe},
	{op: OpGetProject, method: http.MethodGet, path: projectPath, handler: (*Server).getProject},
	{
		op:      OpListDefinitions,
		method:  http.MethodGet,
		path:    "/projects/{project}/pipeline-definitions",
		handler: (*Server).listDefinitions,
	},
	{op: OpTrigger, method: http.MethodPost, path: projectPath + "/pipeline", handler: (*Server).triggerClassic},
	{op: OpRun, method: http.MethodPost, path: projectPath + "/pipeline/run", handler: (*Server).triggerRun},
	{
		op:      OpListPipelines,
		method:  http.MethodGet,
		path:    projectPath + "/pipeline",
		query:   []string{"branch", "page-token"},
		handler: (*Server).listPipelines,
	},
	{
		op:      OpMine,
		method:  http.MethodGet,
		path:    projectPath + "/pipeline/mine",
		query:   []string{"page-token"},
		handler: (*Server).listMine,
	},
	{op: OpGetNumber, method: http.MethodGet, path: projectPath + "/pipeline/{number}", handler: (*Server).getNumber},
	{op: OpGetPipeline, method: http.MethodGet, path: "/pipeline/{pipeline}", handler: (*Server).getPipeline},
	{
		op:      OpListWorkflows,
		method:  http.MethodGet,
		path:    "/pipeline/{pipeline}/workflow",
		query:   []string{"page-token"},
		handler: (*Server).listWorkflows,
	},
	{op: OpValues, method: http.MethodGet, path: "/pipeline/{pipeline}/values", handler: (*Server).getValues},
	{op: OpConfig, method: http.MethodGet, path: "/pipeline/{pipeline}/config", handler: (*Server).getConfig},
	{op: OpGetWorkflow, method: http.MethodGet, path: "/workflow/{workflow}", handler: (*Server).getWorkflow},
	{
		op:      OpListJobs,
		method:  http.MethodGet,
		path:    "/workflow/{workflow}/job",
		query:   []string{"page-token"},
		handler: (*Server).listJobs,
	},
	{op: OpCancel, method: http.MethodPost, path: "/workflow/{workflow}/cancel", handler: (*Server).postCancel},
	{op: OpRerun, method: http.MethodPost, path: "/workflow/{workflow}/rerun", handler: (*Server).postRerun},
	{
		op:      OpApprove,
		method:  http.MethodPost,
		path:    "/workflow/{workflow}/approve/{request}",
		handler: (*Server).postApprove,
	},
	{op: OpJobV3, method: http.MethodGet, base: prefixV3, path: "/jobs/{job}", handler: (*Server).getJobV3},
	{
		op:      OpOutputV3,
		method:  http.MethodGet,
		base:    prefixV3,
		path:    "/jobs/{job}/{stream}",
		query:   []string{"filter[execution]", "filter[step_num]"},
		handler: (*Server).getOutputV3,
	},
	{op: OpJobV1, method: http.MethodGet, base: prefixV1, path: projectPath + "/{number}", handler: (*Server).getJobV1},
	{
		op:      OpOutput,
		method:  http.MethodGet,
		base:    outputPath,
		path:    "/{job}",
		query:   []string{"signature"},
		handler: (*Server).getOutput,
	},
}

// Operations lists the operations that NextNamed accepts.
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
		mux.Handle(rt.method+" "+cmp.Or(rt.base, prefix)+rt.path, s.faulty(rt.op, s.handle(rt)))
	}
	mux.HandleFunc("/", s.unknownPath)
	return mux
}

func (s *Server) handle(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		c := &call{r: r, route: rt}
		s.calls[rt.op]++
		writeResponse(w, s.serve(c))
	})
}

func (s *Server) serve(c *call) *response {
	if c.route.op == OpOutput { // the address itself is what authorizes
		return c.route.handler(s, c)
	}

	if !s.authorized(c.r) {
		if strings.HasPrefix(c.route.path, projectPath) && c.route.op != OpRun {
			// without a valid token CircleCI does not reveal what exists
			return errorResponse(http.StatusNotFound, "Project not found")
		}

		return errorResponse(http.StatusUnauthorized, "You must log in first.")
	}

	for name := range c.r.URL.Query() {
		if !slices.Contains(c.route.query, name) {
			s.reportViolation(c, "unknown query parameter %q", name)
			return errorResponse(http.StatusBadRequest, "Unexpected query parameter: "+name)
		}
	}

	return c.route.handler(s, c)
}

// authorized accepts the Circle-Token header and the bearer token, not the ways that CircleCI's
// reference calls deprecated.
func (s *Server) authorized(r *http.Request) bool {
	if r.Header.Get("Circle-Token") == s.token {
		return true
	}
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && bearer == s.token
}

func (s *Server) unknownPath(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reportViolation(&call{r: r}, "unknown path or method")
	writeResponse(w, errorResponse(http.StatusNotFound, "Not found"))
}
