package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// retryAfter is how many seconds to wait after a 503 or a 429.
const retryAfter = 10

// apiError is a request that is not granted: what the sender is told, and the cause that only the
// log shows.
type apiError struct {
	status          int
	code            string
	message         string
	cause           error
	closeConnection bool // the body was not read to its end and is not waited for
}

// Error is what the sender is told.
func (p *apiError) Error() string { return p.message }

// newError makes a problem.
func newError(status int, code, message string) *apiError {
	return &apiError{status: status, code: code, message: message}
}

// badRequest tells the sender what cannot be read.
func badRequest(err error) *apiError {
	return newError(http.StatusBadRequest, "bad_request", err.Error())
}

// closing marks a problem that is known before the body was read.
func closing(p *apiError) *apiError {
	p.closeConnection = true
	return p
}

// unavailable asks the sender to come again.
func unavailable(message string, cause error) *apiError {
	return &apiError{status: http.StatusServiceUnavailable, code: "unavailable", message: message, cause: cause}
}

// writeJSON writes a JSON document.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		zerolog.Ctx(r.Context()).Error().Err(err).Msg("cannot write the answer as JSON")
		status, body = http.StatusInternalServerError, []byte(
			`{"error":{"code":"internal","message":"internal error, see the log"}}`,
		)
	}

	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // who does not listen is not told
}

// writeError answers with a problem.
func writeError(w http.ResponseWriter, r *http.Request, p *apiError) {
	if p.status == http.StatusServiceUnavailable || p.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}

	control := http.NewResponseController(w)
	if p.closeConnection {
		w.Header().Set("Connection", "close") // else net/http would read up to 256 KiB more before it sends the answer
		_ = control.EnableFullDuplex()        // where it is not known the answer may be cut off, no more
	}

	writeJSON(w, r, p.status, api.ErrorResponse{Error: api.Error{Code: p.code, Message: p.message}})
	if p.closeConnection {
		drainBody(control, r)
	}
}

// drainFor bounds how much of a refused body is read and thrown away, in bytes; the read timeout
// bounds for how long.
const drainFor = 64 << 20

// drainBody lets a sender finish what it is sending. Closing at once would reset the connection,
// and the answer would be lost on its way.
func drainBody(control *http.ResponseController, r *http.Request) {
	if r.Header.Get("Expect") == "" && control.Flush() == nil { // who asks before sending sends nothing now
		_, _ = io.CopyN(io.Discard, r.Body, drainFor)
	}
}
