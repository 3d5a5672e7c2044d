package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Commands does what people ask. What it does not do it says with *command.Refused; other errors
// are our own.
type Commands interface {
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
	TakeLock(ctx context.Context, c command.Caller, r command.LockRequest) (policy.Lock, error)
	ExtendLock(ctx context.Context, c command.Caller, id int64, until time.Time) (policy.Lock, error)
	HandOverLock(ctx context.Context, c command.Caller, id int64, to deployment.Actor) (policy.Lock, error)
	ReleaseLock(ctx context.Context, c command.Caller, id int64) error
	Lock(ctx context.Context, id int64) (command.LockState, error)
	Locks(ctx context.Context) ([]policy.Lock, error)
	Notices(ctx context.Context, after int64, limit int) ([]policy.Notice, error)
}

// commandTimeout bounds an answer for which GitHub may have to be asked several things.
const commandTimeout = 25 * time.Second

// maxCommandBody is how large a body of the API may be, in bytes.
const maxCommandBody = 8 << 10

// person is who a face asks for.
type person struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
}

// commandRequest is the body of everything that people ask for.
type commandRequest struct {
	Actor       *person   `json:"actor"` // needs a token with the scope behalf
	Reason      string    `json:"reason"`
	Comment     string    `json:"comment"`
	Repository  string    `json:"repository"`
	Environment string    `json:"environment"`
	ExpiresAt   time.Time `json:"expires_at"`
	ExpiresIn   string    `json:"expires_in"`
	Steal       bool      `json:"steal"`
	To          *person   `json:"to"`
}

// readCommand reads a body that is nothing but known fields. An empty one asks for nothing special.
func readCommand(w http.ResponseWriter, r *http.Request) (a commandRequest, err error) {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCommandBody))
	dec.DisallowUnknownFields()
	if err = dec.Decode(&a); errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil && dec.More() {
		err = errors.New("there is more than one document")
	}
	if err != nil {
		return a, badRequest(fmt.Errorf("the body cannot be read: %w", err))
	}

	return a, nil
}

// until is when something is to end: at a time, or in a while; zero: never.
func (a commandRequest) until(now time.Time) (time.Time, error) {
	if a.ExpiresIn == "" {
		return a.ExpiresAt.UTC(), nil
	}

	in, err := time.ParseDuration(a.ExpiresIn)
	if err != nil || in <= 0 || !a.ExpiresAt.IsZero() {
		return time.Time{}, badRequest(
			errors.New("expires_in must be a positive duration, such as 2h, and stand without expires_at"),
		)
	}

	return now.Add(in).UTC(), nil
}

// caller is who asks: the token, or the person for whom a face asks.
func (s *Server) caller(r *http.Request, a commandRequest) (command.Caller, error) {
	token, _ := r.Context().Value(tokenKey{}).(Token)
	c := command.Caller{
		Channel: deployment.ChannelAPI,
		By:      deployment.Actor{Token: token.Name},
		Admin:   token.Scope == ScopeAdmin,
	}

	switch {
	case a.Actor == nil && token.Scope == ScopeBehalf:
		return c, badRequest(errors.New("a token with the scope behalf must say for whom it asks: actor"))
	case a.Actor == nil:
		return c, nil
	case token.Scope != ScopeBehalf:
		return c, newError(
			http.StatusForbidden,
			"behalf_needed",
			"only a token with the scope behalf may ask for somebody",
		)
	case a.Actor.ID <= 0 || a.Actor.Login == "":
		return c, badRequest(errors.New("actor needs the GitHub id and login of the person"))
	}

	c.By.ID, c.By.Login = a.Actor.ID, a.Actor.Login
	return c, nil
}

// commandFunc is something that a caller asks for. It gives what to answer.
type commandFunc func(ctx context.Context, c command.Caller, a commandRequest, id int64) (any, error)

// mutate reads who asks for what, has it done, and answers.
func (s *Server) mutate(status int, what commandFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, err := readCommand(w, r)
		var c command.Caller
		if err == nil {
			c, err = s.caller(r, a)
		}
		s.runCommand(w, r, status, err, func(ctx context.Context) (any, error) { return what(ctx, c, a, idOf(r)) })
	}
}

// query answers what only asks.
func (s *Server) query(what func(ctx context.Context, r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.runCommand(w, r, http.StatusOK, nil, func(ctx context.Context) (any, error) { return what(ctx, r) })
	}
}

func (s *Server) runCommand(
	w http.ResponseWriter,
	r *http.Request,
	status int,
	err error,
	what func(context.Context) (any, error),
) {
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	var document any
	if err == nil {
		document, err = what(ctx)
	}

	switch {
	case err != nil:
		writeError(w, r, commandError(r, err))
	case document == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		writeJSON(w, r, status, document)
	}
}

var kinds = map[command.Kind]int{
	command.KindInvalid: http.StatusUnprocessableEntity, command.KindForbidden: http.StatusForbidden, command.KindNotFound: http.StatusNotFound,
	command.KindConflict: http.StatusConflict,
}

func commandError(r *http.Request, err error) *apiError {
	var p *apiError
	var refused *command.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &refused):
		return newError(kinds[refused.Kind], refused.Code, refused.Message)
	default:
		zerolog.Ctx(r.Context()).Error().Err(err).Str("path", r.URL.Path).Msg("what was asked could not be done")
		return unavailable("it could not be done now, ask again", err)
	}
}

// idOf is the number in the path; 0, which nothing has, where it is none.
func idOf(r *http.Request) int64 {
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		return 0
	}
	return id
}
