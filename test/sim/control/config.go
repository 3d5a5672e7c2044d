package control

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// Config is where the simulators and the control API listen, and where the simulators send
// webhooks.
type Config struct {
	GitHub          string // listen addresses
	CircleCI        string
	Slack           string
	Control         string
	Webhook         string // where GitHub sends events
	CircleCIWebhook string // where CircleCI sends events
	Secret          string // signs the events of GitHub
	CircleCISecret  string // signs the events of CircleCI
	Token           string // a personal access token for GitHub
	CircleCIToken   string
	Callback        string // where people come back to after they signed in at GitHub
	SlackWebhook    string // where Slack sends commands, clicks and events
	SlackSecret     string // signs them
	SlackToken      string // of the app's bot
	Repositories    string // comma-separated; others are added by their first deployment
	AppProjects     []appProject
	People          map[string]int64  // ids by login; others are added when they do something
	SlackPeople     map[string]string // ids by name
	SlackGuests     map[string]string // ids by name
	SlackChannels   map[string]string // ids by name
	Step            time.Duration     // time between the stages of a CircleCI scenario
	Enterprise      bool              // be a GitHub Enterprise Server: API below /api/v3, no rate limits
	ListScenarios   bool

	appProjects   string // the flags that become the lists and maps above
	people        string
	slackPeople   string
	slackGuests   string
	slackChannels string
}

// setting is one flag that can also be set with an environment variable.
type setting struct {
	name, fallback, usage string
	target                *string
}

func (c *Config) settings() []setting {
	return append(append(c.slackSettings(), c.peopleSettings()...), []setting{
		{name: "github", fallback: "127.0.0.1:9001", usage: "address of the simulated GitHub", target: &c.GitHub},
		{
			name:     "circleci",
			fallback: "127.0.0.1:9002",
			usage:    "address of the simulated CircleCI (API below /api/v2)",
			target:   &c.CircleCI,
		},
		{name: "control", fallback: "127.0.0.1:9003", usage: "address of the control API", target: &c.Control},
		{
			name:     "webhook",
			fallback: "http://127.0.0.1:8080/webhooks/github",
			usage:    "where GitHub sends its events",
			target:   &c.Webhook,
		},
		{
			name:     "circleci-webhook",
			fallback: "http://127.0.0.1:8080/webhooks/circleci",
			usage:    "where CircleCI sends its events",
			target:   &c.CircleCIWebhook,
		},
		{name: "secret", fallback: "simulated-github-secret", usage: "secret that signs the events of GitHub", target: &c.Secret},
		{
			name:     "circleci-secret",
			fallback: "simulated-circleci-secret",
			usage:    "secret that signs the events of CircleCI",
			target:   &c.CircleCISecret,
		},
		{
			name:     "token",
			fallback: "simulated-github-token",
			usage:    "personal access token that GitHub accepts",
			target:   &c.Token,
		},
		{
			name:     "circleci-token",
			fallback: "simulated-circleci-token",
			usage:    "personal API token that CircleCI accepts",
			target:   &c.CircleCIToken,
		},
		{
			name:     "repositories",
			fallback: "acme/api,acme/web,acme/shop",
			usage:    "repositories that exist at the start, comma-separated",
			target:   &c.Repositories,
		},
		{
			name:     "app-projects",
			fallback: exampleAppProject,
			usage:    "projects of CircleCI's GitHub App, SLUG=OWNER/NAME@DEFINITION, comma-separated",
			target:   &c.appProjects,
		},
	}...)
}

func (c *Config) peopleSettings() []setting {
	return []setting{
		{
			name:     "callback",
			fallback: "http://127.0.0.1:8080/login/callback",
			usage:    "where people come back to from GitHub's sign-in",
			target:   &c.Callback,
		},
		{name: "people", fallback: "alice=583231,bob=583232,carol=583233", usage: "people who may write, LOGIN=ID, …", target: &c.people},
	}
}

