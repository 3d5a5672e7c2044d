// Package config reads the variables that operators set. It reads the environment once, validates all of it, and
// reports every problem together. No secret is ever part of an error, a log line or a printed
// configuration.
package config

import "strings"

// Prefix begins the name of every variable; bare names are never read.
const Prefix = "SERAPH_"

// Variable is one environment variable that operators can set.
type Variable struct {
	Name    string // with the prefix
	Default string
	Secret  bool // may be given as a file instead, in NAME_FILE
}

// environment is the whole environment as plain text. The conversions of envconfig are not used,
// because their errors show values, and end at the first one.
type environment struct {
	Addr                   string `envconfig:"SERAPH_ADDR" default:":8080"`
	MetricsAddr            string `envconfig:"SERAPH_METRICS_ADDR"`
	PublicURL              string `envconfig:"SERAPH_PUBLIC_URL"`
	DatabaseURL            string `envconfig:"SERAPH_DATABASE_URL" default:"sqlite:seraph.db" secret:"true"`
	GitHubWebhookSecrets   string `envconfig:"SERAPH_GITHUB_WEBHOOK_SECRETS" secret:"true"`
	GitHubToken            string `envconfig:"SERAPH_GITHUB_TOKEN" secret:"true"`
	GitHubAppID            string `envconfig:"SERAPH_GITHUB_APP_ID"`
	GitHubAppPrivateKey    string `envconfig:"SERAPH_GITHUB_APP_PRIVATE_KEY" secret:"true"`
	GitHubAPIURL           string `envconfig:"SERAPH_GITHUB_API_URL" default:"https://api.github.com/"`
	GitHubWebURL           string `envconfig:"SERAPH_GITHUB_WEB_URL" default:"https://github.com/"`
	GitHubClientID         string `envconfig:"SERAPH_GITHUB_CLIENT_ID"`
	GitHubClientSecret     string `envconfig:"SERAPH_GITHUB_CLIENT_SECRET" secret:"true"`
	GitHubHookSources      string `envconfig:"SERAPH_GITHUB_HOOK_SOURCES" default:"any"`
	TrustedProxies         string `envconfig:"SERAPH_TRUSTED_PROXIES"`
	CircleCIToken          string `envconfig:"SERAPH_CIRCLECI_TOKEN" secret:"true"`
	CircleCIAPIURL         string `envconfig:"SERAPH_CIRCLECI_API_URL" default:"https://circleci.com/api/v2"`
	CircleCIAppURL         string `envconfig:"SERAPH_CIRCLECI_APP_URL" default:"https://app.circleci.com"`
	CircleCIWebhookSecrets string `envconfig:"SERAPH_CIRCLECI_WEBHOOK_SECRETS" secret:"true"`
	CircleCITimeout        string `envconfig:"SERAPH_CIRCLECI_TIMEOUT" default:"15s"`
	LookupGrace            string `envconfig:"SERAPH_LOOKUP_GRACE" default:"2m"`
	WorkflowGrace          string `envconfig:"SERAPH_WORKFLOW_GRACE" default:"2m"`
	StartTimeout           string `envconfig:"SERAPH_START_TIMEOUT" default:"15m"`
	PollMin                string `envconfig:"SERAPH_POLL_MIN" default:"5s"`
	PollMax                string `envconfig:"SERAPH_POLL_MAX" default:"30s"`
	GitHubWritesPerMinute  string `envconfig:"SERAPH_GITHUB_WRITES_PER_MINUTE" default:"80"`
	CircleCIReadsPerSecond string `envconfig:"SERAPH_CIRCLECI_READS_PER_SECOND" default:"20"`
	Routes                 string `envconfig:"SERAPH_ROUTES"`
	RoutesFile             string `envconfig:"SERAPH_ROUTES_FILE"`
	TaskPrefix             string `envconfig:"SERAPH_TASK_PREFIX" default:"deploy"`
	APITokens              string `envconfig:"SERAPH_API_TOKENS" secret:"true"`
	APIURL                 string `envconfig:"SERAPH_API_URL" default:"http://127.0.0.1:8080"`
	APIToken               string `envconfig:"SERAPH_API_TOKEN" secret:"true"`
	SlackBotToken          string `envconfig:"SERAPH_SLACK_BOT_TOKEN" secret:"true"`
	SlackSigningSecret     string `envconfig:"SERAPH_SLACK_SIGNING_SECRET" secret:"true"`
	SlackAPIURL            string `envconfig:"SERAPH_SLACK_API_URL" default:"https://slack.com/api/"`
	SlackEditsPerMinute    string `envconfig:"SERAPH_SLACK_EDITS_PER_MINUTE" default:"40"`
	RecoverMaxAge          string `envconfig:"SERAPH_RECOVER_MAX_AGE" default:"1h"`
	RecoverDeliveries      string `envconfig:"SERAPH_RECOVER_DELIVERIES" default:"true"`
	Retention              string `envconfig:"SERAPH_RETENTION" default:"2160h"`
	LogLevel               string `envconfig:"SERAPH_LOG_LEVEL" default:"info"`
	LogFormat              string `envconfig:"SERAPH_LOG_FORMAT" default:"json"`
	ShutdownDelay          string `envconfig:"SERAPH_SHUTDOWN_DELAY" default:"0s"`
	ShutdownGrace          string `envconfig:"SERAPH_SHUTDOWN_GRACE" default:"20s"`
}

// isInjected says whether Kubernetes sets a variable of that name in every pod of a namespace that has
// a Service called seraph.
func isInjected(name string) bool {
	return strings.HasPrefix(name, "SERAPH_SERVICE_") || name == "SERAPH_PORT" ||
		strings.HasPrefix(name, "SERAPH_PORT_")
}
