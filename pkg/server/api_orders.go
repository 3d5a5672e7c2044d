package server

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/command"
)

// OrderCommands has deployments created for people. It refuses with *command.Error; any other error is a
// fault of this service.
type OrderCommands interface {
	Deploy(ctx context.Context, c command.Caller, o command.DeployOrder) (command.Ordered, error)
	Rollback(ctx context.Context, c command.Caller, o command.RollbackOrder) (command.Ordered, error)
	Request(ctx context.Context, c command.Caller, key string) (command.Ordered, error)
}

// maxOrderBody is how many bytes the body of an order may have, most of which is the payload.
const maxOrderBody = 64 << 10

// deploy has a deployment created.
func (s *Server) deploy(w http.ResponseWriter, r *http.Request) {
	order(s, w, r, func(
		ctx context.Context,
		c command.Caller,
		from command.Origin,
		req api.DeployRequest,
	) (command.Ordered, error) {
		return s.o.Orders.Deploy(ctx, c, command.DeployOrder{
			Repository:  req.Repository,
			Ref:         req.Ref,
			Environment: req.Environment,
			Task:        req.Task,
			Payload:     req.Payload,
			Reason:      req.Reason,
			Force:       req.Force,
			SHA:         req.SHA,
			Origin:      from,
		})
	})
}

// rollback has an earlier success deployed again.
func (s *Server) rollback(w http.ResponseWriter, r *http.Request) {
	order(s, w, r, func(
		ctx context.Context,
		c command.Caller,
		from command.Origin,
		req api.RollbackRequest,
	) (command.Ordered, error) {
		return s.o.Orders.Rollback(ctx, c, command.RollbackOrder{
			Repository:  req.Repository,
			Environment: req.Environment,
			To:          req.To,
			Reason:      req.Reason,
			Force:       req.Force,
			Current:     req.Current,
			Origin:      from,
		})
	})
}

// order reads the body of an order, finds out who asks, and answers with the deployment, or with the key of
// the request while it is not known whether GitHub has created one.
func order[R commandRequest](
	s *Server,
	w http.ResponseWriter,
	r *http.Request,
	run func(ctx context.Context, c command.Caller, from command.Origin, req R) (command.Ordered, error),
) {
	req, caller, ok := readAsked[R](s, w, r, maxOrderBody)
	if !ok {
		return
	}
	if err := s.countGitHub(caller); err != nil {
		writeError(w, r, err)
		return
	}

	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	done, err := run(ctx, caller, command.Origin{Key: r.Header.Get("Idempotency-Key"), Via: via(caller, req)}, req)
	if err != nil {
		s.countUnknownRef(caller, err)
		s.refuse(w, r, caller, commandError(r, err))
		return
	}

	answer := api.DeployResponse{Request: done.Intent.Key}
	if done.Verdict != nil {
		verdict := apiVerdict(*done.Verdict)
		answer.Verdict = &verdict
	}
	if done.Deployment == nil {
		writeJSON(w, r, http.StatusAccepted, answer)
		return
	}

	d := s.apiDeployment(*done.Deployment)
	answer.Deployment = &d
	writeJSON(w, r, http.StatusCreated, answer)
}

// via names, for people, through what somebody asks: the chat system, or else the client that asks for them.
func via(c command.Caller, req commandRequest) string {
	switch chat := req.ChatUser(); {
	case chat != nil:
		return chat.Face
	case c.By.ID != 0:
		return c.By.Token
	default:
		return "" // the client asks for itself
	}
}

// getRequest says what became of an order.
func (s *Server) getRequest(ctx context.Context, r *http.Request) (any, error) {
	if _, err := parseQuery(r.URL.RawQuery); err != nil {
		return nil, badRequest(err.Error())
	}
	key, err := url.PathUnescape(chi.URLParam(r, "key"))
	if err != nil {
		return nil, badRequest("the key in the path is malformed")
	}
	if !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
		return nil, badRequest("the key is not UTF-8 text")
	}

	o, err := s.o.Orders.Request(ctx, tokenCaller(tokenOf(r)), key)
	if err != nil {
		return nil, err
	}

	i := o.Intent
	status := api.RequestStatus{
		Request:     i.Key,
		State:       string(i.State),
		Repository:  i.Repository.FullName(),
		Environment: i.Environment,
		Ref:         i.Ref,
		SHA:         i.SHA,
		By:          apiActor(i.By),
		Reason:      i.Reason,
		Problem:     i.Problem,
		CreatedAt:   apiTime(i.CreatedAt),
	}
	if o.Deployment != nil {
		d := s.apiDeployment(*o.Deployment)
		status.Deployment = &d
	}

	return status, nil
}
