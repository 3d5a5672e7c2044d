package github

import (
	"net/http"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// AddUser adds a user, or a bot when the login ends in [bot], and returns the id. Accounts that do
// something are added without it.
func (s *Server) AddUser(login string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account(login).ID
}

// AddUserWithID adds a user with an id of the caller's choice.
func (s *Server) AddUserWithID(login string, id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[strings.ToLower(login)] = wire.Account{ID: id, Login: login, Type: "User"}
}

// RenameUser gives a user another login. The id, roles, memberships and deployments stay. AddUser
// can give the old login to somebody else.
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

// RemoveUser deletes an account.
func (s *Server) RemoveUser(login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accounts, strings.ToLower(login))
}

// accountByLogin returns an existing account.
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

// roleKey is one account in one repository.
type roleKey struct{ repository, account int64 }

// role is the role of an account in a repository: one of the five, or a custom role based on one of
// them.
type role struct{ name, base string }

// legacyPermissions are the values of the older field permission, where maintain is write and
// triage is read.
var legacyPermissions = map[string]string{
	"admin":    "admin",
	"maintain": "write",
	"write":    "write",
	"triage":   "read",
	"read":     "read",
	"":         "none",
}

// SetRole sets a user's role in a repository: admin, maintain, write, triage or read. An empty name
// removes it.
func (s *Server) SetRole(repo, login, name string) { s.SetCustomRole(repo, login, name, name) }

// SetCustomRole gives a user a custom role of the organization, based on one of the five.
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

// permissionsOf returns the permissions of a role: its own and those of all lesser roles.
func permissionsOf(base string) wire.Object {
	permissions, roles := wire.Object{}, []string{"read", "triage", "write", "maintain", "admin"}
	fields := map[string]string{
		"read":     "pull",
		"triage":   "triage",
		"write":    "push",
		"maintain": "maintain",
		"admin":    "admin",
	}

	allowed := base != ""
	for _, name := range roles {
		permissions[fields[name]] = allowed
		allowed = allowed && name != base
	}

	return permissions
}
