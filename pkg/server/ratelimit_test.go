package server

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Each call that asks GitHub counts against the limit of its token, and no other call does.
func TestLimitGitHub(t *testing.T) {
	gate := "GET /gate?repository=acme/api&environment=production&sha=" + testSHA
	for _, test := range []struct {
		name  string
		token string
		call  string
		body  string
		other string
		free  bool // it asks GitHub nothing
	}{
		{name: "gate", token: readToken, other: adminToken, call: gate},
		{name: "explain", token: readToken, other: adminToken, call: "GET /deployments/42/explain"},
		{name: "approve", token: deployToken, other: adminToken, call: "POST /deployments/42/approve", body: `{}`},
		{name: "cancel", token: deployToken, other: adminToken, call: "POST /deployments/42/cancel", body: `{}`},
		{name: "force", token: adminToken, other: deployToken, call: "POST /deployments/42/force", body: `{"reason":"x"}`},
		{
			name:  "lock",
			token: deployToken,
			other: adminToken,
			call:  "POST /locks",
			body:  `{"repository":"acme/api","environment":"production","reason":"x"}`,
		},
		{name: "release", token: deployToken, other: adminToken, call: "POST /locks/3/release", body: `{}`},
		{name: "a deployment", token: readToken, call: "GET /deployments/42", free: true},
		{name: "locks", token: readToken, call: "GET /locks", free: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var seconds, counted atomic.Int64
			s := newTestServer(t, func(o *Options) {
				o.Now = func() time.Time { return time.Unix(seconds.Load(), 0) }
				o.ObserveRefused = func(code string) {
					if code == "too_many_requests" {
						counted.Add(1)
					}
				}
			})

			method, path, _ := strings.Cut(test.call, " ")
			ask := func(token string) response { return s.api(t, token, method, path, test.body) }

			for range githubBurst {
				if got := ask(test.token).code; got == http.StatusTooManyRequests {
					t.Fatal("got 429 within the burst")
				}
			}

			resp := ask(test.token)
			if limited := resp.code == http.StatusTooManyRequests; limited == test.free {
				t.Fatalf("after the burst: got %d", resp.code)
			}
			if test.free {
				return
			}
			if got := resp.header.Get("Retry-After"); got == "" {
				t.Error("got no Retry-After")
			}
			if got := counted.Load(); got != 1 {
				t.Errorf("got %d refusals counted, want 1", got)
			}

			if got := ask(test.other).code; got == http.StatusTooManyRequests {
				t.Error("another token: got 429")
			}

			seconds.Add(60)
			for range githubPerMinute {
				if got := ask(test.token).code; got == http.StatusTooManyRequests {
					t.Fatal("a minute later: got 429")
				}
			}
			if got := ask(test.token).code; got != http.StatusTooManyRequests {
				t.Errorf("a minute later, after %d requests: got %d, want 429", githubPerMinute, got)
			}
		})
	}
}
