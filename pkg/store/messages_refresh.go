package store

import "context"

// RefreshMessages makes the messages about a deployment due now, such as after an approval, which does not change the
// deployment itself.
func (s Messages) RefreshMessages(ctx context.Context, row int64) error {
	return s.db.write(ctx, func(t *tx) error {
		_, err := t.exec(`
			UPDATE cards
			SET
				touched = touched + 1,
				due_at = CASE WHEN due_at < $2 THEN due_at ELSE CAST($2 AS BIGINT) END
			WHERE row_id = $1`,
			row,
			micros(t.now),
		)
		return err
	})
}
