package github

import (
	"maps"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"
)

// The operations that a Plan or a Fault can make fail.
const (
	OpCreateDeployment = "create deployment"
	OpListDeployments  = "list deployments"
	OpGetDeployment    = "get deployment"
	OpCreateStatus     = "create status"
	OpListStatuses     = "list statuses"
	OpGetStatus        = "get status"
	OpGetRepository    = "get repository"
	OpGetInstallation  = "get installation"
	OpCreateToken      = "create token"
	OpGetApp           = "get app"
	OpGetUser          = "get user"
	OpGetMeta          = "get meta"
	OpListHooks        = "list hooks"
	OpListOrgHooks     = "list organization hooks"
	OpListDeliveries   = "list deliveries"
	OpGetDelivery      = "get delivery"
	OpRedeliver        = "redeliver"
	OpCombinedStatus   = "combined status"
	OpCommitStatuses   = "commit statuses"
	OpCheckRuns        = "check runs"
	OpWorkflowRuns     = "workflow runs"
	OpCompare          = "compare"
	OpCollaborator     = "collaborator permission"
	OpTeamMembership   = "team membership"
	OpGetTeam          = "get team"
	OpGetAccount       = "get account"
	OpGetLogin         = "get login"
	OpGetBranch        = "get branch"
	OpBranchRules      = "branch rules"
	OpGetRef           = "get ref"
	OpGetTag           = "get tag"
	OpGetCommit        = "get commit"
	OpMatchingRefs     = "matching refs"
)

// route is one call of the API and its handler.
type route struct {
	op, method, path string
	permission       string // of an app or fine-grained token, as name=level; empty: none needed
	handler          func(*Server, *call) *response
}

