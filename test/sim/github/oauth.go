package github

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// The operations of the web application flow, by which people sign in, as GitHub's pages "Authorizing OAuth apps" and
// "REST API endpoints for OAuth authorizations" describe it.
const (
	OpAuthorize   = "authorize"    // the page at which people sign in
	OpAccessToken = "access token" // exchanges a code for a token
	OpRevokeToken = "revoke token"
)

// codeLifetime is how long a code may be exchanged.
const codeLifetime = 10 * time.Minute

// OAuthApp is an application with which people sign in: an OAuth App or a GitHub App.
type OAuthApp struct {
	ClientID     string
	ClientSecret string
	Callback     string // the registered URL; redirect_uri must be on its host, at its path or below
	GitHubApp    bool   // its user tokens expire, and come with a refresh token
}

// grant is a code that was not exchanged yet.
type grant struct {
	app         *OAuthApp
	account     wire.Account
	redirectURI string // as the browser sent it; empty: it sent none
	challenge   string // of PKCE, S256; empty: none
	expires     time.Time
}

// userToken is a token that an application has for a person.
type userToken struct{ clientID string }

// AddOAuthApp adds an application with which people can sign in.
func (s *Server) AddOAuthApp(app OAuthApp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oauthApps[app.ClientID] = &app
}

// UserTokens lists the tokens of people that applications hold now.
func (s *Server) UserTokens() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.userTokens))
}

// UserTokensIssued counts the tokens of people that applications were given so far.
func (s *Server) UserTokensIssued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.userTokensIssued
}

// CodesIssued lists all codes that browsers were sent back with so far.
func (s *Server) CodesIssued() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.codesIssued)
}

// signInPage lets whoever sees it be any person. GitHub has a page to sign in and one to authorize here; this one does
// both with one form.
var signInPage = template.Must(template.New("").Parse(`<!doctype html>
<title>Authorize application</title>
<form method="post" action="/login/oauth/authorize">
{{- range $name, $values := .Query}}{{range $values}}
<input type="hidden" name="{{$name}}" value="{{.}}">{{end}}{{end}}
<input name="login" placeholder="login">
<button name="authorize" value="1">Authorize</button>
<button name="authorize" value="0">Cancel</button>
</form>
`))

// authorize shows the page, and takes its form. The form's field login says who has signed in.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}

	app := s.oauthApps[r.Form.Get("client_id")]
	if app == nil {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}

	asked := r.Form.Get("redirect_uri")
	back := asked
	if back == "" {
		back = app.Callback
	}
	if !matchesCallback(back, app.Callback) {
		sendBack(w, r, app.Callback, url.Values{
			"error":             {"redirect_uri_mismatch"},
			"error_description": {"The redirect_uri is not associated with this application."},
		})
		return
	}

	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = signInPage.Execute(w, struct{ Query url.Values }{r.URL.Query()}) // the browser may have left
		return
	}

	s.signIn(w, r, app, asked, back)
}

// signIn takes the form of the page: asked is the redirect_uri of the browser's request, and back is where it goes.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, app *OAuthApp, asked, back string) {
	who, found := s.accountByLogin(r.PostForm.Get("login"))
	switch {
	case r.PostForm.Get("authorize") != "1":
		sendBack(w, r, back, url.Values{
			"error":             {"access_denied"},
			"error_description": {"The user has denied your application access."},
		})
		return
	case !found:
		http.Error(w, "Incorrect username or password.", http.StatusUnauthorized)
		return
	case r.Form.Get("code_challenge") != "" && r.Form.Get("code_challenge_method") != "S256":
		sendBack(w, r, back, url.Values{
			"error":             {"invalid_request"},
			"error_description": {"The code_challenge_method must be S256."},
		})
		return
	}

	code := fmt.Sprintf("%020x", 0xc0de0000+len(s.codesIssued))
	s.codesIssued = append(s.codesIssued, code)
	s.grants[code] = &grant{
		app:         app,
		account:     who,
		redirectURI: asked,
		challenge:   r.Form.Get("code_challenge"),
		expires:     s.options.Now().Add(codeLifetime),
	}
	sendBack(w, r, back, url.Values{"code": {code}})
}

// sendBack redirects a browser to an application, with the state that it came with.
func sendBack(w http.ResponseWriter, r *http.Request, to string, add url.Values) {
	target, err := url.Parse(to)
	if err != nil {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}

	query := target.Query()
	maps.Copy(query, add)
	if state := r.Form.Get("state"); state != "" {
		query.Set("state", state)
	}
	target.RawQuery = query.Encode()
	http.Redirect(w, r, target.String(), http.StatusFound)
}

