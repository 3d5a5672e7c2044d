package github

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

// wantPermission asks for a permission. wantError is a part of the error; "" means none.
func (s simulated) wantPermission(t *testing.T, id int64, login string, want policy.Permission, wantError string) {
	t.Helper()
	got, err := s.Permission(t.Context(), s.repo, s.installation, id, login)
	if got != want || (err == nil) != (wantError == "") || err != nil && !strings.Contains(err.Error(), wantError) {
		t.Errorf("%s: got %q (%v), want %q (%s)", login, got, err, want, wantError)
	}
}

func TestPermission_Roles(t *testing.T) {
	tests := []struct {
		role string // also what the custom role is based on
		want policy.Permission
	}{
		{role: "", want: policy.PermissionNone},
		{role: "read", want: policy.PermissionRead},
		{role: "triage", want: policy.PermissionTriage},
		{role: "write", want: policy.PermissionWrite},
		{role: "maintain", want: policy.PermissionMaintain},
		{role: "admin", want: policy.PermissionAdmin},
	}

	forEachCredential(t, func(t *testing.T, s simulated) {
		id := s.sim.AddUser("alice")
		for _, tt := range tests {
			t.Run("role "+tt.role, func(t *testing.T) {
				s.expireCache()
				s.sim.SetRole("acme/api", "alice", tt.role)
				s.wantPermission(t, id, "alice", tt.want, "")

				s.expireCache()
				s.sim.SetCustomRole("acme/api", "alice", "captain", tt.role)
				s.wantPermission(t, id, "alice", tt.want, "")
			})
		}
	})
}

// Another account may have taken a login. Its permission must not be taken for that of the account
// with the id, and the new login of that one must be found.
func TestPermission_TakenLogin(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		alice := s.sim.AddUser("alice")
		s.sim.SetRole("acme/api", "alice", "read")
		s.wantPerson(t, alice, "alice", nil)

		s.sim.RenameUser("alice", "alice-b")
		s.wantPermission(t, alice, "alice", "", "account alice was renamed to alice-b")
		s.wantPerson(t, alice, "alice-b", nil) // no longer cached

		s.sim.RenameUser("alice-b", "alice-c")
		s.sim.SetRole("acme/api", "alice-b", "admin") // another account
		s.wantPermission(t, alice, "alice-b", "", "login alice-b belongs to another account")
		s.wantPerson(t, alice, "alice-c", nil)
		s.wantPermission(t, alice, "alice-c", policy.PermissionRead, "")

		s.sim.RemoveUser("alice-c")
		s.expireCache()
		s.wantPermission(t, alice, "alice-c", policy.PermissionNone, "")

		s.sim.Hide("acme/api", true) // 404 for everything
		s.expireCache()
		s.wantPermission(t, alice, "alice-c", "", ErrRepositoryGone.Error())
	})
}

// Another repository may have taken a name. Permissions there do not count.
func TestPermission_TakenRepositoryName(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		mallory := s.sim.AddUser("mallory")
		s.sim.Rename("acme/api", "acme/service", false)
		s.sim.AddRepository("acme/api")
		s.sim.SetRole("acme/api", "mallory", "admin")
		s.wantPermission(t, mallory, "mallory", policy.PermissionNone, "")

		s.sim.SetRole("acme/service", "mallory", "triage")
		s.expireCache()
		s.wantPermission(t, mallory, "mallory", policy.PermissionTriage, "")
	})
}

func TestPermission_MayNotBeRead(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		id := s.sim.AddUser("alice")
		for range 2 { // the second time from the cache
			if err := s.sim.NextNamed(sim.OpCollaborator, "no-push", 1); err != nil {
				t.Fatal(err)
			}

			s.wantPermission(t, id, "alice", "", "Must have push access")
		}

		s.clock.advance(ttlError)
		s.wantPermission(t, id, "alice", "", "Must have push access")

		if s.app != nil {
			s.clock.advance(ttlError)
			s.sim.SetPermission("metadata", "")
			s.wantPermission(t, id, "alice", "", "needs metadata=read")
		}
	})
}

// A custom role may have any name, even that of a higher role.
func TestPermission_CustomRoleNames(t *testing.T) {
	const (
		noFlags  = `{"id":7}`
		triage   = `{"id":7,"permissions":{"triage":true}}`
		maintain = `{"id":7,"permissions":{"triage":true,"maintain":true}}`
	)

	tests := []struct {
		permission, role, user string
		want                   policy.Permission // empty: an error
	}{
		{permission: "admin", role: "admin", user: maintain, want: policy.PermissionAdmin},
		{permission: "admin", role: "", user: noFlags, want: policy.PermissionAdmin},
		{permission: "write", role: "maintain", user: noFlags, want: policy.PermissionMaintain},
		{permission: "write", role: "write", user: maintain, want: policy.PermissionWrite},
		{permission: "write", role: "admin", user: triage, want: policy.PermissionWrite},
		{permission: "write", role: "admin", user: maintain, want: policy.PermissionMaintain},
		{permission: "write", role: "", user: noFlags, want: policy.PermissionWrite},
		{permission: "read", role: "triage", user: noFlags, want: policy.PermissionTriage},
		{permission: "read", role: "read", user: maintain, want: policy.PermissionRead},
		{permission: "read", role: "admin", user: maintain, want: policy.PermissionTriage},
		{permission: "read", role: "write", user: noFlags, want: policy.PermissionRead},
		{permission: "none", role: "admin", user: maintain, want: policy.PermissionNone},
		{permission: "maintain", role: "maintain", user: maintain, want: ""},
		{permission: "", role: "admin", user: maintain, want: ""},
		{permission: "Admin", role: "admin", user: maintain, want: ""},

		// nobody, or another account
		{permission: "admin", role: "admin", user: "null", want: ""},
		{permission: "admin", role: "admin", user: `{}`, want: ""},
		{permission: "admin", role: "admin", user: `{"id":8}`, want: ""},
	}

	for _, tt := range tests {
		text := fmt.Sprintf(`{"permission":%q,"role_name":%q,"user":%s}`, tt.permission, tt.role, tt.user)
		t.Run(text, func(t *testing.T) {
			c := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
			got, err := c.Permission(t.Context(), request.Repository, 0, 7, "alice")
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

// Whatever GitHub sends, nobody gets more than the permission field grants.
func FuzzPermission(f *testing.F) {
	f.Add([]byte(`{"permission":"write","role_name":"admin","user":{"id":7,"permissions":{"maintain":true}}}`))
	f.Add([]byte(`{"permission":"none","user":null}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p permission
		if json.Unmarshal(raw, &p) != nil {
			return
		}

		got, err := p.level()
		allowed := map[string][]policy.Permission{
			"admin": {policy.PermissionAdmin},
			"write": {policy.PermissionWrite, policy.PermissionMaintain},
			"read":  {policy.PermissionRead, policy.PermissionTriage},
			"none":  {policy.PermissionNone},
		}[p.Permission]

		if (err == nil) != (allowed != nil) || err == nil && !slices.Contains(allowed, got) {
			t.Errorf("%+v: got %q (%v), want one of %q", p, got, err, allowed)
		}
	})
}
