package config

import (
	"crypto/rsa"
	"crypto/sha256"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/seraph-deploy/seraph/pkg/route"
)

// Secret is text that never shows itself.
type Secret string

const hidden = "[redacted]"

// Reveal gives the secret to the one who must use it.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret from %v and %s.
func (Secret) String() string { return hidden }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return hidden }

// MarshalText hides the secret from JSON and logs.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Secrets are several, any of which counts.
type Secrets []Secret

// Bytes gives the secrets to the one who must use them.
func (s Secrets) Bytes() [][]byte {
	list := make([][]byte, len(s))
	for i, one := range s {
		list[i] = []byte(one)
	}
	return list
}

// Config is a valid configuration.
type Config struct {
	Addr, MetricsAddr string
	PublicURL         *url.URL // nil when not set
	DatabaseURL       Secret
	GitHub            GitHub
	CircleCI          CircleCI
	TrustedProxies    []netip.Prefix
	LookupGrace       time.Duration
	WorkflowGrace     time.Duration
	StartTimeout      time.Duration
	PollMin, PollMax  time.Duration
	Routes            *route.Table
	TaskPrefix        string // of the tasks that deploy, lock and unlock
	APITokens         []APIToken
	RecoverMaxAge     time.Duration
	Retention         time.Duration // 0: for ever
	RecoverDeliveries bool          // ask GitHub to make failed deliveries again
	LogLevel          string
	LogFormat         string // json or console
	ShutdownDelay     time.Duration
	ShutdownGrace     time.Duration
	Warnings          []string
}

// GitHub is which GitHub, and who we are there: a token, or an App.
type GitHub struct {
	WebhookSecrets  Secrets
	Token           Secret
	AppID           int64
	PrivateKey      PrivateKey
	APIURL, WebURL  *url.URL
	HookSources     HookSources
	WritesPerMinute int
}

// PrivateKey hides an RSA key from printing.
type PrivateKey struct{ key *rsa.PrivateKey }

// Reveal gives the key, or nil, to the one who must use it.
func (k PrivateKey) Reveal() *rsa.PrivateKey { return k.key }

// String hides the key from %v.
func (PrivateKey) String() string { return hidden }

// GoString hides the key from %#v.
func (PrivateKey) GoString() string { return hidden }

// MarshalText hides the key from JSON and logs.
func (PrivateKey) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// SourceMode says which addresses may send GitHub's webhooks.
type SourceMode string

// The modes.
const (
	SourcesAny  SourceMode = "any"
	SourcesMeta SourceMode = "meta" // what GitHub publishes
	SourcesList SourceMode = "list"
)

// HookSources are the addresses that may send GitHub's webhooks; Prefixes belong to SourcesList.
type HookSources struct {
	Mode     SourceMode
	Prefixes []netip.Prefix
}

// CircleCI is which CircleCI, and our user there.
type CircleCI struct {
	Token          Secret
	APIURL, AppURL *url.URL
	WebhookSecrets Secrets
	Timeout        time.Duration
	ReadsPerSecond int
}

// APIToken lets a caller use the API. Only the token's hash is kept.
type APIToken struct {
	Name  string
	Scope string // read, deploy, behalf or admin
	Hash  [sha256.Size]byte
}

// config validates everything.
func (r *reader) config() *Config {
	e := r.env
	c := &Config{
		Addr: r.addr("ADDR", e.Addr), MetricsAddr: r.addr("METRICS_ADDR", e.MetricsAddr),
		PublicURL: r.url("PUBLIC_URL", e.PublicURL), DatabaseURL: r.database(e.DatabaseURL),
		GitHub: r.github(), CircleCI: r.circleci(),
		TrustedProxies: r.prefixes("TRUSTED_PROXIES", e.TrustedProxies),
		LookupGrace:    r.duration("LOOKUP_GRACE", e.LookupGrace, false), WorkflowGrace: r.duration("WORKFLOW_GRACE", e.WorkflowGrace, false),
		StartTimeout: r.duration("START_TIMEOUT", e.StartTimeout, false),
		PollMin:      r.duration("POLL_MIN", e.PollMin, false), PollMax: r.duration("POLL_MAX", e.PollMax, false),
		TaskPrefix: r.taskPrefix(), Routes: r.routes(), APITokens: r.apiTokens(),
		RecoverMaxAge:     r.duration("RECOVER_MAX_AGE", e.RecoverMaxAge, false),
		Retention:         r.retention(),
		RecoverDeliveries: r.oneOf("RECOVER_DELIVERIES", e.RecoverDeliveries, "true", "false") == "true",
		LogLevel:          r.oneOf("LOG_LEVEL", e.LogLevel, "debug", "info", "warn", "error"),
		LogFormat:         r.oneOf("LOG_FORMAT", e.LogFormat, "json", "console"),
		ShutdownDelay:     r.duration("SHUTDOWN_DELAY", e.ShutdownDelay, true), ShutdownGrace: r.duration("SHUTDOWN_GRACE", e.ShutdownGrace, false),
	}
	if c.PollMin > c.PollMax && c.PollMax > 0 {
		r.wrong("POLL_MIN", "%s is more than SERAPH_POLL_MAX (%s)", c.PollMin, c.PollMax)
	}
	if c.MetricsAddr != "" && c.MetricsAddr == c.Addr {
		r.wrong("METRICS_ADDR", "it is the same as SERAPH_ADDR: leave it out, or choose another port")
	}
	return c
}

