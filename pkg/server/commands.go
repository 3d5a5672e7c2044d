package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const (
	commandTimeout = 25 * time.Second // GitHub may have to be asked several things
	maxCommandBody = 8 << 10          // bytes
)

// query makes a handler of a function that only reads. What the function returns is the answer.
func query(read func(ctx context.Context, r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
		defer cancel()

		document, err := read(ctx, r)
		if err != nil {
			writeError(w, r, commandError(r, err))
			return
		}

		writeJSON(w, r, http.StatusOK, document)
	}
}

// commandRequest is the body of a command.
type commandRequest interface {
	// Person is for whom the client asks; nil: for itself.
	Person() *api.Person
}

// commandFunc does what a caller asks for. id is the number in the path. What it returns is the
// answer.
type commandFunc[R commandRequest] func(ctx context.Context, c command.Caller, id int64, req R) (any, error)

// mutate makes a handler of a command: it reads the body, finds out who asks, runs the command and
// answers with the status.
func mutate[R commandRequest](status int, run commandFunc[R]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, err := readCommand[R](w, r)
		if err != nil {
			writeError(w, r, err)
			return
		}

		caller, err := callerOf(tokenOf(r), req.Person())
		if err != nil {
			writeError(w, r, err)
			return
		}

		ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
		defer cancel()
		document, err := run(ctx, caller, idOf(r), req)
		if err != nil {
			writeError(w, r, commandError(r, err))
			return
		}

		if status == http.StatusNoContent {
			w.WriteHeader(status)
			return
		}
		writeJSON(w, r, status, document)
	}
}

// readCommand reads a body with no other fields than the command has. An empty body is a command
// without any.
func readCommand[R commandRequest](w http.ResponseWriter, r *http.Request) (req R, err error) {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCommandBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil && !errors.Is(err, io.EOF) {
		return req, badRequest(fmt.Sprintf("the body cannot be read: %v", err))
	}
	if dec.More() {
		return req, badRequest("the body cannot be read: it has more than one document")
	}
	return req, nil
}

// callerOf is who asks: the token itself, or the person for whom the token's holder asks.
func callerOf(token Token, person *api.Person) (command.Caller, error) {
	c := command.Caller{
		Channel: deployment.ChannelAPI,
		By:      deployment.Actor{Token: token.Name},
		Admin:   token.Scope == ScopeAdmin,
	}

	behalf := token.Scope == ScopeBehalf
	switch {
	case !behalf && person == nil:
		return c, nil
	case !behalf:
		const message = "only a token with the scope behalf may ask for another person"
		return c, newError(http.StatusForbidden, "behalf_needed", message)
	case person == nil:
		return c, badRequest(`a token with the scope behalf must name the person it asks for in "actor"`)
	case person.ID <= 0 || person.Login == "":
		return c, badRequest(`"actor" needs the GitHub id and login of the person`)
	}

	c.By.ID, c.By.Login = person.ID, person.Login
	return c, nil
}

// statusOf are the HTTP statuses of refused commands.
var statusOf = map[command.Kind]int{
	command.KindInvalid:   http.StatusUnprocessableEntity,
	command.KindForbidden: http.StatusForbidden,
	command.KindNotFound:  http.StatusNotFound,
	command.KindConflict:  http.StatusConflict,
}

// commandError turns the error of a command into an answer. A refusal is shown to the client; a fault
// of this service goes to the log.
func commandError(r *http.Request, err error) error {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}

	var refused *command.Error
	if errors.As(err, &refused) {
		return newError(statusOf[refused.Kind], refused.Code, refused.Message)
	}

	zerolog.Ctx(r.Context()).Error().Err(err).Str("path", r.URL.Path).Msg("command failed")
	return unavailable("this could not be done now; try again", err)
}