func (c *Config) slackSettings() []setting {
	return []setting{
		{
			name:     "slack",
			fallback: "127.0.0.1:9004",
			usage:    "address of the simulated Slack (API below /api/)",
			target:   &c.Slack,
		},
		{
			name:     "slack-webhook",
			fallback: "http://127.0.0.1:8080/webhooks/slack",
			usage:    "where Slack sends commands, clicks and events",
			target:   &c.SlackWebhook,
		},
		{
			name:     "slack-secret",
			fallback: slack.DefaultSigningSecret,
			usage:    "signing secret of the Slack app",
			target:   &c.SlackSecret,
		},
		{name: "slack-token", fallback: slack.DefaultToken, usage: "token of the Slack app's bot", target: &c.SlackToken},
		{
			name:     "slack-people",
			fallback: "alice=U0ALICE01,bob=U0BOB00001,carol=U0CAROL001",
			usage:    "people of the workspace T0ACME001, NAME=ID, …",
			target:   &c.slackPeople,
		},
		{
			name:     "slack-guests",
			fallback: "guest=U0GUEST001",
			usage:    "guests of that workspace, NAME=ID, …",
			target:   &c.slackGuests,
		},
		{
			name:     "slack-channels",
			fallback: "deploys=C0DEPLOYS1,general=C0GENERAL1",
			usage:    "channels that the app is in, NAME=ID, …",
			target:   &c.slackChannels,
		},
	}
}

// The app with which people sign in at the simulated GitHub.
const (
	clientID     = "simulated-client-id"
	clientSecret = "simulated-client-secret"
)

// exampleTeams are the teams of deploy/routes.example.yaml, in which all people are.
var exampleTeams = []string{"leads", "sre", "oncall"}

// exampleAppProject is the project of deploy/routes.example.yaml.
const exampleAppProject = "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat=acme/web@3f0c9f6e-2b1a-4f6d-9c57-0d1e2f3a4b5c"

// Parse reads the flags. Each text flag can also be given as an environment variable, such as
// SERAPH_SIM_CIRCLECI_TOKEN for -circleci-token; the flag wins. Usage and errors are written to
// out. After -h the error is flag.ErrHelp.
func Parse(args []string, getenv func(string) string, out io.Writer) (Config, error) {
	var c Config
	flags := flag.NewFlagSet("seraph-sim", flag.ContinueOnError)
	flags.SetOutput(out)
	for _, s := range c.settings() {
		standard := s.fallback
		variable := "SERAPH_SIM_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
		if value := getenv(variable); value != "" {
			standard = value
		}

		flags.StringVar(s.target, s.name, standard, s.usage+" ("+variable+")")
	}

	flags.DurationVar(&c.Step, "step", 2*time.Second, "time between the stages of a pipeline")
	flags.BoolVar(
		&c.Enterprise,
		"enterprise",
		false,
		"be a GitHub Enterprise Server: API below /api/v3, no rate limits",
	)

	flags.BoolVar(&c.ListScenarios, "scenarios", false, "print the scenarios of both sides and exit")
	if err := flags.Parse(args); err != nil {
		return c, err
	}

	if flags.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q: all settings are flags, see -h", flags.Arg(0))
		fmt.Fprintln(out, err) // the exit code reports the error too
		return c, err
	}

	if err := c.parseLists(); err != nil {
		fmt.Fprintln(out, err) // the same
		return c, err
	}

	return c, nil
}

// parseLists reads the flags that become lists and maps.
func (c *Config) parseLists() (err error) {
	if c.AppProjects, err = parseAppProjects(c.appProjects); err != nil {
		return err
	}
	if c.People, err = parsePeople(c.people); err != nil {
		return err
	}
	for _, list := range []struct {
		flag   string
		target *map[string]string
	}{
		{flag: c.slackPeople, target: &c.SlackPeople},
		{flag: c.slackGuests, target: &c.SlackGuests},
		{flag: c.slackChannels, target: &c.SlackChannels},
	} {
		if *list.target, err = parseSlackIDs(list.flag); err != nil {
			return err
		}
	}

	return nil
}
