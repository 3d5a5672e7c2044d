package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestClaim(t *testing.T) {
	s := newTestServer(t)

	// Each step sees the claims of the steps before it.
	for _, step := range []struct {
		name string
		body string
		err  error
		code int
	}{
		{"database away", `{"key":"free","pipeline":"p-1"}`, errDatabase, 503},
		{"first pipeline", `{"key":"free","pipeline":"p-1"}`, nil, 200},
		{"same pipeline, its next job", `{"key":"free","pipeline":"p-1"}`, nil, 200},
		{"another pipeline", `{"key":"free","pipeline":"p-2"}`, nil, 409},
		{"unknown key", `{"key":"guess","pipeline":"p-2"}`, nil, 404},
		{"malformed pipeline", `{"key":"free","pipeline":"../p"}`, nil, 400},
		{"empty key", `{"key":"","pipeline":"p-1"}`, nil, 400},
		{"key of another type", `{"key":1}`, nil, 400},
		{"null", `null`, nil, 400},
		{"too large", `{"key":"` + strings.Repeat("k", maxClaim) + `"}`, nil, 413},
	} {
		t.Run(step.name, func(t *testing.T) {
			s.claims.err = step.err
			got := s.send(t, http.MethodPost, "/webhooks/claim", strings.NewReader(step.body))
			if got.code != step.code {
				t.Errorf("got %d %s, want %d", got.code, got.body, step.code)
			}
		})
	}
}

func TestClaim_LimitsEachNetwork(t *testing.T) {
	handler := newTestServer(t).server.Handler()
	claimFrom := func(addr string) int {
		body := strings.NewReader(`{"key":"guess","pipeline":"p"}`)
		r := httptest.NewRequest(http.MethodPost, "/webhooks/claim", body)
		r.RemoteAddr = addr
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		return rec.Code
	}

	refused := 0
	for range 2*claimsPerMinute + 1 { // twice, because a new minute may begin meanwhile
		if claimFrom("[2001:db8::1]:1") == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("got no claim refused, want some")
	}

	if got, want := claimFrom("[2001:db8::2]:1"), http.StatusTooManyRequests; got != want {
		t.Errorf("same network: got %d, want %d", got, want)
	}
	if got, want := claimFrom("192.0.2.1:1"), http.StatusNotFound; got != want {
		t.Errorf("another network: got %d, want %d", got, want)
	}
}
