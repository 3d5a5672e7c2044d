package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/app"
	"github.com/seraph-deploy/seraph/pkg/cli"
	"github.com/seraph-deploy/seraph/pkg/config"
)

// checkTimeout bounds all questions to GitHub and CircleCI together.
const checkTimeout = 2 * time.Minute

func (p *program) checkCommand() *cobra.Command {
	offline := false
	check := &cobra.Command{
		Use:   "check [--offline]",
		Short: "check the configuration, and ask GitHub and CircleCI whether it is right",
		Long: "Check the configuration and print every problem at once. Then ask GitHub and CircleCI whether\n" +
			"they accept the credentials, and whether each route's project and pipeline definition exist.\n" +
			"Exit code 1 means that something there is wrong, 2 that the configuration is.",
		Example: "seraph check --env-file deploy/example.env --env-file .env",
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.check(cmd.Context(), offline) },
	}

	check.Flags().BoolVar(&offline, "offline", false, "do not ask GitHub and CircleCI")
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

	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	findings, err := app.Check(ctx, cfg, offline)
	if err != nil {
		return err
	}

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