// repositoryRoutes are below /repos/{owner}/{repo} and below /repositories/{id}.
var repositoryRoutes = []route{
	{op: OpGetRepository, method: http.MethodGet, permission: "metadata=read", handler: (*Server).getRepository},
	{
		op:         OpListDeployments,
		method:     http.MethodGet,
		path:       "/deployments",
		permission: "deployments=read",
		handler:    (*Server).listDeployments,
	},
	{
		op:         OpCreateDeployment,
		method:     http.MethodPost,
		path:       "/deployments",
		permission: "deployments=write",
		handler:    (*Server).postDeployment,
	},
	{
		op:         OpGetDeployment,
		method:     http.MethodGet,
		path:       "/deployments/{deployment}",
		permission: "deployments=read",
		handler:    (*Server).getDeployment,
	},
	{
		op:         OpListStatuses,
		method:     http.MethodGet,
		path:       "/deployments/{deployment}/statuses",
		permission: "deployments=read",
		handler:    (*Server).listStatuses,
	},
	{
		op:         OpCreateStatus,
		method:     http.MethodPost,
		path:       "/deployments/{deployment}/statuses",
		permission: "deployments=write",
		handler:    (*Server).postStatus,
	},
	{
		op:         OpGetStatus,
		method:     http.MethodGet,
		path:       "/deployments/{deployment}/statuses/{status}",
		permission: "deployments=read",
		handler:    (*Server).getStatus,
	},
	{
		op:         OpListHooks,
		method:     http.MethodGet,
		path:       "/hooks",
		permission: "repository_hooks=read",
		handler:    (*Server).listHooks,
	},
	{
		op:         OpListDeliveries,
		method:     http.MethodGet,
		path:       "/hooks/{hook}/deliveries",
		permission: "repository_hooks=read",
		handler:    (*Server).listDeliveries,
	},
	{
		op:         OpGetDelivery,
		method:     http.MethodGet,
		path:       "/hooks/{hook}/deliveries/{delivery}",
		permission: "repository_hooks=read",
		handler:    (*Server).getDelivery,
	},
	{
		op:         OpRedeliver,
		method:     http.MethodPost,
		path:       "/hooks/{hook}/deliveries/{delivery}/attempts",
		permission: "repository_hooks=write",
		handler:    (*Server).redeliver,
	},
	{
		op:         OpCombinedStatus,
		method:     http.MethodGet,
		path:       "/commits/{ref}/status",
		permission: "statuses=read",
		handler:    (*Server).combinedStatus,
	},
	{
		op:         OpCommitStatuses,
		method:     http.MethodGet,
		path:       "/commits/{ref}/statuses",
		permission: "statuses=read",
		handler:    (*Server).commitStatuses,
	},
	{
		op:         OpWorkflowRuns,
		method:     http.MethodGet,
		path:       "/actions/runs",
		permission: "actions=read",
		handler:    (*Server).workflowRuns,
	},
	{
		op:         OpCheckRuns,
		method:     http.MethodGet,
		path:       "/commits/{ref}/check-runs",
		permission: "checks=read",
		handler:    (*Server).checkRuns,
	},
	{
		op:         OpCompare,
		method:     http.MethodGet,
		path:       "/compare/{basehead}",
		permission: "contents=read",
		handler:    (*Server).compare,
	},
	{
		op:         OpCollaborator,
		method:     http.MethodGet,
		path:       "/collaborators/{user}/permission",
		permission: "metadata=read",
		handler:    (*Server).collaborator,
	},
	{
		op:         OpGetBranch,
		method:     http.MethodGet,
		path:       "/branches/{branch}",
		permission: "contents=read",
		handler:    (*Server).getBranch,
	},
	{
		op:         OpBranchRules,
		method:     http.MethodGet,
		path:       "/rules/branches/{branch}",
		permission: "metadata=read",
		handler:    (*Server).branchRules,
	},
	{
		op:         OpGetRef,
		method:     http.MethodGet,
		path:       "/git/ref/*",
		permission: "contents=read",
		handler:    (*Server).getRef,
	},
	{
		op:         OpMatchingRefs,
		method:     http.MethodGet,
		path:       "/git/matching-refs/*",
		permission: "contents=read",
		handler:    (*Server).matchingRefs,
	},
	{
		op:         OpGetCommit,
		method:     http.MethodGet,
		path:       "/commits/{ref}",
		permission: "contents=read",
		handler:    (*Server).getCommit,
	},
	{
		op:         OpGetTag,
		method:     http.MethodGet,
		path:       "/git/tags/{object}",
		permission: "contents=read",
		handler:    (*Server).getTag,
	},
}

// tokenRoutes need a token but no repository.
var tokenRoutes = []route{
	{op: OpGetUser, method: http.MethodGet, path: "/user", handler: (*Server).getUser},
	{op: OpListOrgHooks, method: http.MethodGet, path: "/orgs/{org}/hooks", handler: (*Server).listOrgHooks},
	{
		op:         OpTeamMembership,
		method:     http.MethodGet,
		path:       "/orgs/{org}/teams/{team}/memberships/{user}",
		permission: "members=read",
		handler:    (*Server).teamMembership,
	},
	{
		op:         OpGetTeam,
		method:     http.MethodGet,
		path:       "/orgs/{org}/teams/{team}",
		permission: "members=read",
		handler:    (*Server).getTeam,
	},
	{
		op:         OpTeamMembership,
		method:     http.MethodGet,
		path:       "/organizations/{org_id}/team/{team_id}/memberships/{user}",
		permission: "members=read",
		handler:    (*Server).teamMembership,
	},
	{
		op:         OpGetTeam,
		method:     http.MethodGet,
		path:       "/organizations/{org_id}/team/{team_id}",
		permission: "members=read",
		handler:    (*Server).getTeam,
	},
	{op: OpGetAccount, method: http.MethodGet, path: "/user/{account}", handler: (*Server).getAccount},
	{op: OpGetLogin, method: http.MethodGet, path: "/users/{user}", handler: (*Server).getLogin},
}

