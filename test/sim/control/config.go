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
	name, standard, usage string
	target                *string
}

func (c *Config) settings() []setting {
	return []setting{
		{"github", "127.0.0.1:9001", "where the simulated GitHub listens", &c.GitHub},
		{"circleci", "127.0.0.1:9002", "where the simulated CircleCI listens (API below /api/v2)", &c.CircleCI},
		{"control", "127.0.0.1:9003", "where the control API listens", &c.Control},
		{"webhook", "http://127.0.0.1:8080/webhooks/github", "where GitHub sends its events", &c.Webhook},
		{"circleci-webhook", "http://127.0.0.1:8080/webhooks/circleci", "where CircleCI sends its events", &c.CircleCIWebhook},
		{"secret", "simulated-github-secret", "signs GitHub's events", &c.Secret},
		{"circleci-secret", "simulated-circleci-secret", "signs CircleCI's events", &c.CircleCISecret},
		{"token", "simulated-github-token", "the personal access token GitHub takes", &c.Token},
		{"circleci-token", "simulated-circleci-token", "the personal token CircleCI takes", &c.CircleCIToken},
		{"repositories", exampleRepositories, "repositories that are there from the start, comma-separated", &c.Repositories},
		{"app-projects", exampleAppProject, "projects of CircleCI's GitHub App, SLUG=OWNER/NAME@DEFINITION,...", &c.appProjects},
	}
}

// What deploy/routes.example.yaml names.
const (
	exampleRepositories = "acme/api,acme/web,acme/shop"
	exampleAppProject   = "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat=acme/web@" +
		"3f0c9f6e-2b1a-4f6d-9c57-0d1e2f3a4b5c"
)

// Parse reads the flags; each may be given as an environment variable too, -circleci-token as
// SERAPH_SIM_CIRCLECI_TOKEN. The flag wins. Usage and mistakes are written to out; the error is flag.ErrHelp after -h.
func Parse(args []string, getenv func(string) string, out io.Writer) (Config, error) {
	var c Config
	flags := flag.NewFlagSet("seraph-sim", flag.ContinueOnError)
	flags.SetOutput(out)
	for _, s := range c.settings() {
		standard := s.standard
		variable := "SERAPH_SIM_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
		if value := getenv(variable); value != "" {
			standard = value
		}
		flags.StringVar(s.target, s.name, standard, s.usage+" ("+variable+")")
	}
	flags.DurationVar(&c.Step, "step", 2*time.Second, "how long each stage of a pipeline takes")
	flags.BoolVar(&c.Enterprise, "enterprise", false, "be a GitHub Enterprise Server: API below /api/v3, no rate limits")
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
