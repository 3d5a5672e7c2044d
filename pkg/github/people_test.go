package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

// factClient is a client in a simulated GitHub that GitHub's own description watches over, with a clock
// that a test turns.
type factClient struct {
	*Client
	sim          *sim.Server
	clock        *testClock
	repo         deployment.Repository
	installation int64
}

// later forgets all answers by letting time pass.
func (a factClient) later() { a.clock.advance(ttlComparison) }

// forEachFactClient runs a test as a token's user, as an App that knows its installation, and as one that
// looks it up.
func forEachFactClient(t *testing.T, test func(*testing.T, factClient)) {
	for name, installation := range map[string]int64{"token": -1, "app": 4, "app, looked up": 0} {
		t.Run(name, func(t *testing.T) {
			a := factClient{clock: &testClock{at: time.Now()}, installation: max(0, installation)}
			o := sim.Options{Wrap: func(next http.Handler) http.Handler {
				return shapes.Check(next, func(violation string) { a.sim.Report(violation) })
			}}
			var req deployment.Request
			if installation < 0 {
				var options Options
				a.sim, options, req = newSimulation(t, o)
				a.Client = newClient(t, options)
			} else {
				a.sim, a.Client, req = newAppSimulation(t, o)
			}

			a.repo, a.options.Now = req.Repository, a.clock.now
			test(t, a)
		})
	}
}

func (a factClient) wantPerson(t *testing.T, id int64, login string, want error) {
	t.Helper()
	if got, err := a.Person(t.Context(), id, a.repo, a.installation); got != login || !errors.Is(err, want) {
		t.Errorf("account %d is %q (%v), want %q (%v)", id, got, err, login, want)
	}
}

func TestPeopleAreFoundByID(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		id := a.sim.AddUser("alice")
		a.wantPerson(t, id, "alice", nil)
		a.sim.RenameUser("alice", "alice-b")
		a.wantPerson(t, id, "alice", nil) // for a minute
		a.later()
		a.wantPerson(t, id, "alice-b", nil)
		a.sim.RemoveUser("alice-b")
		a.later()
		a.wantPerson(t, id, "", ErrNoPerson)
		a.wantPerson(t, 0, "", ErrNoPerson)
		if n := a.sim.Calls()[sim.OpGetAccount]; n != 3 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestPeopleByLogin(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		id, bot := a.sim.AddUser("alice"), a.sim.AddUser("hubot[bot]")
		for login, want := range map[string]deployment.Actor{
			"Alice": {
				ID:    id,
				Login: "alice",
			}, "hubot[bot]": {
				ID:    bot,
				Login: "hubot[bot]",
				App:   "hubot",
			}, "nobody": {}, "acme": {},
		} {
			got, err := a.PersonByLogin(t.Context(), login, a.repo, a.installation)
			if got != want || errors.Is(err, ErrNoPerson) != (want.ID == 0) {
				t.Errorf("%s: %+v %v", login, got, err)
			}
		}
	})
}

func (a factClient) wantPermission(t *testing.T, id int64, login string, want policy.Permission, problem string) {
	t.Helper()
	got, err := a.Permission(t.Context(), a.repo, a.installation, id, login)
	if got != want || (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
		t.Errorf("%s: %q %v, want %q %s", login, got, err, want, problem)
	}
}

func TestPermission(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		id := a.sim.AddUser("alice")
		for role, want := range map[string]policy.Permission{
			"": policy.PermissionNone, "read": policy.PermissionRead, "triage": policy.PermissionTriage, "write": policy.PermissionWrite,
			"maintain": policy.PermissionMaintain, "admin": policy.PermissionAdmin,
		} {
			a.later()
			a.sim.SetRole("acme/api", "alice", role)
			a.wantPermission(t, id, "alice", want, "")
			a.later()
			a.sim.SetCustomRole("acme/api", "alice", "captain", role)
			a.wantPermission(t, id, "alice", want, "")
		}
	})
}

// A login that is somebody else's by now must not lend that person's rights, nor take ours away for
// good.
func TestALoginThatMoved(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		alice := a.sim.AddUser("alice")
		a.sim.SetRole("acme/api", "alice", "read")
		a.wantPerson(t, alice, "alice", nil)
		a.sim.RenameUser("alice", "alice-b")
		a.wantPermission(t, alice, "alice", "", "account alice was renamed to alice-b")
		a.wantPerson(t, alice, "alice-b", nil) // the old answer is forgotten
		a.sim.RenameUser("alice-b", "alice-c")
		a.sim.SetRole("acme/api", "alice-b", "admin") // a stranger
		a.wantPermission(t, alice, "alice-b", "", "belongs to another account")
		a.wantPerson(t, alice, "alice-c", nil)
		a.wantPermission(t, alice, "alice-c", policy.PermissionRead, "")
		a.sim.RemoveUser("alice-c")
		a.later()
		a.wantPermission(t, alice, "alice-c", policy.PermissionNone, "")
		a.sim.Hide("acme/api", true) // 404 for everything
		a.later()
		a.wantPermission(t, alice, "alice-c", "", ErrRepositoryGone.Error())
	})
}

// The same for a repository: whoever took its old name has no say in it.
func TestPermissionIsOfTheRepositoryNotItsName(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		mallory := a.sim.AddUser("mallory")
		a.sim.Rename("acme/api", "acme/service", false)
		a.sim.AddRepository("acme/api")
		a.sim.SetRole("acme/api", "mallory", "admin")
		a.wantPermission(t, mallory, "mallory", policy.PermissionNone, "")
		a.sim.SetRole("acme/service", "mallory", "triage")
		a.later()
		a.wantPermission(t, mallory, "mallory", policy.PermissionTriage, "")
	})
}

