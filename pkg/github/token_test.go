package github

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

// tokenRequests records the permissions that tokens are asked for.
type tokenRequests struct {
	mu    sync.Mutex
	asked []map[string]string
}

func (r *tokenRequests) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/access_tokens") {
			text, _ := io.ReadAll(req.Body)
			req.Body = io.NopCloser(bytes.NewReader(text))
			var body struct {
				Permissions map[string]string `json:"permissions"`
			}
			_ = json.Unmarshal(text, &body)
			r.mu.Lock()
			r.asked = append(r.asked, body.Permissions)
			r.mu.Unlock()
		}

		next.ServeHTTP(w, req)
	})
}

// Tokens of an installation have only the permissions that are needed, as far as the installation has them.
// One that it lacks makes no working installation a broken one, and is logged once.
func TestToken_IsNarrowed(t *testing.T) {
	needed := map[string]string{
		"deployments": "write",
		"metadata":    "read",
		"contents":    "read",
		"checks":      "read",
		"statuses":    "read",
		"members":     "read",
	}
	without := func(name string) map[string]string {
		some := maps.Clone(needed)
		delete(some, name)
		return some
	}
	with := func(name, level string) map[string]string {
		some := maps.Clone(needed)
		some[name] = level
		return some
	}

	for _, test := range []struct {
		name   string
		set    map[string]string // of the installation, beside the simulation's own; empty: removed
		wanted map[string]string
		asked  []map[string]string
		logged string
		writes deployment.WriteKind
	}{
		{name: "not narrowed", asked: []map[string]string{nil}, writes: deployment.WriteDone},
		{
			name:   "all granted",
			set:    map[string]string{"administration": "write"},
			wanted: needed,
			asked:  []map[string]string{needed},
			writes: deployment.WriteDone,
		},
		{
			name:   "one lacks",
			set:    map[string]string{"members": ""},
			wanted: needed,
			asked:  []map[string]string{needed, nil, without("members")},
			logged: `"permissions":["members: read"]`,
			writes: deployment.WriteDone,
		},
		{
			name:   "one is granted in part",
			set:    map[string]string{"deployments": "read"},
			wanted: needed,
			asked:  []map[string]string{needed, nil, with("deployments", "read")},
			logged: `"permissions":["deployments: write"]`,
			writes: deployment.WriteRetry,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			requests := &tokenRequests{}
			s, c, req := newAppSimulation(t, sim.Options{Wrap: requests.wrap})
			c.options.Permissions, c.options.Log = test.wanted, zerolog.New(&log)
			clock := &testClock{at: time.Now()}
			c.options.Now = clock.now
			for name, level := range test.set {
				s.SetPermission(name, level)
			}

			wantWrite(t, c, req, test.writes)
			if _, err := c.Checks(t.Context(), req.Repository, 0, policy.CheckQuery{SHA: sha}); err != nil {
				t.Errorf("checks: got error %v", err)
			}
			if diff := cmp.Diff(test.asked, requests.asked); diff != "" {
				t.Errorf("asked for permissions (-want +got):\n%s", diff)
			}

			if _, err := c.createToken(t.Context(), 4); err != nil {
				t.Errorf("another token: got error %v", err)
			}
			if got := strings.Count(log.String(), "\n"); got != strings.Count(test.logged, "[") {
				t.Errorf("got %d lines in the log:\n%s", got, log.String())
			}
			if !strings.Contains(log.String(), test.logged) {
				t.Errorf("got the log %s, want it to contain %s", log.String(), test.logged)
			}
		})
	}
}

// A permission with a name that would be left out of the request is an error.
func TestTokenOptions_UnknownName(t *testing.T) {
	if _, err := tokenOptions(map[string]string{"deployment": "write"}); err == nil {
		t.Error("got no error")
	}
}
