package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/app"
	"github.com/seraph-deploy/seraph/pkg/config"
)

func (p *program) auditCommand() *command {
	return &command{
		name:      "audit",
		arguments: "verify|export",
		short:     "verify or print the record of who did what",
		example:   "seraph audit verify\nseraph audit export > audit.jsonl",
		check: func(args []string) error {
			if len(args) == 0 {
				return errors.New("audit needs a command: verify or export")
			}

			name := "audit " + args[0]
			return fmt.Errorf("unknown command %q%s", name, suggestion(name, "", p.names()))
		},
		run: func(context.Context, []string) error { return nil }, // not reached: check always refuses
	}
}

func (p *program) auditVerifyCommand() *command {
	var head string
	var noted *app.AuditHead
	return &command{
		name:      "audit verify",
		arguments: "[--head SEQ:HASH]",
		short:     "verify that no audit record was changed, removed or added",
		long: "Verify the hash chain of the audit records, and print its head. Keep a printed head in another\n" +
			"place: given as --head later, it shows that the chain was not written anew.",
		example: "seraph audit verify",

		flags: func(flags *flag.FlagSet) {
			flags.StringVar(&head, "head", "", "a head, `SEQ:HASH`, that an earlier run printed")
		},
		check: func(args []string) (err error) {
			if noted, err = parseHead(head); err != nil {
				return err
			}

			return noArguments(args)
		},
		run: func(ctx context.Context, _ []string) error { return p.verifyAudit(ctx, noted) },
	}
}

func (p *program) verifyAudit(ctx context.Context, noted *app.AuditHead) error {
	cfg, err := config.Load()
	if err != nil {
		return err
	}

	found, err := app.VerifyAudit(ctx, cfg, noted)
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

func (p *program) auditExportCommand() *command {
	return &command{
		name:    "audit export",
		short:   "print the audit as JSON lines",
		example: "seraph audit export > audit.jsonl",
		run: func(ctx context.Context, _ []string) error {
			cfg, err := config.Load()
			if err != nil {
				return err
			}

			return app.ExportAudit(ctx, cfg, p.stdout)
		},
	}
}