// matchesCallback applies the rules of "Redirect URLs": the host, without a subdomain, and the port must be those of
// the registered URL, and the path its own or below. Of a loopback address the port may differ.
func matchesCallback(asked, registered string) bool {
	a, err := url.Parse(asked)
	if err != nil {
		return false
	}
	b, err := url.Parse(registered)
	if err != nil || a.Scheme != b.Scheme {
		return false
	}

	sameHost := a.Host == b.Host || strings.HasSuffix(a.Host, "."+b.Host)
	if ip := net.ParseIP(a.Hostname()); ip != nil && ip.IsLoopback() && a.Hostname() == b.Hostname() {
		sameHost = true
	}
	return sameHost && (a.Path == b.Path || strings.HasPrefix(a.Path, strings.TrimSuffix(b.Path, "/")+"/"))
}

// accessToken exchanges a code. What is wrong with it is answered with 200 and an error, as GitHub does.
func (s *Server) accessToken(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}

	app := s.oauthApps[r.Form.Get("client_id")]
	if app == nil {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	if !equalText(app.ClientSecret, r.Form.Get("client_secret")) {
		writeToken(w, r, refuseToken("incorrect_client_credentials",
			"The client_id and/or client_secret passed are incorrect."))
		return
	}

	code := r.Form.Get("code")
	g := s.grants[code]
	if g == nil || g.app != app || s.options.Now().After(g.expires) || !provesPKCE(g, r.Form.Get("code_verifier")) {
		writeToken(w, r, refuseToken("bad_verification_code", "The code passed is incorrect or expired."))
		return
	}
	if uri := r.Form.Get("redirect_uri"); uri != "" && uri != g.redirectURI && !matchesCallback(uri, app.Callback) {
		writeToken(w, r, refuseToken("redirect_uri_mismatch",
			"The redirect_uri MUST match the registered callback URL for this application."))
		return
	}

	delete(s.grants, code) // it is good for one exchange
	writeToken(w, r, s.issueUserToken(app, g.account))
}

// provesPKCE checks RFC 7636, section 4.6, for S256.
func provesPKCE(g *grant, verifier string) bool {
	if g.challenge == "" {
		return true
	}
	sum := sha256.Sum256([]byte(verifier))
	return equalText(base64.RawURLEncoding.EncodeToString(sum[:]), g.challenge)
}

func equalText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func refuseToken(code, description string) map[string]string {
	return map[string]string{
		"error":             code,
		"error_description": description,
		"error_uri":         "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors",
	}
}

func (s *Server) issueUserToken(app *OAuthApp, who wire.Account) map[string]string {
	s.userTokensIssued++
	kind := "gho"
	if app.GitHubApp {
		kind = "ghu"
	}

	token := fmt.Sprintf("%s_simulated%027d", kind, s.userTokensIssued)
	s.userTokens[token] = &userToken{clientID: app.ClientID}
	issued := &credential{account: who, permissions: map[string]string{}}
	s.credentials[token] = issued
	fields := map[string]string{"access_token": token, "scope": "", "token_type": "bearer"}
	if app.GitHubApp {
		issued.expires = s.options.Now().Add(8 * time.Hour)
		fields["expires_in"] = "28800"
		fields["refresh_token"] = fmt.Sprintf("ghr_simulated%063d", s.userTokensIssued)
		fields["refresh_token_expires_in"] = "15811200"
	}
	return fields
}

// writeToken answers as a form unless JSON is accepted.
func writeToken(w http.ResponseWriter, r *http.Request, fields map[string]string) {
	if strings.Contains(r.Header.Get("Accept"), "json") {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(fields) // the caller may have left
		return
	}

	values := url.Values{}
	for name, value := range fields {
		values.Set(name, value)
	}
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	_, _ = io.WriteString(w, values.Encode())
}

// requireClient accepts the id and the secret of the application that the path names, by basic authentication.
func (s *Server) requireClient(c *call) *response {
	id, secret, _ := c.r.BasicAuth()
	app := s.oauthApps[id]
	if app == nil || !equalText(app.ClientSecret, secret) {
		return errorResponse(http.StatusUnauthorized, "Bad credentials")
	}
	if id != c.param("client_id") {
		return notFound()
	}
	return nil
}

// revokeToken ends a token of a person. The answer to one that the application does not have is 404.
func (s *Server) revokeToken(c *call) *response {
	var asked struct {
		AccessToken string `json:"access_token"`
	}
	if resp := s.decode(c, &asked); resp != nil {
		return resp
	}

	token := s.userTokens[asked.AccessToken]
	if token == nil || token.clientID != c.param("client_id") {
		return notFound()
	}
	delete(s.userTokens, asked.AccessToken)
	delete(s.credentials, asked.AccessToken)
	return &response{status: http.StatusNoContent}
}

// page serves one of GitHub's web pages, which are at the root also on GitHub Enterprise Server.
func (s *Server) page(op string, serve http.HandlerFunc) http.Handler {
	return s.faulty(op, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls[op]++
		serve(w, r)
	}))
}
