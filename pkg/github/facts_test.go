package github

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

// A failed read is an error and never a fact. It is not repeated at once; when the error has expired it is
// repeated, and a limit without a header has then lasted a minute.
func TestFacts_FailedReadIsAnError(t *testing.T) {
	faults := []string{
		"primary-403",
		"primary-429",
		"secondary-403-bare",
		"secondary-429",
		"forbidden",
		"server-error",
		"half-answer",
	}

	forEachCredential(t, func(t *testing.T, s simulated) {
		id := s.sim.AddUser("alice")
		s.sim.SetRole("acme/api", "alice", "write")
		s.sim.SetTeamMember("acme", "sre", "alice", "active")
		base, head := sim.Commit("acme/api", "main"), s.sim.Push("acme/api", "main", "")

		for _, read := range factReads(s, id, base, head) {
			for _, fault := range faults {
				t.Run(read.operation+", "+fault, func(t *testing.T) {
					s.expireCache()
					if err := s.sim.NextNamed(read.operation, fault, 1); err != nil {
						t.Fatal(err)
					}

					if err := read.do(t); err == nil {
						t.Error("failed read: got no error")
					}
					if err := read.do(t); err == nil {
						t.Error("at once: got no error, want the cached one")
					}

					wait := ttlError
					if fault == "secondary-403-bare" {
						wait = defaultLimitWait
					}

					s.clock.advance(wait)
					if err := read.do(t); err != nil {
						t.Errorf("later: got error %v", err)
					}
				})
			}
		}
	})
}

// factRead is one way to make an operation of GitHub's API.
type factRead struct {
	operation string
	do        func(*testing.T) error
}

func factReads(s simulated, id int64, base, head string) []factRead {
	checks := func(t *testing.T) error {
		_, err := s.Checks(t.Context(), s.repo, s.installation, policy.CheckQuery{SHA: head})
		return err
	}
	required := func(t *testing.T) error {
		_, err := s.RequiredChecks(t.Context(), s.repo, s.installation, "main")
		return err
	}

	return []factRead{
		{operation: sim.OpGetAccount, do: func(t *testing.T) error {
			_, err := s.Person(t.Context(), id, s.repo, s.installation)
			return err
		}},
		{operation: sim.OpGetLogin, do: func(t *testing.T) error {
			_, err := s.PersonByLogin(t.Context(), "alice", s.repo, s.installation)
			return err
		}},
		{operation: sim.OpCollaborator, do: func(t *testing.T) error {
			_, err := s.Permission(t.Context(), s.repo, s.installation, id, "alice")
			return err
		}},
		{operation: sim.OpTeamMembership, do: func(t *testing.T) error {
			_, err := s.TeamMember(t.Context(), "acme", "sre", "alice", s.repo, s.installation)
			return err
		}},
		{operation: sim.OpCompare, do: func(t *testing.T) error {
			_, err := s.Compare(t.Context(), s.repo, s.installation, base, head)
			return err
		}},
		{operation: sim.OpCombinedStatus, do: checks},
		{operation: sim.OpCheckRuns, do: checks},
		{operation: sim.OpGetRepository, do: required},
		{operation: sim.OpGetBranch, do: required},
		{operation: sim.OpBranchRules, do: required},
	}
}

// A question through the API may be about a repository whose id is not known.
func TestFacts_RepositoryByName(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		s.repo.ID = 0
		id := s.sim.AddUser("alice")
		s.sim.SetRole("acme/api", "alice", "write")
		s.sim.SetRequiredChecks("acme/api", "main", "test")
		s.wantPermission(t, id, "alice", policy.PermissionWrite, "")
		s.wantRequired(t, "v1", "test")

		s.sim.RemoveUser("alice")
		s.expireCache()
		s.wantPermission(t, id, "alice", policy.PermissionNone, "")
	})
}

// A response that holds nothing, or is about another account, is no fact about people.
func TestFacts_ResponseAboutNobodyIsAnError(t *testing.T) {
	texts := []string{
		"",
		"null",
		"{}",
		"[",
		"<html>",
		`{"id":8,"login":"bob"}`,
		`{"id":7,"login":""}`,
		`{"id":7,"login":"../x"}`,
		`{"state":"owner"}`,
		`{"slug":"x"}`,
	}

	for _, text := range texts {
		t.Run(text, func(t *testing.T) {
			c := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
			if login, err := c.Person(t.Context(), 7, request.Repository, 0); err == nil {
				t.Errorf("person: got %q, want an error", login)
			}
			if actor, err := c.PersonByLogin(t.Context(), "alice", request.Repository, 0); err == nil {
				t.Errorf("person by login: got %v, want an error", actor)
			}
			if level, err := c.Permission(t.Context(), request.Repository, 0, 7, "alice"); err == nil {
				t.Errorf("permission: got %s, want an error", level)
			}
			if member, err := c.TeamMember(t.Context(), "acme", "sre", "alice", request.Repository, 0); err == nil {
				t.Errorf("team member: got %t, want an error", member)
			}
		})
	}
}

// Names that would change the path of a call are rejected before a call is made.
func TestFacts_InvalidNameIsNotSent(t *testing.T) {
	c := newClientWith(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("got a call to %s", r.URL) })
	good, goodSHA := request.Repository, strings.Repeat("a", 40)
	names := []string{"", ".", "..", "a/b", "a?b", "a b", "a%2fb", "ä", "a\n", "[bot]", "a[bot]x"}
	for _, bad := range names {
		t.Run(bad, func(t *testing.T) {
			badRepository := good
			badRepository.Name = bad

			_, byLogin := c.PersonByLogin(t.Context(), bad, good, 0)
			_, permission := c.Permission(t.Context(), good, 0, 7, bad)
			_, org := c.TeamMember(t.Context(), bad, "sre", "alice", good, 0)
			_, team := c.TeamMember(t.Context(), "acme", bad, "alice", good, 0)
			_, login := c.TeamMember(t.Context(), "acme", "sre", bad, good, 0)
			_, checks := c.Checks(t.Context(), good, 0, policy.CheckQuery{SHA: bad})
			_, base := c.Compare(t.Context(), good, 0, bad, goodSHA)
			_, head := c.Compare(t.Context(), good, 0, goodSHA, bad)
			_, repository := c.Permission(t.Context(), badRepository, 0, 7, "alice")

			errs := map[string]error{
				"person by login":    byLogin,
				"permission":         permission,
				"organization":       org,
				"team":               team,
				"member":             login,
				"checks":             checks,
				"base of comparison": base,
				"head of comparison": head,
				"name of repository": repository,
			}
			for name, err := range errs {
				t.Run(name, func(t *testing.T) {
					if err == nil {
						t.Error("got no error")
					}
				})
			}
		})
	}
}
