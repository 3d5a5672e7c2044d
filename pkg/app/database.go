package app

import (
	"context"
	"errors"
	"io"

	"github.com/seraph-deploy/seraph/pkg/audit"
	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/store"
)

// AuditHead is the newest record of the audit: its number and its hash.
type AuditHead = audit.Head

// VerifyAudit checks that no record of the audit in a database was changed, removed or inserted, while the service
// may be running. noted is an earlier head, which must still be part of the audit; nil: none.
func VerifyAudit(ctx context.Context, database config.Secret, noted *AuditHead) (AuditHead, error) {
	source, err := store.OpenAudit(ctx, database.Reveal())
	if err != nil {
		return AuditHead{}, err
	}

	head, err := audit.Verify(ctx, source, noted)
	return head, errors.Join(err, source.Close())
}

// ExportAudit writes the audit in a database as JSON lines, while the service may be running.
func ExportAudit(ctx context.Context, database config.Secret, out io.Writer) error {
	source, err := store.OpenAudit(ctx, database.Reveal())
	if err != nil {
		return err
	}
	return errors.Join(audit.Export(ctx, source, out), source.Close())
}

// Backup copies a database to a new file, while the service may be running.
func Backup(ctx context.Context, database config.Secret, file string) error {
	return store.Backup(ctx, database.Reveal(), file)
}

// CheckDatabase says why the database of a configuration could not be opened or would keep nothing,
// as far as that can be seen without making a file. The error is config.Problems, or nil.
func CheckDatabase(cfg *config.Config) error {
	if err := store.CheckURL(cfg.DatabaseURL.Reveal()); err != nil {
		return config.Problems{config.Prefix + "DATABASE_URL: " + err.Error()}
	}
	return nil
}
