package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/app"
	"github.com/seraph-deploy/seraph/pkg/config"
)

// checkTimeout bounds all questions to GitHub and CircleCI together.
const checkTimeout = 2 * time.Minute

func (p *program) checkCommand() *command {
	offline, routes := false, ""
	return &command{
		name:      "check",
		arguments: "[--offline [--routes FILE]]",
		short:     "check the configuration, and ask GitHub and CircleCI whether it is right",
		long: "Check the configuration and print every problem at once. Then ask GitHub and CircleCI whether\n" +
			"they accept the credentials, and whether each route's project and pipeline definition exist.\n" +
			"Exit code 1 means that something there is wrong, 2 that the configuration is.\n\n" +
			"With --offline --routes, only a routes file is checked, and no other setting and no secret is\n" +
			"needed: for the CI of the repository in which the routes are kept.",
		example: "seraph check --env-file deploy/example.env --env-file .env",
		flags: func(flags *flag.FlagSet) {
			flags.BoolVar(&offline, "offline", false, "do not ask GitHub and CircleCI")
			flags.StringVar(&routes, "routes", "", "check only this routes `FILE`; needs --offline")
		},
		check: func(args []string) error {
			if routes != "" && !offline {
				return errors.New("--routes needs --offline: without it, check asks about the configured routes")
			}
			return noArguments(args)
		},
		run: func(ctx context.Context, _ []string) error {
			if routes != "" {
				return p.checkRoutes(routes)
			}
			return p.check(ctx, offline)
		},
	}
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

	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
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
		return exitError{exitFailed}
	}

	return nil
}
