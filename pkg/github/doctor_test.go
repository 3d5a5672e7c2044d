package github

import (
	"io"
	"net/http"
	"strings"
	"testing"

	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestIdentity(t *testing.T) {
	user := Identity{Kind: "user", Login: "seraph-bot"} // its id is the simulator's
	app := Identity{Kind: "app", Login: "seraph[bot]", AppSlug: "seraph"}
	tests := []struct {
		name, basePath string
		app            bool
		want           Identity
		wantText       string
	}{
		{name: "token", basePath: "", want: user, wantText: "user seraph-bot"},
		{name: "token, enterprise", basePath: "/api/v3", want: user, wantText: "user seraph-bot"},
		{name: "app", basePath: "", app: true, want: app, wantText: "GitHub App seraph"},
		{name: "app, enterprise", basePath: "/api/v3", app: true, want: app, wantText: "GitHub App seraph"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simOptions := sim.Options{BasePath: tt.basePath}
			var c *Client
			if tt.app {
				_, c, _ = newAppSimulation(t, simOptions)
			} else {
				_, o, _ := newSimulation(t, simOptions)
				c = newClient(t, o)
			}

			got, err := c.Identity(t.Context())
			if (got.ID != 0) == tt.app {
				t.Errorf("got id %d, want one of a user only", got.ID)
			}

			got.ID = 0
			if err != nil || got != tt.want || got.String() != tt.wantText {
				t.Errorf("got %+v, %q (%v), want %+v, %q", got, got.String(), err, tt.want, tt.wantText)
			}
		})
	}
}

func TestCheckRepository_Token(t *testing.T) {
	for _, basePath := range []string{"", "/api/v3"} {
		t.Run("GitHub at "+basePath, func(t *testing.T) {
			_, o, _ := newSimulation(t, sim.Options{BasePath: basePath})
			c := newClient(t, o)
			wantRepositoryCheck(t, c, "api", "")
			wantRepositoryCheck(t, c, "nothing", "404")
		})
	}

	t.Run("user without write access", func(t *testing.T) {
		c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/deployments") {
				_, _ = io.WriteString(w, `[]`)
				return
			}

			_, _ = io.WriteString(w, `{"id":7,"full_name":"acme/api","permissions":{"pull":true,"push":false}}`)
		})

		wantRepositoryCheck(t, c, "api", "write access")
	})
}

func TestCheckRepository_App(t *testing.T) {
	s, c, _ := newAppSimulation(t, sim.Options{})
	wantRepositoryCheck(t, c, "api", "")

	tests := []struct {
		name, permission, want string
	}{
		{name: "may only read", permission: "read", want: `Deployments is "read"`},
		{name: "no permission", permission: "", want: "needs deployments=read"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.SetPermission("deployments", tt.permission)
			wantRepositoryCheck(t, c, "api", tt.want)
		})
	}

	t.Run("not installed", func(t *testing.T) {
		s.AddRepository("acme/other")
		s.Uninstall("acme/other")
		wantRepositoryCheck(t, c, "other", "install the GitHub App")
	})
}

// wantRepositoryCheck checks a repository of acme. want is a part of the error; "" means none.
func wantRepositoryCheck(t *testing.T, c *Client, name, want string) {
	t.Helper()
	err := c.CheckRepository(t.Context(), "acme", name)
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("check acme/%s: got error %v, want %q", name, err, want)
	}
}

func TestHookRanges(t *testing.T) {
	s, o, _ := newSimulation(t, sim.Options{})
	c := newClient(t, o)
	s.SetHookSources("192.0.2.1/24", "2001:db8::/32")
	got, err := c.HookRanges(t.Context())
	if err != nil || len(got) != 2 || got[0].String() != "192.0.2.0/24" {
		t.Errorf("got %v (%v), want 192.0.2.0/24 and 2001:db8::/32", got, err)
	}

	// Without ranges GitHub would be locked out.
	for _, bad := range [][]string{{}, {"nonsense"}} {
		s.SetHookSources(bad...)
		if got, err := c.HookRanges(t.Context()); err == nil {
			t.Errorf("ranges %q: got %v, want an error", bad, got)
		}
	}
}
