package server

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
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
		{name: "approve hold", token: deployToken, other: adminToken, call: "POST /deployments/42/approve-hold", body: `{}`},
		{
			name:  "order",
			token: deployToken,
			other: adminToken,
			call:  "POST /deployments",
			body:  `{"repository":"acme/api","environment":"production","ref":"main"}`,
		},
		{
			name:  "rollback",
			token: deployToken,
			other: adminToken,
			call:  "POST /rollbacks",
			body:  `{"repository":"acme/api","environment":"production"}`,
		},
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

// actorField is the actor field of a request for somebody.
func actorField(id int) string { return fmt.Sprintf(`"actor":{"id":%d,"login":"p%d"}`, id, id) }

// One person who asks too much is refused, and keeps neither other people nor the bot itself from asking.
// Everybody together has what the token has.
func TestLimitGitHub_Persons(t *testing.T) {
	for _, test := range []struct {
		name string
		path string
		body string
	}{
		{name: "line", path: "/commands", body: `"text":"why #42","request":"m1"`},
		{name: "order", path: "/deployments", body: `"repository":"acme/api","environment":"production","ref":"main"`},
		{name: "command", path: "/deployments/42/approve", body: `"comment":"x"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var seconds atomic.Int64
			s := newTestServer(t, func(o *Options) {
				o.Now = func() time.Time { return time.Unix(seconds.Load(), 0) }
			})
			ask := func(id int) int {
				return s.api(t, behalfToken, "POST", test.path, "{"+actorField(id)+","+test.body+"}").code
			}

			for range command.PersonBurst {
				if got := ask(1); got >= 400 {
					t.Fatalf("got %d within a person's burst", got)
				}
			}
			for range githubBurst {
				if got := ask(1); got != http.StatusTooManyRequests {
					t.Fatalf("after a person's burst: got %d, want 429", got)
				}
			}

			explain := s.api(t, behalfToken, "GET", "/deployments/42/explain", "").code
			if other := ask(2); other >= 400 || explain >= 400 {
				t.Errorf("got %d for another person and %d for the token itself", other, explain)
			}

			for id := 3; id < 3+githubBurst-command.PersonBurst-2; id++ {
				if got := ask(id); got >= 400 {
					t.Fatalf("got %d within the token's burst", got)
				}
			}
			if got := ask(1000); got != http.StatusTooManyRequests {
				t.Errorf("after the token's burst: got %d, want 429", got)
			}

			seconds.Add(60)
			for range command.PersonPerMinute {
				if got := ask(1); got >= 400 {
					t.Fatalf("a minute later: got %d", got)
				}
			}
			if got := ask(1); got != http.StatusTooManyRequests {
				t.Errorf("a minute later, after %d requests: got %d, want 429", command.PersonPerMinute, got)
			}
		})
	}
}

// A line that asks GitHub nothing is answered whatever else was asked.
func TestLimitGitHub_FreeLines(t *testing.T) {
	s := newTestServer(t, func(o *Options) {
		o.Now = func() time.Time { return time.Unix(0, 0) }
	})
	ask := func(text string) int {
		body := fmt.Sprintf(`{%s,"text":%q,"request":"m1"}`, actorField(1), text)
		return s.api(t, behalfToken, "POST", "/commands", body).code
	}

	for range githubBurst + 1 {
		if got := ask("status"); got != http.StatusOK {
			t.Fatalf("got %d for a line that asks nothing", got)
		}
	}
	for range command.PersonBurst {
		if got := ask("deploy api"); got != http.StatusOK {
			t.Fatalf("got %d within a person's burst", got)
		}
	}
	if got := ask("deploy api"); got != http.StatusTooManyRequests {
		t.Errorf("after a person's burst: got %d, want 429", got)
	}
	if got := ask("status"); got != http.StatusOK {
		t.Errorf("after a person's burst: got %d for a line that asks nothing", got)
	}
}

// A ref that is not there costs more calls at GitHub, and counts as more requests.
func TestLimitGitHub_UnknownRef(t *testing.T) {
	unknown := &command.Error{Kind: command.KindInvalid, Code: codeUnknownRef, Message: "no branch"}
	order := `"repository":"acme/api","environment":"production","ref":"deadbee1"`
	for _, test := range []struct {
		name  string
		token string
		path  string
		body  string
		burst int
	}{
		{
			name:  "line",
			token: behalfToken,
			path:  "/commands",
			body:  actorField(1) + `,"text":"deploy api@deadbee1","request":"m1"`,
			burst: command.PersonBurst,
		},
		{
			name:  "order of a person",
			token: behalfToken,
			path:  "/deployments",
			body:  actorField(1) + "," + order,
			burst: command.PersonBurst,
		},
		{name: "order of a token", token: deployToken, path: "/deployments", body: order, burst: githubBurst},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestServer(t, func(o *Options) {
				o.Now = func() time.Time { return time.Unix(0, 0) }
			})
			s.commands.refused = unknown
			if test.path != "/commands" {
				s.commands.err = unknown
			}

			answered := 0
			for s.api(t, test.token, "POST", test.path, "{"+test.body+"}").code != http.StatusTooManyRequests {
				answered++
			}
			if want := (test.burst + unknownRefCost) / (1 + unknownRefCost); answered != want {
				t.Errorf("got %d answers at once, want %d", answered, want)
			}
		})
	}
}
