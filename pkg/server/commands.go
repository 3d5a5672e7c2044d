package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

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
	// Person and ChatUser are for whom the client asks; both nil: for itself.
	Person() *api.Person
	ChatUser() *api.ChatUser
}

// commandFunc does what a caller asks for. id is the number in the path. What it returns is the
// answer.
type commandFunc[R commandRequest] func(ctx context.Context, c command.Caller, id int64, req R) (any, error)

// mutate makes a handler of a command that may ask GitHub.
func mutate[R commandRequest](s *Server, status int, run commandFunc[R]) http.HandlerFunc {
	return perform(s, status, func(ctx context.Context, c command.Caller, id int64, req R) (any, error) {
		if err := s.countGitHub(c); err != nil {
			return nil, err
		}
		return run(ctx, c, id, req)
	})
}

// perform makes a handler of a command: it reads the body, finds out who asks, runs the command and
// answers with the status.
func perform[R commandRequest](s *Server, status int, run commandFunc[R]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, caller, ok := readAsked[R](s, w, r, maxCommandBody)
		if !ok {
			return
		}

		ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
		defer cancel()
		document, err := run(ctx, caller, idOf(r), req)
		if err != nil {
			s.refuse(w, r, caller, commandError(r, err))
			return
		}

		if status == http.StatusNoContent {
			w.WriteHeader(status)
			return
		}
		writeJSON(w, r, status, document)
	}
}

// readAsked reads what is asked for, and finds out who asks. Where the body cannot be read, or the caller is refused,
// it answers, and ok is false.
func readAsked[R commandRequest](
	s *Server,
	w http.ResponseWriter,
	r *http.Request,
	most int64,
) (req R, caller command.Caller, ok bool) {
	req, err := readDocument[R](w, r, most)
	if err != nil {
		writeError(w, r, err)
		return req, caller, false
	}

	caller, err = s.callerOf(tokenOf(r), req.Person(), req.ChatUser())
	if err != nil {
		s.refuse(w, r, caller, err)
		return req, caller, false
	}

	return req, caller, true
}

// refuse answers with an error. If it says that the caller, or the rules, do not allow this, it is counted
// and logged: somebody may be trying what they can do.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, c command.Caller, err error) {
	if e := asAPIError(err); e.status == http.StatusForbidden || e.verdict != nil {
		s.o.ObserveRefused(e.code)
		line := zerolog.Ctx(r.Context()).Info().
			Str("actor", c.By.String()).
			Int64("actor_id", c.By.ID).
			Str("act", r.Method+" "+r.URL.Path).
			Str("code", e.code)
		if c.Chat != (command.ChatUser{}) {
			line = line.Str("person", c.Chat.String())
		}
		if id := idOf(r); id > 0 && strings.HasPrefix(r.URL.Path, "/api/v1/deployments/") {
			line = line.Int64("deployment", id)
		}
		line.Msg("command refused")
	}

	writeError(w, r, err)
}

// readDocument reads a body of at most limit bytes, with no other fields than the document has. An empty body is
// a document without any.
func readDocument[R any](w http.ResponseWriter, r *http.Request, limit int64) (req R, err error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		message := fmt.Sprintf("the body is larger than %d KiB", limit>>10)
		return req, newError(http.StatusRequestEntityTooLarge, "too_large", message)
	}
	if err != nil {
		return req, badRequest("the body ended early or came too slowly")
	}
	if err := checkBodyText(raw); err != nil {
		return req, err
	}

	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil && !errors.Is(err, io.EOF) {
		return req, badRequest(fmt.Sprintf("the body cannot be read: %v", err))
	}
	if dec.More() {
		return req, badRequest("the body cannot be read: it has more than one document")
	}

	return req, nil
}

// checkBodyText refuses texts that a database cannot store: PostgreSQL takes neither U+0000 nor bytes
// that are not UTF-8.
func checkBodyText(raw []byte) error {
	if !utf8.Valid(raw) {
		return badRequest("the body cannot be read: it is not UTF-8")
	}

	dec := json.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := dec.Token()
		if err != nil {
			return nil //nolint:nilerr // decoding the document finds the same error, and says more about it
		}
		if text, ok := token.(string); ok && strings.ContainsRune(text, 0) {
			return badRequest("the body cannot be read: a text has the character U+0000")
		}
	}
}

// tokenCaller is the caller where a token asks for itself.
func tokenCaller(token Token) command.Caller {
	return command.Caller{
		Channel: deployment.ChannelAPI,
		By:      deployment.Actor{Token: token.Name},
		Admin:   token.Scope == ScopeAdmin,
	}
}

// statusOf are the HTTP statuses of refused commands.
var statusOf = map[command.Kind]int{
	command.KindInvalid:     http.StatusUnprocessableEntity,
	command.KindForbidden:   http.StatusForbidden,
	command.KindNotFound:    http.StatusNotFound,
	command.KindConflict:    http.StatusConflict,
	command.KindUnavailable: http.StatusServiceUnavailable,
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
		answer := newError(statusOf[refused.Kind], refused.Code, refused.Message)
		if refused.Verdict != nil {
			verdict := apiVerdict(*refused.Verdict)
			answer.verdict = &verdict
		}
		if refused.Err != nil {
			zerolog.Ctx(r.Context()).Info().Err(refused.Err).Str("code", refused.Code).Msg("command not possible now")
		}

		return answer
	}

	zerolog.Ctx(r.Context()).Error().Err(err).Str("path", r.URL.Path).Msg("command failed")
	return unavailable("this could not be done now; try again", err)
}
