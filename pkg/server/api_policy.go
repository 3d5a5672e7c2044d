package server

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// DeploymentCommands evaluates the rules of deployments and changes deployments for people. It
// refuses with *command.Error; any other error is a fault of this service.
type DeploymentCommands interface {
	Ask(ctx context.Context, q policy.Question) (policy.Verdict, error)
	Explain(ctx context.Context, id int64) (deployment.Deployment, policy.Verdict, error)
	Approve(
		ctx context.Context,
		c command.Caller,
		id int64,
		comment string,
	) (deployment.Deployment, policy.Verdict, error)
	Cancel(ctx context.Context, c command.Caller, id int64, reason string) (deployment.Deployment, error)
	Force(ctx context.Context, c command.Caller, id int64, reason string) (deployment.Deployment, error)
}

// HoldCommands approves jobs that CircleCI holds. It refuses as DeploymentCommands does.
type HoldCommands interface {
	ApproveHold(ctx context.Context, c command.Caller, id int64, job string) (deployment.Deployment, error)
}

var fullSHA = regexp.MustCompile(`^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)

// gate says what the rules would say of a deployment that does not exist.
func (s *Server) gate(ctx context.Context, r *http.Request) (any, error) {
	values, err := parseQuery(r.URL.RawQuery, "repository", "environment", "sha", "actor", "ref", "task")
	if err != nil {
		return nil, badRequest(err.Error())
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
		return nil, badRequest("repository=OWNER/NAME, environment and sha (40 or 64 hex digits) are required")
	}
	if strings.Trim(q.SHA, "0") == "" {
		return nil, badRequest("sha is git's null id, which no commit has")
	}

	v, err := s.o.Deployments.Ask(ctx, q)
	return apiVerdict(v), err
}

func (s *Server) explain(ctx context.Context, r *http.Request) (any, error) {
	d, v, err := s.o.Deployments.Explain(ctx, idOf(r))
	return api.DeploymentVerdict{Deployment: s.apiDeployment(d), Verdict: apiVerdict(v)}, err
}

func (s *Server) approve(ctx context.Context, c command.Caller, id int64, req api.ApproveRequest) (any, error) {
	d, v, err := s.o.Deployments.Approve(ctx, c, id, req.Comment)
	return api.DeploymentVerdict{Deployment: s.apiDeployment(d), Verdict: apiVerdict(v)}, err
}

func (s *Server) approveHold(
	ctx context.Context,
	c command.Caller,
	id int64,
	req api.ApproveHoldRequest,
) (any, error) {
	d, err := s.o.Holds.ApproveHold(ctx, c, id, req.Job)
	return s.apiDeployment(d), err
}

func (s *Server) cancel(ctx context.Context, c command.Caller, id int64, req api.CancelRequest) (any, error) {
	d, err := s.o.Deployments.Cancel(ctx, c, id, req.Reason)
	return s.apiDeployment(d), err
}

func (s *Server) force(ctx context.Context, c command.Caller, id int64, req api.ForceRequest) (any, error) {
	d, err := s.o.Deployments.Force(ctx, c, id, req.Reason)
	return s.apiDeployment(d), err
}