// A question from outside may be about a repository whose id nobody has told us.
func TestFactsByName(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		a.repo.ID = 0
		id := a.sim.AddUser("alice")
		a.sim.SetRole("acme/api", "alice", "write")
		a.sim.SetRequiredChecks("acme/api", "main", "test")
		a.wantPermission(t, id, "alice", policy.PermissionWrite, "")
		a.wantRequired(t, "v1", "test")
		a.sim.RemoveUser("alice")
		a.later()
		a.wantPermission(t, id, "alice", policy.PermissionNone, "")
	})
}

func TestPermissionThatMayNotBeAsked(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		id := a.sim.AddUser("alice")
		for range 2 { // the second time from memory
			if err := a.sim.NextNamed(sim.OpCollaborator, "no-push", 1); err != nil {
				t.Fatal(err)
			}

			a.wantPermission(t, id, "alice", "", "Must have push access")
		}

		a.clock.advance(ttlError)
		a.wantPermission(t, id, "alice", "", "Must have push access")
		if a.app != nil {
			a.clock.advance(ttlError)
			a.sim.SetPermission("metadata", "")
			a.wantPermission(t, id, "alice", "", "needs metadata=read")
		}
	})
}

// What a role amounts to. A custom role may be called anything, even by the name of a greater one.
func TestRolesAgreeWithTheOlderWord(t *testing.T) {
	const nothing, some, all = `{"id":7}`, `{"id":7,"permissions":{"triage":true}}`, `{"id":7,"permissions":{"triage":true,"maintain":true}}`
	for _, c := range []struct {
		permission, role, user string
		want                   policy.Permission // empty: an error
	}{
		{"admin", "admin", all, policy.PermissionAdmin}, {"admin", "", nothing, policy.PermissionAdmin},
		{"write", "maintain", nothing, policy.PermissionMaintain}, {"write", "write", all, policy.PermissionWrite},
		{"write", "admin", some, policy.PermissionWrite}, {"write", "admin", all, policy.PermissionMaintain}, {"write", "", nothing, policy.PermissionWrite},
		{"read", "triage", nothing, policy.PermissionTriage}, {"read", "read", all, policy.PermissionRead},
		{"read", "admin", all, policy.PermissionTriage}, {"read", "write", nothing, policy.PermissionRead}, {"none", "admin", all, policy.PermissionNone},
		{"maintain", "maintain", all, ""}, {"", "admin", all, ""}, {"Admin", "admin", all, ""},
		// nobody, or somebody else
		{"admin", "admin", "null", ""}, {"admin", "admin", `{}`, ""}, {"admin", "admin", `{"id":8}`, ""},
	} {
		text := fmt.Sprintf(`{"permission":%q,"role_name":%q,"user":%s}`, c.permission, c.role, c.user)
		client := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
		if got, err := client.Permission(t.Context(), request.Repository, 0, 7, "alice"); got != c.want ||
			(err == nil) != (c.want != "") {
			t.Errorf("%s: %q %v, want %q", text, got, err, c.want)
		}
	}
}

// An answer that says nothing, or is about somebody else, is no fact about people either.
func TestAnswersAboutNobody(t *testing.T) {
	for _, text := range []string{
		"", "null", "{}", "[", "<html>", `{"id":8,"login":"bob"}`, `{"id":7,"login":""}`, `{"id":7,"login":"../x"}`, `{"state":"owner"}`, `{"slug":"x"}`,
	} {
		c := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
		_, byID := c.Person(t.Context(), 7, request.Repository, 0)
		_, byLogin := c.PersonByLogin(t.Context(), "alice", request.Repository, 0)
		_, permission := c.Permission(t.Context(), request.Repository, 0, 7, "alice")
		_, member := c.TeamMember(t.Context(), "acme", "sre", "alice", request.Repository, 0)
		for i, err := range []error{byID, byLogin, permission, member} {
			if err == nil {
				t.Errorf("%q: taken by %d", text, i)
			}
		}
	}
}

// Names that would bend a path never leave the house.
func TestNamesDoNotBendPaths(t *testing.T) {
	c := newClientWith(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was asked", r.URL) })
	good, sha := request.Repository, strings.Repeat("a", 40)
	for _, bad := range []string{"", ".", "..", "a/b", "a?b", "a b", "a%2fb", "ä", "a\n", "[bot]", "a[bot]x"} {
		_, byLogin := c.PersonByLogin(t.Context(), bad, good, 0)
		_, permission := c.Permission(t.Context(), good, 0, 7, bad)
		_, org := c.TeamMember(t.Context(), bad, "sre", "alice", good, 0)
		_, team := c.TeamMember(t.Context(), "acme", bad, "alice", good, 0)
		_, login := c.TeamMember(t.Context(), "acme", "sre", bad, good, 0)
		_, checks := c.Checks(t.Context(), good, 0, bad)
		_, base := c.Compare(t.Context(), good, 0, bad, sha)
		_, head := c.Compare(t.Context(), good, 0, sha, bad)
		named := good
		named.Name = bad
		_, of := c.Permission(t.Context(), named, 0, 7, "alice")
		for i, err := range []error{byLogin, permission, org, team, login, checks, base, head, of} {
			if err == nil {
				t.Errorf("%q: taken by %d", bad, i)
			}
		}
	}
}

// However GitHub answers, nobody gets more than the older word grants.
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
		most := map[string][]policy.Permission{
			"admin": {policy.PermissionAdmin}, "write": {policy.PermissionWrite, policy.PermissionMaintain},
			"read": {policy.PermissionRead, policy.PermissionTriage}, "none": {policy.PermissionNone},
		}[p.Permission]

		if (err == nil) != (most != nil) || err == nil && !slices.Contains(most, got) {
			t.Errorf("%+v: %q %v", p, got, err)
		}
	})
}