func (r *reader) github() GitHub {
	e := r.env
	g := GitHub{
		WebhookSecrets: r.secrets("GITHUB_WEBHOOK_SECRETS", e.GitHubWebhookSecrets), Token: r.token("GITHUB_TOKEN", e.GitHubToken),
		APIURL: r.url("GITHUB_API_URL", e.GitHubAPIURL), WebURL: r.url("GITHUB_WEB_URL", e.GitHubWebURL),
		WritesPerMinute: r.count("GITHUB_WRITES_PER_MINUTE", e.GitHubWritesPerMinute),
	}
	if e.GitHubWebhookSecrets == "" {
		r.wrong("GITHUB_WEBHOOK_SECRETS", "it is required: the secret of GitHub's webhook, at least %d bytes", minSecret)
	}
	g.AppID = r.appID(e.GitHubAppID)
	g.PrivateKey = r.privateKey(e.GitHubAppPrivateKey)
	app := e.GitHubAppID != "" || e.GitHubAppPrivateKey != ""
	switch {
	case e.GitHubToken != "" && app:
		r.wrong("GITHUB_TOKEN", "both a token and a GitHub App are set: choose one")
	case e.GitHubToken == "" && !app:
		r.wrong("GITHUB_TOKEN", "a token, or SERAPH_GITHUB_APP_ID and SERAPH_GITHUB_APP_PRIVATE_KEY, is required")
	case app && e.GitHubAppID == "":
		r.wrong("GITHUB_APP_ID", "it is required beside SERAPH_GITHUB_APP_PRIVATE_KEY")
	case app && e.GitHubAppPrivateKey == "":
		r.wrong("GITHUB_APP_PRIVATE_KEY", "it is required beside SERAPH_GITHUB_APP_ID")
	}
	g.HookSources = r.hookSources(g.APIURL)
	return g
}

func (r *reader) circleci() CircleCI {
	e := r.env
	if e.CircleCIToken == "" {
		r.wrong("CIRCLECI_TOKEN", "it is required: a personal API token of a machine user that only this Seraph uses")
	}
	return CircleCI{
		Token:  r.token("CIRCLECI_TOKEN", e.CircleCIToken),
		APIURL: r.url("CIRCLECI_API_URL", e.CircleCIAPIURL), AppURL: r.url("CIRCLECI_APP_URL", e.CircleCIAppURL),
		WebhookSecrets: r.secrets("CIRCLECI_WEBHOOK_SECRETS", e.CircleCIWebhookSecrets),
		Timeout:        r.duration("CIRCLECI_TIMEOUT", e.CircleCITimeout, false),
		ReadsPerSecond: r.count("CIRCLECI_READS_PER_SECOND", e.CircleCIReadsPerSecond),
	}
}

// routes reads the route table from wherever it is.
func (r *reader) routes() *route.Table {
	text, name := r.env.Routes, Prefix+"ROUTES"
	switch {
	case text != "" && r.env.RoutesFile != "":
		r.wrong("ROUTES", "both it and SERAPH_ROUTES_FILE are set: set one of them")
		return nil
	case text == "" && r.env.RoutesFile == "":
		r.wrong("ROUTES_FILE", "it (or SERAPH_ROUTES) is required: the route table, at least one route")
		return nil
	case text == "":
		name = r.env.RoutesFile
		data, err := os.ReadFile(name)
		if err != nil {
			r.wrong("ROUTES_FILE", "the file cannot be read: %v", err)
			return nil
		}
		text = string(data)
	}
	table, err := route.Parse([]byte(text), name, route.Options{TaskPrefix: r.env.TaskPrefix})
	if err != nil {
		r.problems = append(r.problems, err.Error())
	}
	return table
}
