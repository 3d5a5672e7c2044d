package server

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// mountCommands serves what people ask for. Who may read may ask what the rules say; doing
// something needs more.
func (s *Server) mountCommands(r chi.Router) {
	r.Get("/gate", s.query(s.gate))
	r.Get("/deployments/{id}/explain", s.query(s.explain))
	r.Get("/locks", s.query(s.locks))
	r.Get("/locks/{id}", s.query(s.lock))
	r.Get("/notices", s.query(s.notices))
	r.Group(func(r chi.Router) {
		r.Use(s.authorize(ScopeDeploy))
		r.Post("/deployments/{id}/approve", s.mutate(http.StatusOK, s.approve))
		r.Post("/deployments/{id}/cancel", s.mutate(http.StatusAccepted, s.cancel))
		r.Post("/deployments/{id}/force", s.mutate(http.StatusAccepted, s.force))
		r.Post("/locks", s.mutate(http.StatusCreated, s.takeLock))
		r.Post("/locks/{id}/extend", s.mutate(http.StatusOK, s.extendLock))
		r.Post("/locks/{id}/hand-over", s.mutate(http.StatusOK, s.handOverLock))
		r.Delete("/locks/{id}", s.mutate(http.StatusNoContent, s.releaseLock))
	})
}

var fullSHA = regexp.MustCompile(`^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)

func (s *Server) gate(ctx context.Context, r *http.Request) (any, error) {
	values := r.URL.Query()
	for name, given := range values {
		switch name {
		case "repository", "environment", "sha", "actor", "ref", "task":
			if len(given) == 1 {
				continue
			}
		}

		return nil, badRequest(
			errors.New(
				"each query parameter must be one of repository, environment, sha, actor, ref, task and be given once",
			),
		)
	}

	q := policy.Question{
		Repository:  values.Get("repository"),
		Environment: values.Get("environment"),
		SHA:         strings.ToLower(values.Get("sha")),
		Actor:       values.Get("actor"),
		Ref:         values.Get("ref"),
		Task:        values.Get("task"),
	}

	if strings.Count(q.Repository, "/") != 1 || q.Environment == "" || !fullSHA.MatchString(q.SHA) {
		return nil, badRequest(
			errors.New("repository=OWNER/NAME, environment and sha (40 or 64 hex digits) are needed"),
		)
	}

	v, err := s.o.Commands.Ask(ctx, q)
	return apiVerdict(v), err
}

func (s *Server) explain(ctx context.Context, r *http.Request) (any, error) {
	d, v, err := s.o.Commands.Explain(ctx, idOf(r))
	return api.DeploymentVerdict{Deployment: s.apiDeployment(d), Verdict: apiVerdict(v)}, err
}

func (s *Server) approve(ctx context.Context, c command.Caller, a commandRequest, id int64) (any, error) {
	d, v, err := s.o.Commands.Approve(ctx, c, id, a.Comment)
	return api.DeploymentVerdict{Deployment: s.apiDeployment(d), Verdict: apiVerdict(v)}, err
}

func (s *Server) cancel(ctx context.Context, c command.Caller, a commandRequest, id int64) (any, error) {
	d, err := s.o.Commands.Cancel(ctx, c, id, a.Reason)
	return s.apiDeployment(d), err
}

func (s *Server) force(ctx context.Context, c command.Caller, a commandRequest, id int64) (any, error) {
	d, err := s.o.Commands.Force(ctx, c, id, a.Reason)
	return s.apiDeployment(d), err
}

func (s *Server) takeLock(ctx context.Context, c command.Caller, a commandRequest, _ int64) (any, error) {
	until, err := a.until(s.o.Now())
	if err != nil {
		return nil, err
	}
	if a.Repository != "" && strings.Count(a.Repository, "/") != 1 {
		return nil, badRequest(errors.New("repository must be OWNER/NAME"))
	}

	l, err := s.o.Commands.TakeLock(ctx, c, command.LockRequest{
		Repository:  a.Repository,
		Environment: a.Environment,
		Reason:      a.Reason,
		Until:       until,
		Steal:       a.Steal,
	})

	return apiLock(l), err
}

func (s *Server) extendLock(ctx context.Context, c command.Caller, a commandRequest, id int64) (any, error) {
	until, err := a.until(s.o.Now())
	if err != nil {
		return nil, err
	}
	l, err := s.o.Commands.ExtendLock(ctx, c, id, until)
	return apiLock(l), err
}

func (s *Server) handOverLock(ctx context.Context, c command.Caller, a commandRequest, id int64) (any, error) {
	if a.To == nil || a.To.ID <= 0 || a.To.Login == "" {
		return nil, badRequest(errors.New(`"to" needs the GitHub id and login of the new owner`))
	}
	l, err := s.o.Commands.HandOverLock(ctx, c, id, deployment.Actor{ID: a.To.ID, Login: a.To.Login})
	return apiLock(l), err
}

func (s *Server) releaseLock(ctx context.Context, c command.Caller, _ commandRequest, id int64) (any, error) {
	return nil, s.o.Commands.ReleaseLock(ctx, c, id)
}

func (s *Server) locks(ctx context.Context, _ *http.Request) (any, error) {
	all, err := s.o.Commands.Locks(ctx)
	list := make([]api.Lock, len(all))
	for i, l := range all {
		list[i] = apiLock(l)
	}
	return api.LockList{Locks: list}, err
}

func (s *Server) lock(ctx context.Context, r *http.Request) (any, error) {
	state, err := s.o.Commands.Lock(ctx, idOf(r))
	return api.LockDetail{Lock: apiLock(state.Lock), Waiting: s.apiDeployments(state.Waiting)}, err
}

func (s *Server) notices(ctx context.Context, r *http.Request) (any, error) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if r.URL.Query().Get("after") != "" && (err != nil || after < 0) {
		return nil, badRequest(errors.New("after must be the id of a notice"))
	}

	all, err := s.o.Commands.Notices(ctx, after, maxPage)
	list := make([]api.Notice, len(all))
	for i, n := range all {
		list[i] = apiNotice(n)
	}

	return api.NoticeList{Notices: list}, err
}
