package store

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Postpone sets when a row is due and ends its lease, and leaves the rest of the row as it is. Its errors
// are those of Save.
func (s DueRows) Postpone(ctx context.Context, next deployment.Deployment) error {
	err := s.db.write(ctx, func(t *tx) error {
		old, err := t.readVersion(next)
		if err != nil {
			return err
		}

		due, err := t.dueAfterSave(old, next)
		if err != nil {
			return err
		}

		_, err = t.exec(
			`UPDATE deployments SET due_at = $2`+t.fragments().endLease+` WHERE row_id = $1`,
			next.Row,
			nullTime(due),
		)
		if err != nil {
			return err
		}

		t.wake(advanceTask(next.Row), due)
		return nil
	})
	if err != nil {
		return err
	}

	s.db.leases.ended(advanceTask(next.Row))
	return nil
}
