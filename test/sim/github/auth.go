package github

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v4"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// tokenLifetime is how long an installation token is valid.
const tokenLifetime = time.Hour

// bearerToken returns the token of the Authorization header, which GitHub accepts as "token X" and
// "Bearer X".
func bearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "token") {
		return strings.TrimSpace(token)
	}
	return ""
}

// requireToken accepts personal and installation tokens.
func (s *Server) requireToken(c *call) *response {
	token := bearerToken(c.r)
	if token == "" {
		return errorResponse(http.StatusUnauthorized, "Requires authentication")
	}

	who := s.credentials[token]
	if who == nil || (!who.expires.IsZero() && !s.options.Now().Before(who.expires)) {
		return errorResponse(http.StatusUnauthorized, "Bad credentials")
	}

	c.credential = who
	if who.install != 0 {
		c.credential.permissions = who.narrowed(s.installations[who.install].permissions)
	}

	return s.countCall(c)
}

// requireApp accepts the app's JSON web tokens.
func (s *Server) requireApp(c *call) *response {
	app := s.options.App
	if app == nil {
		return errorResponse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	}
	if problem := s.verifyJWT(app, bearerToken(c.r)); problem != nil {
		return errorResponse(http.StatusUnauthorized, problem.Error())
	}

	c.credential = &credential{account: s.account(app.Slug + "[bot]"), app: s.app(), isJWT: true}
	return nil
}

// verifyJWT applies the rules of GitHub's page "Generating a JSON Web Token (JWT) for a GitHub
// App".
func (s *Server) verifyJWT(app *App, token string) error {
	claims := jwt.RegisteredClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation())
	if _, err := parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return app.key() }); err != nil {
		//lint:ignore ST1005 GitHub's own words
		return errors.New("A JSON web token could not be decoded")
	}

	now := s.options.Now()
	switch {
	case claims.Issuer != strconv.FormatInt(app.ID, 10):
		return errors.New("'Issuer' claim ('iss') must be the app's id")
	case claims.ExpiresAt == nil || !now.Before(claims.ExpiresAt.Time):
		return errors.New(
			"'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
		)
	case claims.ExpiresAt.Sub(now) > 10*time.Minute:
		return errors.New("'Expiration time' claim ('exp') is too far in the future")
	case claims.IssuedAt == nil || claims.IssuedAt.After(now):
		return errors.New(
			"'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
		)
	}

	return nil
}

func (a *App) key() (any, error) {
	if len(a.PublicKey) > 0 {
		return jwt.ParseRSAPublicKeyFromPEM(a.PublicKey)
	}
	private, err := jwt.ParseRSAPrivateKeyFromPEM(a.PrivateKey)
	if err != nil {
		return nil, err
	}
	return &private.PublicKey, nil
}

// requireRepository finds the repository of a call, redirects from former names, and checks access
// and permission.
func (s *Server) requireRepository(c *call) *response {
	if resp := s.findRepository(c); resp != nil {
		return resp
	}
	if c.repo.hidden || (c.credential.install != 0 && (!c.repo.installed || s.isElsewhere(c.credential.install))) {
		return notFound()
	}
	if resp := checkPermission(c); resp != nil {
		return resp
	}
	if c.r.Method == http.MethodGet {
		return nil
	}
	if c.repo.Archived {
		return errorResponse(http.StatusForbidden, "Repository was archived so is read-only.")
	}

	return s.countWrite(c)
}

// isElsewhere says whether InstallElsewhere has added an installation.
func (s *Server) isElsewhere(installation int64) bool {
	return installation != s.options.App.InstallationID
}

func (s *Server) findRepository(c *call) *response {
	if c.param("id") != "" {
		for _, r := range s.repositories {
			if r.ID == c.id("id") && !r.deleted {
				c.repo = r
				return nil
			}
		}

		return notFound()
	}

	name := c.param("owner") + "/" + c.param("repo")
	if c.repo = s.repositoryByName(name); c.repo != nil {
		return nil
	}

	for _, r := range s.repositories {
		for _, f := range r.former {
			if f.redirects && f.fullName == strings.ToLower(name) && !r.deleted {
				return s.redirect(c, r)
			}
		}
	}

	return notFound()
}

