package config

import (
	"crypto/sha256"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/route"
)

// Config is a valid configuration.
type Config struct {
	Addr              string
	MetricsAddr       string   // empty: the metrics are served on Addr
	PublicURL         *url.URL // nil: not set
	DatabaseURL       Secret
	GitHub            GitHub
	CircleCI          CircleCI
	Slack             Slack
	TrustedProxies    []netip.Prefix
	LookupGrace       time.Duration
	WorkflowGrace     time.Duration
	StartTimeout      time.Duration
	PollMin           time.Duration
	PollMax           time.Duration
	Routes            *route.Table
	RoutesFile        string // empty: the routes are in SERAPH_ROUTES
	TaskPrefix        string // of the tasks that deploy, lock and unlock
	APITokens         []APIToken
	RecoverMaxAge     time.Duration
	Retention         time.Duration // 0: for ever
	RecoverDeliveries bool          // ask GitHub to redeliver failed deliveries
	LogLevel          string
	LogFormat         string // json or console
	ShutdownDelay     time.Duration
	ShutdownGrace     time.Duration
	Warnings          []string
}

// GitHub says which GitHub to use, and as whom: with a token, or as an App.
type GitHub struct {
	WebhookSecrets  Secrets
	Token           Secret // empty: AppID and PrivateKey are set
	AppID           int64
	PrivateKey      PrivateKey
	APIURL          *url.URL
	WebURL          *url.URL
	ClientID        string // of the application with which people sign in; empty: they cannot
	ClientSecret    Secret
	HookSources     HookSources
	WritesPerMinute int
}

// SourceMode says which addresses may send GitHub's webhooks.
type SourceMode string

// The modes.
const (
	SourcesAny  SourceMode = "any"
	SourcesMeta SourceMode = "meta" // the ranges that GitHub publishes
	SourcesList SourceMode = "list"
)

// HookSources are the addresses that may send GitHub's webhooks. Prefixes belong to SourcesList.
type HookSources struct {
	Mode     SourceMode
	Prefixes []netip.Prefix
}

// CircleCI says which CircleCI to use, and as whom.
type CircleCI struct {
	Token          Secret
	APIURL         *url.URL
	AppURL         *url.URL
	WebhookSecrets Secrets
	Timeout        time.Duration
	ReadsPerSecond int
}

// APIToken lets a caller use the API. Only the token's hash is kept.
type APIToken struct {
	Name  string
	Scope string // read, deploy, behalf or admin
	Hash  [sha256.Size]byte

	// Face and Workspace are the only chat for whose people a token with the scope behalf may speak. Empty:
	// for everybody.
	Face      string
	Workspace string
}

// config validates everything.
func (r *reader) config() *Config {
	e := r.env
	c := &Config{
		Addr:              r.addr("ADDR", e.Addr),
		MetricsAddr:       r.addr("METRICS_ADDR", e.MetricsAddr),
		PublicURL:         r.url("PUBLIC_URL", e.PublicURL),
		DatabaseURL:       r.database(e.DatabaseURL),
		GitHub:            r.github(),
		CircleCI:          r.circleci(),
		Slack:             r.slack(),
		TrustedProxies:    r.prefixes("TRUSTED_PROXIES", e.TrustedProxies),
		LookupGrace:       r.positiveDuration("LOOKUP_GRACE", e.LookupGrace),
		WorkflowGrace:     r.positiveDuration("WORKFLOW_GRACE", e.WorkflowGrace),
		StartTimeout:      r.positiveDuration("START_TIMEOUT", e.StartTimeout),
		PollMin:           r.positiveDuration("POLL_MIN", e.PollMin),
		PollMax:           r.positiveDuration("POLL_MAX", e.PollMax),
		TaskPrefix:        r.taskPrefix(),
		Routes:            r.routes(),
		RoutesFile:        e.RoutesFile,
		APITokens:         r.apiTokens(),
		RecoverMaxAge:     r.positiveDuration("RECOVER_MAX_AGE", e.RecoverMaxAge),
		Retention:         r.retention(),
		RecoverDeliveries: r.oneOf("RECOVER_DELIVERIES", e.RecoverDeliveries, "true", "false") == "true",
		LogLevel:          r.oneOf("LOG_LEVEL", e.LogLevel, "debug", "info", "warn", "error"),
		LogFormat:         r.oneOf("LOG_FORMAT", e.LogFormat, "json", "console"),
		ShutdownDelay:     r.duration("SHUTDOWN_DELAY", e.ShutdownDelay),
		ShutdownGrace:     r.positiveDuration("SHUTDOWN_GRACE", e.ShutdownGrace),
	}

	if c.PollMin > c.PollMax && c.PollMax > 0 {
		r.problem("POLL_MIN", "%s is longer than SERAPH_POLL_MAX (%s): make it shorter", c.PollMin, c.PollMax)
	}
	r.checkSignIn(c)
	if c.MetricsAddr != "" && c.MetricsAddr == c.Addr {
		r.problem("METRICS_ADDR", "the same address as SERAPH_ADDR: leave it out, or choose another port")
	}

	return c
}

