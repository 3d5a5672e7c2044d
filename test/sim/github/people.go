package github

import (
	"net/http"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// AddUser makes a user, or a bot where the login ends in [bot], and returns its id. Whoever does
// something is made by it.
func (s *Server) AddUser(login string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account(login).ID
}

// RenameUser gives a user another login. The id and what hangs on it stay; the old login is free
// for somebody else (AddUser).
func (s *Server) RenameUser(login, newLogin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who := s.account(login)
	delete(s.accounts, strings.ToLower(login))
	who.Login = newLogin
	s.accounts[strings.ToLower(newLogin)] = who
	follow := func(a *wire.Account) {
		if a.ID == who.ID {
			*a = who
		}
	}

	for _, c := range s.credentials {
		follow(&c.account)
	}

	for _, d := range s.deployments {
		follow(&d.Creator)
		for i := range d.statuses {
			follow(&d.statuses[i].Creator)
		}
	}
}

// RemoveUser deletes an account, as when a person leaves GitHub.
func (s *Server) RemoveUser(login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accounts, strings.ToLower(login))
}

// known finds an account without making it.
func (s *Server) accountByLogin(login string) (wire.Account, bool) {
	a, ok := s.accounts[strings.ToLower(login)]
	return a, ok
}

func (s *Server) getUser(c *call) *response {
	if c.credential.app != nil {
		return errorResponse(http.StatusForbidden, "Resource not accessible by integration")
	}
	return ok(c.credential.account.Public(s.api(), s.web()))
}

func (s *Server) getAccount(c *call) *response {
	for _, a := range s.accounts {
		if a.ID == c.id("account") {
			return ok(a.Public(s.api(), s.web()))
		}
	}
	return notFound()
}

func (s *Server) getLogin(c *call) *response {
	a, found := s.accountByLogin(c.param("user"))
	if !found {
		return notFound()
	}
	return ok(a.Public(s.api(), s.web()))
}

// seat is one person in one repository.
type roleKey struct{ repository, account int64 }

// role is what somebody is there: one of five, or a custom one that stands on one of them.
type role struct{ name, base string }

// legacy is the older word for a role, in which maintain is write and triage is read.
var legacyPermissions = map[string]string{
	"admin":    "admin",
	"maintain": "write",
	"write":    "write",
	"triage":   "read",
	"read":     "read",
	"":         "none",
}

// SetRole sets what a user is in a repository: admin, maintain, write, triage or read. Without one,
// or with an empty one, it is none.
func (s *Server) SetRole(repo, login, name string) { s.SetCustomRole(repo, login, name, name) }

// SetCustomRole gives a user a role of the organization's own making, which stands on one of the
// five.
func (s *Server) SetCustomRole(repo, login, name, base string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[roleKey{s.mustRepository(repo).ID, s.account(login).ID}] = role{name, base}
}

func (s *Server) collaborator(c *call) *response {
	who, found := s.accountByLogin(c.param("user"))
	if !found {
		return errorResponse(http.StatusNotFound, c.param("user")+" is not a user")
	}

	has := s.roles[roleKey{c.repo.ID, who.ID}]
	name := has.name
	if name == "" {
		name = "none"
	}

	user := who.JSON(s.api(), s.web())
	user["role_name"], user["permissions"] = name, permissionsOf(has.base)
	return ok(wire.Object{"permission": legacyPermissions[has.base], "role_name": name, "user": user})
}

// booleans are what a role may do: all that lesser roles may, too.
func permissionsOf(base string) wire.Object {
	may, all := wire.Object{}, []string{"read", "triage", "write", "maintain", "admin"}
	fields := map[string]string{
		"read":     "pull",
		"triage":   "triage",
		"write":    "push",
		"maintain": "maintain",
		"admin":    "admin",
	}

	left := base != ""
	for _, name := range all {
		may[fields[name]] = left
		left = left && name != base
	}

	return may
}
