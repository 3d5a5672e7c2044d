package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/app"
	"github.com/seraph-deploy/seraph/pkg/cli"
	"github.com/seraph-deploy/seraph/pkg/config"
)

// checkTimeout bounds all questions to GitHub, CircleCI and Slack together.
const checkTimeout = 2 * time.Minute

// errTooSlow is why a check ends before everything was checked.
var errTooSlow = fmt.Errorf("the check has taken %d minutes", int(checkTimeout.Minutes()))

func (p *program) checkCommand() *cobra.Command {
	offline, routes := false, ""
	check := &cobra.Command{
		Use:   "check [--offline [--routes FILE]]",
		Short: "check the configuration, and ask GitHub, CircleCI and Slack whether it is right",
		Long: "Check the configuration and print every problem at once. Then ask GitHub, CircleCI and, where it\n" +
			"is on, Slack whether they accept the credentials, and whether each route's repository, project,\n" +
			"pipeline definition and channels can be used.\n" +
			"What cannot be checked within two minutes is listed at the end. Exit code 1 means that something\n" +
			"there is wrong or was not checked, 2 that the configuration is wrong.\n\n" +
			"With --offline --routes, only a routes file is checked, and no other setting and no secret is\n" +
			"needed: for the CI of the repository in which the routes are kept.",
		Example: "seraph check --env-file deploy/example.env --env-file .env",

		Args: func(cmd *cobra.Command, args []string) error {
			if routes != "" && !offline {
				return errors.New("--routes needs --offline: without it, check asks about the configured routes")
			}
			return noArguments(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if routes != "" {
				return p.checkRoutes(routes)
			}
			ctx, stop := p.untilSignal(cmd.Context())
			defer stop()
			return p.check(ctx, offline)
		},
	}

	check.Flags().BoolVar(&offline, "offline", false, "do not ask GitHub, CircleCI and Slack")
	check.Flags().StringVar(&routes, "routes", "", "check only this routes `FILE`; needs --offline")
	return check
}

func (p *program) check(ctx context.Context, offline bool) error {
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	if err := app.CheckDatabase(cfg); err != nil {
		return err
	}

	for _, warning := range cfg.Warnings {
		_, _ = fmt.Fprintln(p.stdout, "warning: "+warning)
	}

	ctx, cancel := context.WithTimeoutCause(ctx, checkTimeout, errTooSlow)
	defer cancel()
	findings, err := app.Check(ctx, cfg, offline)
	if err != nil {
		return err
	}

	return p.printFindings(findings)
}

// printFindings prints what a check found. The error says that something is wrong.
func (p *program) printFindings(findings []app.Finding) error {
	wrong := false
	for _, finding := range findings {
		_, _ = fmt.Fprintln(p.stdout, finding.String())
		wrong = wrong || finding.Level == app.Wrong
	}

	if wrong {
		return cli.ExitError{Code: cli.ExitFailed}
	}

	return nil
}
