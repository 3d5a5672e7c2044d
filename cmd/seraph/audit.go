package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/app"
)

// verifyAudit proves the audit. A head is SEQ:HASH, as it prints it: written down elsewhere, it shows later that nothing before it was made up anew.
func verifyAudit(ctx context.Context, head string, stdout, stderr io.Writer) int {
	noted, err := parseHead(head)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitConfig
	}
	cfg, ok := load(stderr)
	if !ok {
		return exitConfig
	}
	found, err := app.VerifyAudit(ctx, cfg, noted)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitFailed
	}
	_, _ = fmt.Fprintf(stdout, "the audit is whole: %d records, head %d:%s\n", found.Seq, found.Seq, found.Hash)
	return exitOK
}

func parseHead(text string) (*app.AuditHead, error) {
	if text == "" {
		return nil, nil
	}
	seq, hash, ok := strings.Cut(text, ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	if !ok || err != nil || len(hash) != 64 {
		return nil, fmt.Errorf("a head is SEQ:HASH, as seraph audit verify prints it")
	}
	return &app.AuditHead{Seq: n, Hash: hash}, nil
}

// exportAudit prints the audit as JSON lines.
func exportAudit(ctx context.Context, stdout, stderr io.Writer) int {
	cfg, ok := load(stderr)
	if !ok {
		return exitConfig
	}
	if err := app.ExportAudit(ctx, cfg, stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return exitOK
}
