package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// retryAfter is how many seconds a client should wait after a 503 or a 429.
const retryAfter = 10

// apiError is an answer that is not 2xx: a message for the client, and the cause for the log only.
type apiError struct {
	status  int
	code    string
	message string
	cause   error
	verdict *api.Verdict // what the rules said; nil: they were not asked
	// closeConnection says that the body was not read to its end, and will not be.
	closeConnection bool
}

// Error is the message for the client.
func (e *apiError) Error() string { return e.message }

// Unwrap is the cause.
func (e *apiError) Unwrap() error { return e.cause }

func newError(status int, code, message string) *apiError {
	return &apiError{status: status, code: code, message: message}
}

// badRequest tells the client what cannot be read.
func badRequest(message string) *apiError {
	return newError(http.StatusBadRequest, "bad_request", message)
}

// unavailable asks the client to try again.
func unavailable(message string, cause error) *apiError {
	return &apiError{status: http.StatusServiceUnavailable, code: "unavailable", message: message, cause: cause}
}

// closing marks an error that was found before the body was read.
func closing(e *apiError) *apiError {
	e.closeConnection = true
	return e
}

// internalError hides a fault of this service from the client.
func internalError(cause error) *apiError {
	return &apiError{
		status:  http.StatusInternalServerError,
		code:    "internal",
		message: "internal error, see the log",
		cause:   cause,
	}
}

// asAPIError finds the answer in an error. An error without one is internal.
func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return internalError(err)
}

// writeJSON answers with a JSON document.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		zerolog.Ctx(r.Context()).Error().Err(err).Msg("encode response failed")
		status = http.StatusInternalServerError
		body = []byte(`{"error":{"code":"internal","message":"internal error, see the log"}}`)
	}

	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone; nothing to do
}

// writeError answers with an error.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := asAPIError(err)
	if e.status == http.StatusServiceUnavailable || e.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}

	control := http.NewResponseController(w)
	if e.closeConnection {
		w.Header().Set("Connection", "close") // else net/http reads up to 256 KiB more before it answers
		_ = control.EnableFullDuplex()        // without it the answer may be cut off, no more
	}

	writeJSON(w, r, e.status, api.ErrorResponse{
		Error:   api.Error{Code: e.code, Message: e.message},
		Verdict: e.verdict,
	})
	if e.closeConnection {
		drainBody(control, r)
	}
}

// maxDrain is how many bytes of a refused body are read and thrown away. The read timeout bounds for
// how long.
const maxDrain = 64 << 20

// drainBody lets a client finish sending. Closing at once would reset the connection, and the answer
// could be lost on its way.
func drainBody(control *http.ResponseController, r *http.Request) {
	if r.Header.Get("Expect") != "" || control.Flush() != nil {
		return // a client that asks before it sends a body will not send it now
	}
	_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
}
