package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/app"
	"github.com/seraph-deploy/seraph/pkg/config"
)

func (p *program) auditCommand() *cobra.Command {
	audit := &cobra.Command{
		Use:     "audit verify|export",
		Short:   "verify or print the record of who did what",
		Example: "seraph audit verify\nseraph audit export > audit.jsonl",
	}
	audit.AddCommand(p.auditVerifyCommand(), p.auditExportCommand())
	return audit
}

func (p *program) auditVerifyCommand() *cobra.Command {
	var head string
	var noted *app.AuditHead
	verify := &cobra.Command{
		Use:   "verify [--head SEQ:HASH]",
		Short: "verify that no audit record was changed, removed or added",
		Long: "Verify the hash chain of the audit records in the database that SERAPH_DATABASE_URL names, and\n" +
			"print its head. The service may run meanwhile. No other setting is needed.\n\n" +
			"Keep a printed head in another place: given as --head later, it shows that the chain was not\n" +
			"written anew.",
		Example: "seraph audit verify",

		Args: func(cmd *cobra.Command, args []string) (err error) {
			if noted, err = parseHead(head); err != nil {
				return err
			}
			return noArguments(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := p.untilSignal(cmd.Context())
			defer stop()
			return p.verifyAudit(ctx, noted)
		},
	}

	verify.Flags().StringVar(&head, "head", "", "a head, `SEQ:HASH`, that an earlier run printed")
	return verify
}

func (p *program) verifyAudit(ctx context.Context, noted *app.AuditHead) error {
	database, err := config.LoadDatabaseURL()
	if err != nil {
		return err
	}

	found, err := app.VerifyAudit(ctx, database, noted)
	if err != nil {
		return err
	}

	_, err = fmt.Fprintf(p.stdout, "audit log verified: %d records, head %d:%s\n", found.Seq, found.Seq, found.Hash)
	return err
}

// parseHead reads SEQ:HASH, as `seraph audit verify` prints it. It returns nil for an empty text.
func parseHead(text string) (*app.AuditHead, error) {
	if text == "" {
		return nil, nil
	}

	seq, hash, found := strings.Cut(text, ":")
	number, err := strconv.ParseInt(seq, 10, 64)
	if !found || err != nil || len(hash) != 64 {
		return nil, errors.New("--head must be SEQ:HASH, as `seraph audit verify` prints it")
	}

	return &app.AuditHead{Seq: number, Hash: hash}, nil
}

func (p *program) auditExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "print the audit as JSON lines",
		Long: "Print the audit in the database that SERAPH_DATABASE_URL names as JSON lines, oldest first. The\n" +
			"service may run meanwhile. No other setting is needed.",
		Example: "seraph audit export > audit.jsonl",
		RunE: func(cmd *cobra.Command, _ []string) error {
			database, err := config.LoadDatabaseURL()
			if err != nil {
				return err
			}

			ctx, stop := p.untilSignal(cmd.Context())
			defer stop()
			return app.ExportAudit(ctx, database, p.stdout)
		},
	}
}