// appRoutes accept only a JSON web token of the app.
var appRoutes = []route{
	{op: OpGetApp, method: http.MethodGet, path: "/app", handler: (*Server).getApp},
	{
		op:      OpGetInstallation,
		method:  http.MethodGet,
		path:    "/repos/{owner}/{repo}/installation",
		handler: (*Server).getInstallation,
	},
	{
		op:      OpCreateToken,
		method:  http.MethodPost,
		path:    "/app/installations/{installation}/access_tokens",
		handler: (*Server).postToken,
	},
	{op: OpListDeliveries, method: http.MethodGet, path: "/app/hook/deliveries", handler: (*Server).listDeliveries},
	{
		op:      OpGetDelivery,
		method:  http.MethodGet,
		path:    "/app/hook/deliveries/{delivery}",
		handler: (*Server).getDelivery,
	},
	{
		op:      OpRedeliver,
		method:  http.MethodPost,
		path:    "/app/hook/deliveries/{delivery}/attempts",
		handler: (*Server).redeliver,
	},
}

func (s *Server) routes() http.Handler {
	mux := chi.NewRouter()
	for _, rt := range repositoryRoutes {
		s.mount(mux, "/repos/{owner}/{repo}", rt, s.requireToken, s.requireRepository)
		s.mount(mux, "/repositories/{id}", rt, s.requireToken, s.requireRepository)
	}

	for _, rt := range tokenRoutes {
		s.mount(mux, "", rt, s.requireToken, checkPermission)
	}

	for _, rt := range appRoutes {
		s.mount(mux, "", rt, s.requireApp)
	}

	s.mount(mux, "", route{
		op:      OpRevokeToken,
		method:  http.MethodDelete,
		path:    "/applications/{client_id}/token",
		handler: (*Server).revokeToken,
	}, s.requireClient)
	mux.Method(http.MethodGet, "/login/oauth/authorize", s.page(OpAuthorize, s.authorize))
	mux.Method(http.MethodPost, "/login/oauth/authorize", s.page(OpAuthorize, s.authorize))
	mux.Method(http.MethodPost, "/login/oauth/access_token", s.page(OpAccessToken, s.accessToken))

	s.mount(mux, "", route{op: OpGetMeta, method: http.MethodGet, path: "/meta", handler: (*Server).getMeta})
	mux.NotFound(s.unknownPath)
	mux.MethodNotAllowed(s.unknownPath)
	return mux
}

// precondition is checked before the route's handler. A nil response lets the call pass.
type precondition func(*call) *response

func (s *Server) mount(mux chi.Router, prefix string, rt route, preconditions ...precondition) {
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		c := &call{r: r, route: rt}
		s.calls[rt.op]++
		resp := s.serve(c, preconditions)
		s.writeResponse(w, c, resp)
	})

	mux.Method(rt.method, s.options.BasePath+prefix+rt.path, s.faulty(rt.op, s.options.Wrap(inner)))
}

func (s *Server) serve(c *call, preconditions []precondition) *response {
	if c.r.UserAgent() == "" {
		s.reportViolation(c, "no User-Agent header")
		return errorResponse(
			http.StatusForbidden,
			"Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
		)
	}

	for _, check := range preconditions {
		if resp := check(c); resp != nil {
			return resp
		}
	}

	return c.route.handler(s, c)
}

func (s *Server) unknownPath(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{r: r}
	s.reportViolation(c, "unknown path or method")
	s.writeResponse(w, c, notFound())
}

// Operations lists the operations that Next and NextNamed accept.
func Operations() []string {
	ops := map[string]bool{OpGetMeta: true, OpAuthorize: true, OpAccessToken: true, OpRevokeToken: true}
	for _, rt := range slices.Concat(repositoryRoutes, tokenRoutes, appRoutes) {
		ops[rt.op] = true
	}
	return slices.Sorted(maps.Keys(ops))
}
