package store

import (
	"context"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// IgnoredDeliveries lists the deliveries of the last days that led to no deployment, newest first:
// those that no route wants, not those that came twice.
func (s Intake) IgnoredDeliveries(
	ctx context.Context,
	f deployment.DeliveryFilter,
) ([]deployment.IgnoredDelivery, error) {
	args := []any{micros(s.db.o.Now().Add(-deployment.KeepIgnored)), f.Limit}
	var where strings.Builder
	for _, c := range []struct{ column, value string }{
		{"repository", f.Repository},
		{"environment", f.Environment},
	} {
		if c.value != "" {
			args = append(args, strings.ToLower(c.value))
			where.WriteString(" AND lower(" + c.column + ") = " + placeholder(len(args)))
		}
	}

	rows, err := s.db.all(ctx, `
		SELECT guid, event, source, repository_id, deployment_id, received_at, ignored, repository, environment
		FROM deliveries
		WHERE ignored <> '' AND ignored <> 'duplicate' AND received_at >= $1`+where.String()+`
		ORDER BY received_at DESC, guid LIMIT $2`, args...)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, scanIgnored)
}

func scanIgnored(s scanner) (d deployment.IgnoredDelivery, err error) {
	var received int64
	err = s.Scan(
		&d.GUID,
		&d.Event,
		&d.Source,
		&d.RepositoryID,
		&d.DeploymentID,
		&received,
		&d.Reason,
		&d.Repository,
		&d.Environment,
	)
	d.ReceivedAt = at(received)
	return d, err
}
