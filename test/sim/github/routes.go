package github

import (
	"maps"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"
)

// The operations a sim.Plan can make fail.
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
	OpCheckRuns        = "check runs"
	OpCompare          = "compare"
	OpCollaborator     = "collaborator permission"
	OpTeamMembership   = "team membership"
	OpGetTeam          = "get team"
	OpGetAccount       = "get account"
	OpGetLogin         = "get login"
	OpGetBranch        = "get branch"
	OpBranchRules      = "branch rules"
)

// route is one call of the API: who may make it and what answers it.
type route struct {
	op, method, path string
	permission       string // of an app or fine-grained token, as name=level; empty: none needed
	answer           func(*Server, *call) *answer
}

// repositoryRoutes live below /repos/{owner}/{repo}, and below /repositories/{id} as well.
var repositoryRoutes = []route{
	{OpGetRepository, http.MethodGet, "", "metadata=read", (*Server).getRepository},
	{OpListDeployments, http.MethodGet, "/deployments", "deployments=read", (*Server).listDeployments},
	{OpCreateDeployment, http.MethodPost, "/deployments", "deployments=write", (*Server).postDeployment},
	{OpGetDeployment, http.MethodGet, "/deployments/{deployment}", "deployments=read", (*Server).getDeployment},
	{OpListStatuses, http.MethodGet, "/deployments/{deployment}/statuses", "deployments=read", (*Server).listStatuses},
	{OpCreateStatus, http.MethodPost, "/deployments/{deployment}/statuses", "deployments=write", (*Server).postStatus},
	{
		OpGetStatus,
		http.MethodGet,
		"/deployments/{deployment}/statuses/{status}",
		"deployments=read",
		(*Server).getStatus,
	},
	{OpListHooks, http.MethodGet, "/hooks", "repository_hooks=read", (*Server).listHooks},
	{OpListDeliveries, http.MethodGet, "/hooks/{hook}/deliveries", "repository_hooks=read", (*Server).listDeliveries},
	{
		OpGetDelivery,
		http.MethodGet,
		"/hooks/{hook}/deliveries/{delivery}",
		"repository_hooks=read",
		(*Server).getDelivery,
	},
	{
		OpRedeliver,
		http.MethodPost,
		"/hooks/{hook}/deliveries/{delivery}/attempts",
		"repository_hooks=write",
		(*Server).redeliver,
	},
	{OpCombinedStatus, http.MethodGet, "/commits/{ref}/status", "statuses=read", (*Server).combinedStatus},
	{OpCheckRuns, http.MethodGet, "/commits/{ref}/check-runs", "checks=read", (*Server).checkRuns},
	{OpCompare, http.MethodGet, "/compare/{basehead}", "contents=read", (*Server).compare},
	{OpCollaborator, http.MethodGet, "/collaborators/{user}/permission", "metadata=read", (*Server).collaborator},
	{OpGetBranch, http.MethodGet, "/branches/{branch}", "contents=read", (*Server).getBranch},
	{OpBranchRules, http.MethodGet, "/rules/branches/{branch}", "metadata=read", (*Server).branchRules},
}

// tokenRoutes need a token but no repository.
var tokenRoutes = []route{
	{OpGetUser, http.MethodGet, "/user", "", (*Server).getUser},
	{OpListOrgHooks, http.MethodGet, "/orgs/{org}/hooks", "", (*Server).listOrgHooks},
	{
		OpTeamMembership,
		http.MethodGet,
		"/orgs/{org}/teams/{team}/memberships/{user}",
		"members=read",
		(*Server).teamMembership,
	},
	{OpGetTeam, http.MethodGet, "/orgs/{org}/teams/{team}", "members=read", (*Server).getTeam},
	{OpGetAccount, http.MethodGet, "/user/{account}", "", (*Server).getAccount},
	{OpGetLogin, http.MethodGet, "/users/{user}", "", (*Server).getLogin},
}

// appRoutes take a JSON web token of the app and nothing else.
var appRoutes = []route{
	{OpGetApp, http.MethodGet, "/app", "", (*Server).getApp},
	{OpGetInstallation, http.MethodGet, "/repos/{owner}/{repo}/installation", "", (*Server).getInstallation},
	{OpCreateToken, http.MethodPost, "/app/installations/{installation}/access_tokens", "", (*Server).postToken},
	{OpListDeliveries, http.MethodGet, "/app/hook/deliveries", "", (*Server).listDeliveries},
	{OpGetDelivery, http.MethodGet, "/app/hook/deliveries/{delivery}", "", (*Server).getDelivery},
	{OpRedeliver, http.MethodPost, "/app/hook/deliveries/{delivery}/attempts", "", (*Server).redeliver},
}

func (s *Server) routes() http.Handler {
	mux := chi.NewRouter()
	for _, rt := range repositoryRoutes {
		s.mount(mux, "/repos/{owner}/{repo}", rt, s.asToken, s.inRepository)
		s.mount(mux, "/repositories/{id}", rt, s.asToken, s.inRepository)
	}

	for _, rt := range tokenRoutes {
		s.mount(mux, "", rt, s.asToken, permitted)
	}

	for _, rt := range appRoutes {
		s.mount(mux, "", rt, s.asApp)
	}

	s.mount(mux, "", route{OpGetMeta, http.MethodGet, "/meta", "", (*Server).getMeta})
	mux.NotFound(s.unknown)
	mux.MethodNotAllowed(s.unknown)
	return mux
}

// gate decides before the route's own answer; nil lets the call pass.
type gate func(*call) *answer

func (s *Server) mount(mux chi.Router, prefix string, rt route, gates ...gate) {
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		c := &call{r: r, route: rt}
		s.calls[rt.op]++
		a := s.serve(c, gates)
		s.write(w, c, a)
	})

	mux.Method(rt.method, s.options.BasePath+prefix+rt.path, s.faulty(rt.op, s.options.Wrap(inner)))
}

func (s *Server) serve(c *call, gates []gate) *answer {
	if c.r.UserAgent() == "" {
		s.violate(c, "no User-Agent header")
		return refuse(
			http.StatusForbidden,
			"Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
		)
	}

	for _, gate := range gates {
		if a := gate(c); a != nil {
			return a
		}
	}

	return c.route.answer(s, c)
}

func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{r: r}
	s.violate(c, "GitHub has no such call here")
	s.write(w, c, notFound())
}

// Operations lists the names that Next takes.
func Operations() []string {
	ops := map[string]bool{OpGetMeta: true}
	for _, rt := range slices.Concat(repositoryRoutes, tokenRoutes, appRoutes) {
		ops[rt.op] = true
	}
	return slices.Sorted(maps.Keys(ops))
}
