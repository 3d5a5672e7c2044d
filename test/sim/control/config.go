package control

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// Config says where the two simulators and their control listen and where they send webhooks.
type Config struct {
	GitHub          string // listen addresses
	CircleCI        string
	Control         string
	Webhook         string // where GitHub's events go
	CircleCIWebhook string // where CircleCI's go
	Secret          string // signs GitHub's
	CircleCISecret  string // signs CircleCI's
	Token           string // a personal access token for GitHub
	CircleCIToken   string
	Repositories    string // comma-separated, there from the start; others come with their first deployment
	AppProjects     []appProject
	Step            time.Duration // length of a stage of CircleCI's stories
	Enterprise      bool          // GitHub Enterprise Server: below /api/v3, without rate limits
	ListScenarios   bool

	appProjects string // the text of AppProjects
}

// setting is one flag that an environment variable may set as well.
type setting struct {
	name, fallback, usage string
	target                *string
}

func (c *Config) settings() []setting {
	return []setting{
		{name: "github", fallback: "127.0.0.1:9001", usage: "where the simulated GitHub listens", target: &c.GitHub},
		{
			name:     "circleci",
			fallback: "127.0.0.1:9002",
			usage:    "where the simulated CircleCI listens (API below /api/v2)",
			target:   &c.CircleCI,
		},
		{name: "control", fallback: "127.0.0.1:9003", usage: "where the control API listens", target: &c.Control},
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
		{name: "secret", fallback: "simulated-github-secret", usage: "signs GitHub's events", target: &c.Secret},
		{
			name:     "circleci-secret",
			fallback: "simulated-circleci-secret",
			usage:    "signs CircleCI's events",
			target:   &c.CircleCISecret,
		},
		{
			name:     "token",
			fallback: "simulated-github-token",
			usage:    "the personal access token GitHub takes",
			target:   &c.Token,
		},
		{
			name:     "circleci-token",
			fallback: "simulated-circleci-token",
			usage:    "the personal token CircleCI takes",
			target:   &c.CircleCIToken,
		},
		{
			name:     "repositories",
			fallback: "acme/api,acme/web,acme/shop",
			usage:    "repositories that are there from the start, comma-separated",
			target:   &c.Repositories,
		},
		{
			name:     "app-projects",
			fallback: exampleAppProject,
			usage:    "projects of CircleCI's GitHub App, SLUG=OWNER/NAME@DEFINITION, comma-separated",
			target:   &c.appProjects,
		},
	}
}

// exampleAppProject is the project that deploy/routes.example.yaml names.
const exampleAppProject = "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat=acme/web@3f0c9f6e-2b1a-4f6d-9c57-0d1e2f3a4b5c"

// Parse reads the flags; each may be given as an environment variable too, -circleci-token as
// SERAPH_SIM_CIRCLECI_TOKEN. The flag wins. Usage and mistakes are written to out; the error is
// flag.ErrHelp after -h.
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

	flags.DurationVar(&c.Step, "step", 2*time.Second, "how long each stage of a pipeline takes")
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
		fmt.Fprintln(out, err) // nothing to be done
		return c, err
	}

	projects, err := parseAppProjects(c.appProjects)
	if err != nil {
		fmt.Fprintln(out, err) // as above
		return c, err
	}

	c.AppProjects = projects
	return c, nil
}