func (r *reader) github() GitHub {
	e := r.env
	g := GitHub{
		WebhookSecrets:  r.secrets("GITHUB_WEBHOOK_SECRETS", e.GitHubWebhookSecrets),
		Token:           r.token("GITHUB_TOKEN", e.GitHubToken),
		AppID:           r.appID(e.GitHubAppID),
		PrivateKey:      r.privateKey(e.GitHubAppPrivateKey),
		APIURL:          r.apiURL("GITHUB_API_URL", e.GitHubAPIURL),
		WebURL:          r.url("GITHUB_WEB_URL", e.GitHubWebURL),
		ClientID:        strings.TrimSpace(e.GitHubClientID),
		ClientSecret:    r.token("GITHUB_CLIENT_SECRET", e.GitHubClientSecret),
		WritesPerMinute: r.count("GITHUB_WRITES_PER_MINUTE", e.GitHubWritesPerMinute),
	}

	g.HookSources = r.hookSources(g.APIURL)
	if e.GitHubWebhookSecrets == "" {
		r.problem("GITHUB_WEBHOOK_SECRETS", "required: GitHub webhook secret (at least %d bytes)", minSecret)
	}

	r.checkGitHubCredentials()
	return g
}

// checkGitHubCredentials wants either a token, or the id and the key of an App.
func (r *reader) checkGitHubCredentials() {
	e := r.env
	app := e.GitHubAppID != "" || e.GitHubAppPrivateKey != ""
	switch {
	case e.GitHubToken != "" && app:
		r.problem("GITHUB_TOKEN", "a token and a GitHub App are both set: leave one of them out")
	case e.GitHubToken == "" && !app:
		r.problem("GITHUB_TOKEN",
			"no GitHub credentials: set a token, or SERAPH_GITHUB_APP_ID and SERAPH_GITHUB_APP_PRIVATE_KEY")
	case app && e.GitHubAppID == "":
		r.problem("GITHUB_APP_ID", "required with SERAPH_GITHUB_APP_PRIVATE_KEY: the App's numeric id")
	case app && e.GitHubAppPrivateKey == "":
		r.problem("GITHUB_APP_PRIVATE_KEY", "required with SERAPH_GITHUB_APP_ID: a private key of the App (PEM)")
	}
}

// checkSignIn wants the id and the secret of an application with which people sign in at GitHub, or neither, and an
// address to which their browsers can come back. They come back with a cookie that browsers take over https only.
func (r *reader) checkSignIn(c *Config) {
	const idName, secretName = "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"
	id, secret := c.GitHub.ClientID, r.env.GitHubClientSecret
	switch {
	case id == "" && secret == "":
		return
	case secret == "":
		r.problem(secretName, "required with SERAPH_GITHUB_CLIENT_ID: a client secret of the GitHub App or OAuth App")
	case id == "":
		r.problem(idName, "required with SERAPH_GITHUB_CLIENT_SECRET: the client id of the GitHub App or OAuth App")
	case strings.ContainsFunc(id, isNotInToken):
		r.problem(idName, "contains a character that no client id has: write it as GitHub shows it, such as Iv23li...")
	case c.PublicURL == nil && r.env.PublicURL == "":
		r.problem("PUBLIC_URL", "required with SERAPH_GITHUB_CLIENT_ID: people come back to it from GitHub's sign-in")
	case c.PublicURL != nil && c.PublicURL.Scheme != "https" && !isLoopback(c.PublicURL.Hostname()):
		r.problem("PUBLIC_URL", "http is not enough with SERAPH_GITHUB_CLIENT_ID: write https://HOST")
	case c.GitHub.WebURL != nil && c.GitHub.WebURL.Scheme != "https" && !isLoopback(c.GitHub.WebURL.Hostname()):
		r.problem("GITHUB_WEB_URL", "http is not enough with SERAPH_GITHUB_CLIENT_ID: write https://HOST")
	case c.GitHub.WebURL != nil && c.GitHub.WebURL.Host == "github.com" &&
		c.GitHub.APIURL != nil && c.GitHub.APIURL.Host != "api.github.com":
		r.problem("GITHUB_WEB_URL", "github.com does not belong to SERAPH_GITHUB_API_URL, and people sign in there: "+
			"write the address of your GitHub")
	}
}

func (r *reader) circleci() CircleCI {
	e := r.env
	if e.CircleCIToken == "" {
		r.problem("CIRCLECI_TOKEN", "required: personal API token of a machine user that only this Seraph uses")
	}

	return CircleCI{
		Token:          r.token("CIRCLECI_TOKEN", e.CircleCIToken),
		APIURL:         r.apiURL("CIRCLECI_API_URL", e.CircleCIAPIURL),
		AppURL:         r.url("CIRCLECI_APP_URL", e.CircleCIAppURL),
		WebhookSecrets: r.secrets("CIRCLECI_WEBHOOK_SECRETS", e.CircleCIWebhookSecrets),
		Timeout:        r.positiveDuration("CIRCLECI_TIMEOUT", e.CircleCITimeout),
		ReadsPerSecond: r.count("CIRCLECI_READS_PER_SECOND", e.CircleCIReadsPerSecond),
	}
}