// checkPermission checks the route's permission for tokens with limited permissions.
func checkPermission(c *call) *response {
	name, level, _ := strings.Cut(c.route.permission, "=")
	has := c.credential.permissions[name]
	if c.credential.permissions == nil || name == "" || has == "write" || has == level || has == "admin" {
		return nil
	}
	if c.credential.app != nil {
		return errorResponse(http.StatusForbidden, "Resource not accessible by integration")
	}

	return errorResponse(http.StatusForbidden, "Resource not accessible by personal access token")
}

func (s *Server) getApp(c *call) *response { return ok(c.credential.app.JSON(s.api(), s.web())) }

func (s *Server) getInstallation(c *call) *response {
	if resp := s.findRepository(c); resp != nil {
		return resp
	}
	if c.repo.hidden || !c.repo.installed {
		return notFound()
	}

	in, app, owner := s.installations[s.options.App.InstallationID], c.credential.app, c.repo.Owner
	self := fmt.Sprintf("%s/app/installations/%d", s.api(), in.id)
	return ok(wire.Object{
		"id":                   in.id,
		"account":              owner.JSON(s.api(), s.web()),
		"app_id":               app.ID,
		"app_slug":             app.Slug,
		"target_id":            owner.ID,
		"target_type":          "Organization",
		"repository_selection": "all",
		"access_tokens_url":    self + "/access_tokens",
		"repositories_url":     s.api() + "/installation/repositories",
		"html_url":             fmt.Sprintf("%s/organizations/%s/settings/installations/%d", s.web(), owner.Login, in.id),
		"permissions":          in.permissions,
		"events":               hookEvents,
		"single_file_name":     nil,
		"created_at":           wire.Time(app.CreatedAt),
		"updated_at":           wire.Time(app.CreatedAt),
		"suspended_at":         nil,
		"suspended_by":         nil,
	})
}

func (s *Server) postToken(c *call) *response {
	in := s.installations[c.id("installation")]
	if in == nil {
		return notFound()
	}

	var asked struct {
		Permissions   map[string]string `json:"permissions"`
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
	}
	if c.r.ContentLength != 0 {
		if resp := s.decode(c, &asked); resp != nil {
			return resp
		}
	}
	for name, level := range asked.Permissions {
		if has := in.permissions[name]; has != level && has != "write" && has != "admin" {
			const message = "The permissions requested are not granted to this installation."
			return errorResponse(http.StatusUnprocessableEntity, message)
		}
	}

	s.tokensIssued++
	token := fmt.Sprintf("ghs_simulated%023d", s.tokensIssued)
	expires := s.options.Now().Add(tokenLifetime)
	s.credentials[token] = &credential{
		account: c.credential.account,
		app:     c.credential.app,
		install: in.id,
		expires: expires,
		asked:   asked.Permissions,
	}

	return &response{
		status: http.StatusCreated,
		body: wire.Object{
			"token":                token,
			"expires_at":           wire.Time(expires),
			"permissions":          s.credentials[token].narrowed(in.permissions),
			"repository_selection": "all",
		},
	}
}

// narrowed returns what a token of an installation may do: what was asked for when it was created, or all that
// the installation has.
func (c *credential) narrowed(granted map[string]string) map[string]string {
	if c.asked == nil {
		return maps.Clone(granted)
	}

	may := map[string]string{}
	for name, level := range c.asked {
		if has := granted[name]; has != "" {
			may[name] = min(level, has) // "read" is less than "write", also as text
		}
	}
	return may
}

func (s *Server) getMeta(*call) *response {
	return ok(wire.Object{"verifiable_password_authentication": false, "hooks": s.meta})
}

// SetHookSources sets the address ranges that GET /meta lists as sources of webhooks. The default
// is the loopback ranges.
func (s *Server) SetHookSources(cidrs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meta = cidrs
}

func (s *Server) getRepository(c *call) *response { return ok(c.repo.JSON(s.api(), s.web())) }
