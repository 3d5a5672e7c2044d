package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/seraph-deploy/seraph/pkg/client"
	"github.com/seraph-deploy/seraph/pkg/config"
)

func (p *program) gateCommand() *command {
	query := url.Values{}
	return &command{
		name:      "gate",
		arguments: "--repository OWNER/NAME --environment NAME --sha SHA",
		short:     "ask a running service whether a commit may be deployed now",
		long: "Ask the service at SERAPH_API_URL, with SERAPH_API_TOKEN, whether a commit may be deployed now,\n" +
			"and print what each rule says. Exit code 0 means allowed, 3 wait, 4 rejected, and 1 that there\n" +
			"was no answer.",
		example: `seraph gate --repository acme/api --environment production --sha "$(git rev-parse HEAD)" --actor alice`,

		flags: func(flags *flag.FlagSet) { gateFlags(flags, query) },
		check: func(args []string) error {
			for _, name := range []string{"repository", "environment", "sha"} {
				if query.Get(name) == "" {
					return fmt.Errorf("gate needs --%s", name)
				}
			}

			return noArguments(args)
		},
		run: func(ctx context.Context, _ []string) error { return p.gate(ctx, query) },
	}
}

// gateFlags has a flag for each parameter of the question.
func gateFlags(flags *flag.FlagSet, query url.Values) {
	for _, parameter := range []struct{ name, usage string }{
		{"repository", "the repository, `OWNER/NAME`"},
		{"environment", "the environment, `NAME`"},
		{"sha", "the commit, `SHA` of 40 or 64 hex digits"},
		{"ref", "the branch or tag, `REF`; needed where the route has the rule refs"},
		{"actor", "who would deploy, `LOGIN`; needed where the route has the rule allow"},
		{"task", "the task, `TASK`; needed where it is not the usual one"},
	} {
		flags.Func(parameter.name, parameter.usage, func(value string) error {
			query.Set(parameter.name, value)
			return nil
		})
	}
}

// gate prints the service's verdict, and tells scripts by the exit code.
func (p *program) gate(ctx context.Context, query url.Values) error {
	cfg, err := config.LoadClient()
	if err != nil {
		return err
	}

	for _, warning := range cfg.Warnings {
		_, _ = fmt.Fprintln(p.stderr, "warning: "+warning)
	}

	verdict, err := client.New(client.Options{URL: cfg.URL, Token: cfg.Token.Reveal()}).Gate(ctx, query)
	if err != nil {
		return err
	}

	p.printVerdict(verdict)
	switch verdict.Decision {
	case "allow":
		return nil
	case "wait":
		return exitError{exitWait}
	default:
		return exitError{exitReject}
	}
}

// printVerdict prints the decision, and one line for each rule.
func (p *program) printVerdict(verdict client.Verdict) {
	decision := verdict.Decision
	if verdict.Reason != "" {
		decision += ": " + verdict.Reason
	}
	if verdict.OpensAt != nil {
		decision += " (until " + verdict.OpensAt.Format(time.RFC3339) + ")"
	}

	_, _ = fmt.Fprintln(p.stdout, decision)

	table := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
	for _, rule := range verdict.Rules {
		decision := rule.Decision
		if rule.Forced {
			decision += " (forced)"
		}

		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", rule.Rule, decision, rule.Code, rule.Message)
	}

	_ = table.Flush() // the exit code tells scripts, whether or not the text can be printed
}
