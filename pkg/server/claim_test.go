package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// knownKey is the key of a deployment that no pipeline has claimed.
const knownKey = "f902bc00ec78ff917187e0637c9bcfe4"

func TestClaim(t *testing.T) {
	s := newTestServer(t)

	// Each step sees the claims of the steps before it.
	for _, step := range []struct {
		name string
		body string
		err  error
		code int
		word string // of the answer; empty: any
	}{
		{name: "database away", body: `{"key":"` + knownKey + `","pipeline":"p-1"}`, err: errDatabase, code: 503},
		{name: "first pipeline", body: `{"key":"` + knownKey + `","pipeline":"p-1"}`, code: 200},
		{name: "same pipeline, its next job", body: `{"key":"` + knownKey + `","pipeline":"p-1"}`, code: 200},
		{name: "another pipeline", body: `{"key":"` + knownKey + `","pipeline":"p-2"}`, code: 409},
		{
			name: "being canceled",
			body: `{"key":"` + knownKey + `","pipeline":"p-1"}`,
			err:  deployment.ErrClaimCanceled,
			code: 409,
			word: `"being_canceled"`,
		},
		{name: "unknown key", body: `{"key":"guess","pipeline":"p-2"}`, code: 404},
		{
			name: "unknown key that looks like one of ours",
			body: `{"key":"00000000000000000000000000000000","pipeline":"p-2"}`,
			code: 404,
		},
		{
			name: "key that is not one of ours is not looked up",
			body: `{"key":"f902bc00ec78ff917187e0637c9bcfeX","pipeline":"p-2"}`,
			err:  errDatabase,
			code: 404,
		},
		{
			name: "key with a NUL is not looked up",
			body: `{"key":"a\u0000b","pipeline":"p-1"}`,
			err:  errDatabase,
			code: 404,
		},
		{
			name: "key that is not UTF-8 is not looked up",
			body: "{\"key\":\"a\xff\",\"pipeline\":\"p-1\"}",
			err:  errDatabase,
			code: 404,
		},
		{name: "malformed pipeline", body: `{"key":"` + knownKey + `","pipeline":"../p"}`, code: 400},
		{name: "empty key", body: `{"key":"","pipeline":"p-1"}`, code: 400},
		{name: "key of another type", body: `{"key":1}`, code: 400},
		{name: "null", body: `null`, code: 400},
		{name: "too large", body: `{"key":"` + strings.Repeat("k", maxClaim) + `"}`, code: 413},
	} {
		t.Run(step.name, func(t *testing.T) {
			s.claims.err = step.err
			got := s.send(t, http.MethodPost, "/webhooks/claim", strings.NewReader(step.body))
			if got.code != step.code || !strings.Contains(got.body, step.word) {
				t.Errorf("got %d %s, want %d %s", got.code, got.body, step.code, step.word)
			}
		})
	}
}

func TestClaim_LimitsUnknownKeysOnly(t *testing.T) {
	s := newTestServer(t)
	handler := s.server.Handler()
	claimFrom := func(addr, key string) int {
		body := strings.NewReader(`{"key":"` + key + `","pipeline":"p"}`)
		r := httptest.NewRequest(http.MethodPost, "/webhooks/claim", body)
		r.RemoteAddr = addr
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		return rec.Code
	}

	refused := 0
	for range 2*unknownClaimsPerMinute + 1 { // twice, because a new minute may begin meanwhile
		if claimFrom("[2001:db8::1]:1", "guess") == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("got no claim refused, want some")
	}

	if got, want := claimFrom("[2001:db8::2]:1", "guess"), http.StatusTooManyRequests; got != want {
		t.Errorf("unknown key, same network: got %d, want %d", got, want)
	}
	if got, want := claimFrom("192.0.2.1:1", "guess"), http.StatusNotFound; got != want {
		t.Errorf("unknown key, another network: got %d, want %d", got, want)
	}
	if got, want := claimFrom("[2001:db8::2]:1", knownKey), http.StatusOK; got != want {
		t.Errorf("known key, same network: got %d, want %d", got, want)
	}

	for range 2*unknownClaimsPerMinute + 1 {
		if got := claimFrom("192.0.2.1:1", knownKey); got != http.StatusOK {
			t.Fatalf("known key, many times: got %d, want 200", got)
		}
	}
}
