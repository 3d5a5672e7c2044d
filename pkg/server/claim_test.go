package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestClaim(t *testing.T) {
	b := newBench(t)
	steps := []struct {
		body   string
		broken error
		code   int
	}{
		{`{"key":"free","pipeline":"p-1"}`, errBroken, 503},
		{`{"key":"free","pipeline":"p-1"}`, nil, 200},
		{`{"key":"free","pipeline":"p-1"}`, nil, 200}, // the pipeline's next job
		{`{"key":"free","pipeline":"p-2"}`, nil, 409},
		{`{"key":"guess","pipeline":"p-2"}`, nil, 404},
		{`{"key":"free","pipeline":"../p"}`, nil, 400},
		{`{"key":"","pipeline":"p-1"}`, nil, 400},
		{`{"key":1}`, nil, 400},
		{`null`, nil, 400},
		{`{"key":"` + strings.Repeat("k", maxClaim) + `"}`, nil, 413},
	}

	for i, s := range steps {
		b.world.broken = s.broken
		if got := b.ask(t, http.MethodPost, "/webhooks/claim", strings.NewReader(s.body)); got.code != s.code {
			t.Errorf("step %d: got %d %s, want %d", i, got.code, got.body, s.code)
		}
	}
}

func TestClaimRate(t *testing.T) {
	h := newBench(t).server.Handler()
	ask := func(addr string) int {
		r := httptest.NewRequest(
			http.MethodPost,
			"/webhooks/claim",
			strings.NewReader(`{"key":"guess","pipeline":"p"}`),
		)

		r.RemoteAddr = addr
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)

		return rec.Code
	}

	refused := 0
	for range 2*claimsPerMinute + 1 { // twice: the minute may turn meanwhile
		if ask("[2001:db8::1]:1") == http.StatusTooManyRequests {
			refused++
		}
	}

	if refused == 0 {
		t.Error("no claim was refused")
	}
	if code := ask("[2001:db8::2]:1"); code != http.StatusTooManyRequests {
		t.Errorf("the same network: got %d", code)
	}
	if code := ask("192.0.2.1:1"); code != http.StatusNotFound {
		t.Errorf("another network: got %d", code)
	}
}
