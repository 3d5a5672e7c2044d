package github

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// App is a GitHub App that is installed once, on all repositories.
type App struct {
	ID             int64
	Slug           string
	InstallationID int64
	// JSON web tokens are verified with one of the two, as PEM.
	PrivateKey []byte
	PublicKey  []byte
}

// installation is one installation of the app.
type installation struct {
	id          int64
	permissions map[string]string
}

func defaultPermissions() map[string]string {
	return map[string]string{
		"metadata":    "read",
		"deployments": "write",
		"contents":    "read",
		"statuses":    "read",
		"checks":      "read",
		"members":     "read",
	}
}

// credential is the account and the permissions of one token.
type credential struct {
	account     wire.Account
	app         *wire.App         // set for installation tokens and JSON web tokens
	install     int64             // set for installation tokens
	permissions map[string]string // nil: everything
	asked       map[string]string // permissions that an installation token was created with; nil: all
	expires     time.Time         // zero: never
	isJWT       bool
}

// identity is the name under which the rate limits count calls.
func (c *credential) identity() string { return c.account.Login }

// AddToken adds a personal access token of login. Permissions are those of a fine-grained token,
// such as {"deployments": "write"}; nil allows everything.
func (s *Server) AddToken(token, login string, permissions map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credentials[token] = &credential{account: s.account(login), permissions: maps.Clone(permissions)}
}

// RevokeTokens makes all existing tokens invalid, personal and installation tokens.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.credentials)
}

// SetPermission changes a permission of the app's installation, for existing and new tokens. An
// empty level removes it.
func (s *Server) SetPermission(name, level string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.installations {
		if level == "" {
			delete(in.permissions, name)
		} else {
			in.permissions[name] = level
		}
	}
}

// InstallElsewhere adds an installation of the App for an owner who has no repository here: its tokens see none of the
// simulator's repositories.
func (s *Server) InstallElsewhere(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installations[id] = &installation{id: id, permissions: defaultPermissions()}
}

// MoveTo has an installation of the App, from InstallElsewhere or the first one, see the repositories in place of the
// one that does, as if all were transferred to its owner and kept their names.
func (s *Server) MoveTo(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := *s.options.App
	app.InstallationID = id
	s.options.App = &app
}

// Uninstall removes a repository from the app's installation.
func (s *Server) Uninstall(repo string) { s.edit(repo, func(r *repository) { r.installed = false }) }

// TokensIssued counts the installation tokens created so far.
func (s *Server) TokensIssued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokensIssued
}

// account returns the account of a login, and creates a user when there is none, or a bot when the
// login ends in [bot].
func (s *Server) account(login string) wire.Account {
	kind := "User"
	if strings.HasSuffix(login, "[bot]") {
		kind = "Bot"
	}
	return s.accountOf(login, kind)
}

func (s *Server) organization(login string) wire.Account { return s.accountOf(login, "Organization") }

func (s *Server) accountOf(login, kind string) wire.Account {
	key := strings.ToLower(login)
	if known, ok := s.accounts[key]; ok {
		return known
	}
	made := wire.Account{ID: s.nextID("account"), Login: login, Type: kind}
	s.accounts[key] = made
	return made
}

// app is the configured app as GitHub shows it.
func (s *Server) app() *wire.App {
	if s.options.App == nil {
		return nil
	}
	in := s.installations[s.options.App.InstallationID]
	made := s.otherApp(s.options.App.Slug)
	made.ID, made.Permissions = s.options.App.ID, maps.Clone(in.permissions)
	return made
}

// otherApp is an app other than the configured one, such as github-actions.
func (s *Server) otherApp(slug string) *wire.App {
	return &wire.App{
		ID:          s.appID(slug),
		Slug:        slug,
		Owner:       s.organization("simulated-apps"),
		Permissions: defaultPermissions(),
		Events:      slices.Clone(hookEvents),
		CreatedAt:   time.Date(2024, 5, 1, 9, 0, 0, 0, time.UTC),
	}
}

var hookEvents = []string{"deployment", "deployment_status"}

func (s *Server) newHook(id int64, targetType string, targetID int64) *hookshot.Hook {
	if s.options.WebhookURL == "" {
		return nil
	}

	return &hookshot.Hook{
		ID:         id,
		URL:        s.options.WebhookURL,
		Secret:     s.options.WebhookSecret,
		TargetType: targetType,
		TargetID:   targetID,
		Events:     slices.Clone(hookEvents),
	}
}

// appHook is the one webhook of the configured app.
func (s *Server) appHook() *hookshot.Hook {
	if s.options.App == nil || s.options.WebhookURL == "" {
		return nil
	}
	if s.ids["app hook"] == 0 {
		s.ids["app hook"] = s.nextID("hook")
	}

	hook := s.newHook(s.ids["app hook"], "integration", s.options.App.ID)
	hook.InstallationID = s.options.App.InstallationID
	return hook
}

// hooksFor are the webhooks that receive the events of a repository.
func (s *Server) hooksFor(r *repository) []hookshot.Hook {
	hook := r.hook
	if s.options.App != nil {
		hook = s.appHook()
	}
	if hook == nil || (s.options.App != nil && !r.installed) {
		return nil
	}

	found := *hook
	if s.enterprise() {
		found.Enterprise = cmp.Or(strings.TrimPrefix(s.base, "http://"), "github.example.com")
	}

	return []hookshot.Hook{found}
}
