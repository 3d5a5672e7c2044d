package github

import (
	"context"
	"io"
	"net/http"
)

// maxErrorBody is how much of a refusal's body is read, in bytes.
const maxErrorBody = 64 << 10

// response is what GitHub said last in one call, before go-github saw it. Status 0: nothing.
type response struct {
	status int
	header http.Header
	body   []byte // of refusals only
}

type responseKey struct{}

// recordResponse makes a context in which the last answer is kept.
func recordResponse(ctx context.Context) (context.Context, *response) {
	heard := &response{}
	return context.WithValue(ctx, responseKey{}, heard), heard
}

// recorder keeps each answer for our own judgement and leaves go-github v60 nothing to misjudge.
// After a limit go-github would refuse every call of a client, reads too, without asking GitHub,
// for up to an hour; and it knows no 429. Our own wait is the row's due time.
type recorder struct{ base http.RoundTripper }

// limitHeaders make go-github block itself.
var limitHeaders = []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"}

// RoundTrip implements http.RoundTripper.
func (p recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	heard, ok := req.Context().Value(responseKey{}).(*response)
	if !ok {
		heard = &response{}
	}

	*heard = response{}
	resp, err := p.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}

	heard.status, heard.header = resp.StatusCode, resp.Header.Clone()
	for _, name := range limitHeaders {
		resp.Header.Del(name)
	}

	if resp.StatusCode >= 300 {
		heard.body, _ = io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // a cut refusal is still a refusal
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}

	return resp, nil
}
