package github

import (
	"context"
	"io"
	"net/http"
	"time"
)

// maxErrorBody bounds how much of the body of an error response is kept, in bytes.
const maxErrorBody = 64 << 10

// response is the last HTTP response of one call as it came from GitHub, before go-github has seen
// it. A status of 0 means that no response arrived.
type response struct {
	status int
	header http.Header
	body   []byte // only for status 300 and above; at most maxErrorBody bytes
}

// responseKey is the context key under which recordResponse stores its *response.
type responseKey struct{}

// recordResponse returns a context, and the response into which recorder writes what arrives for
// requests with that context.
func recordResponse(ctx context.Context) (context.Context, *response) {
	recorded := &response{}
	return context.WithValue(ctx, responseKey{}, recorded), recorded
}

// recorder is the transport below go-github and the credentials. It records each response for
// classify and then removes the headers of rate limits, because go-github v60 acts on them in its
// own way: after one limited call it fails all calls of the client, reads included, without asking
// GitHub, for up to an hour, and it does not recognize a 429. Callers of this package decide how
// long to wait.
//
// It sends nothing that withSendBefore forbids: it is the last step before the connection, so no token is
// created after the check.
type recorder struct {
	base http.RoundTripper
	now  func() time.Time
}

// limitHeaders are the response headers that make go-github v60 block itself.
var limitHeaders = []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"}

// RoundTrip implements http.RoundTripper.
func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	recorded, ok := req.Context().Value(responseKey{}).(*response)
	if !ok {
		recorded = &response{}
	}

	*recorded = response{}
	if err := checkSendBefore(req.Context(), r.now()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}

		return nil, err
	}

	resp, err := r.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}

	recorded.status, recorded.header = resp.StatusCode, resp.Header.Clone()
	for _, name := range limitHeaders {
		resp.Header.Del(name)
	}

	if resp.StatusCode >= 300 {
		// The status alone is enough to classify the call, so a body that breaks off is no error.
		recorded.body, _ = io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}

	return resp, nil
}
