package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/oauth2"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// The names of the calls in metrics.
const (
	opExchange = "sign_in_token"
	opAccount  = "sign_in_user"
	opRevoke   = "sign_in_revoke"
)

// GitHubOptions say with which application people sign in at GitHub. All fields are required.
type GitHubOptions struct {
	ClientID     string
	ClientSecret string
	Web          *url.URL // such as https://github.com/
	API          *url.URL // such as https://api.github.com/
	Public       *url.URL // of this service; the application must know PUBLIC/login/callback
	HTTP         *http.Client
	UserAgent    string
	Log          zerolog.Logger
}

// GitHub signs people in by GitHub's web application flow, for a GitHub App or an OAuth App:
// https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps. It asks for no scope.
type GitHub struct {
	o      GitHubOptions
	config oauth2.Config
}

// NewGitHub makes a GitHub.
func NewGitHub(o GitHubOptions) *GitHub {
	return &GitHub{o: o, config: oauth2.Config{
		ClientID:     o.ClientID,
		ClientSecret: o.ClientSecret,
		RedirectURL:  o.Public.JoinPath("login/callback").String(),
		Endpoint: oauth2.Endpoint{
			AuthURL:   o.Web.JoinPath("login/oauth/authorize").String(),
			TokenURL:  o.Web.JoinPath("login/oauth/access_token").String(),
			AuthStyle: oauth2.AuthStyleInParams, // another one would be found out by sending the code twice
		},
	}}
}

// SignInError says that GitHub did not take a code, or shows no person for it. It holds no code, token or secret.
type SignInError struct{ Code string }

// Error names GitHub's code.
func (e *SignInError) Error() string { return "sign in at GitHub: " + e.Code }

// URL is where a browser goes to sign in.
func (g *GitHub) URL(state, verifier string) string {
	return g.config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))
}

// Account returns who has signed in. The token that it needs for that is in memory only, and is revoked before Account
// returns. If that fails, the token stays valid until it expires, and the log says so. The error is a *SignInError
// where GitHub refused the code, or shows no person for it.
func (g *GitHub) Account(ctx context.Context, code, verifier string) (deployment.Actor, error) {
	token, err := g.exchange(ctx, code, verifier)
	if err != nil {
		return deployment.Actor{}, err
	}

	who, err := g.user(ctx, token)
	if failed := g.revoke(context.WithoutCancel(ctx), token); failed != nil {
		g.o.Log.Warn().Err(failed).Msg("token of a sign-in not revoked") // nobody has it
	}
	return who, err
}

// exchangeErrors are the codes with which GitHub refuses an exchange, as its page "Troubleshooting OAuth app access
// token request errors" lists them. Any other text of the answer could hold a secret, and is not
// repeated.
var exchangeErrors = []string{
	"incorrect_client_credentials",
	"redirect_uri_mismatch",
	"bad_verification_code",
	"unverified_user_email",
}

func (g *GitHub) exchange(ctx context.Context, code, verifier string) (string, error) {
	ctx = context.WithValue(outbound.WithOperation(ctx, opExchange), oauth2.HTTPClient, g.o.HTTP)
	token, err := g.config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err == nil {
		return token.AccessToken, nil
	}

	// The text of a *RetrieveError holds the answer, which could hold a token.
	var refused *oauth2.RetrieveError
	var noAnswer *outbound.Error
	switch {
	case errors.As(err, &refused) && slices.Contains(exchangeErrors, refused.ErrorCode):
		return "", &SignInError{Code: refused.ErrorCode}
	case errors.As(err, &refused) && refused.ErrorCode != "":
		return "", &SignInError{Code: "refused"}
	case errors.As(err, &refused):
		return "", fmt.Errorf("exchange code at GitHub: HTTP status %d", refused.Response.StatusCode)
	case errors.As(err, &noAnswer):
		return "", fmt.Errorf("exchange code at GitHub: %w", noAnswer)
	default:
		return "", errors.New("exchange code at GitHub: the answer is no token")
	}
}

// user reads whose token it is.
func (g *GitHub) user(ctx context.Context, token string) (deployment.Actor, error) {
	var none deployment.Actor
	req, err := g.newRequest(outbound.WithOperation(ctx, opAccount), http.MethodGet, "user", nil)
	if err != nil {
		return none, err
	}

	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := g.o.HTTP.Do(req)
	if err != nil {
		return none, fmt.Errorf("read account at GitHub: %w", withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }()

	if resp.StatusCode != http.StatusOK {
		return none, fmt.Errorf("read account at GitHub: HTTP status %d", resp.StatusCode)
	}

	var user struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Type  string `json:"type"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&user); err != nil {
		return none, errors.New("read account at GitHub: the answer is not the JSON of a user")
	}
	if user.ID <= 0 || user.Type != "User" || policy.ParseLogin(user.Login) != nil {
		return none, &SignInError{Code: "no_person"}
	}
	return deployment.Actor{ID: user.ID, Login: user.Login}, nil
}

// revokeTimeout limits the revocation, for which nobody waits longer.
const revokeTimeout = 5 * time.Second

// revoke ends a token.
func (g *GitHub) revoke(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(outbound.WithOperation(ctx, opRevoke), revokeTimeout)
	defer cancel()

	body, err := json.Marshal(map[string]string{"access_token": token})
	if err != nil {
		return err
	}
	req, err := g.newRequest(ctx, http.MethodDelete, "applications/"+url.PathEscape(g.o.ClientID)+"/token", body)
	if err != nil {
		return err
	}

	req.SetBasicAuth(g.o.ClientID, g.o.ClientSecret)
	resp, err := g.o.HTTP.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()

	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("HTTP status %d", resp.StatusCode)
	}
	return nil
}

func (g *GitHub) newRequest(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, g.o.API.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("GitHub's API URL cannot be used")
	}

	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	req.Header.Set("User-Agent", g.o.UserAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// withoutURL is the cause of a call's error, without the URL that net/http puts before it.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
