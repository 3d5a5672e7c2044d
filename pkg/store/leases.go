package store

import (
	"context"
	"time"
)

// AcquireLease takes the named lease for so long. acquired is false while another process holds it.
// note is what the last holder left.
//
// Named leases keep several processes from doing the same periodic work at the same time, and no
// more: once it is released the next process may do the work again, and a holder that loses its
// lease is not told. So leased work must be idempotent.
func (s Leases) AcquireLease(
	ctx context.Context,
	name string,
	hold time.Duration,
) (note string, acquired bool, err error) {
	type lease struct {
		note     string
		acquired bool
	}

	l, err := writeFor(ctx, s.db, func(t *tx) (l lease, err error) {
		_, err = t.exec(`INSERT INTO duties (name) VALUES ($1) ON CONFLICT (name) DO NOTHING`, name)
		if err != nil {
			return l, err
		}

		l.acquired, err = changedOne(t.exec(
			`UPDATE duties SET held_until = $2 WHERE name = $1 AND held_until <= $3`,
			name,
			micros(t.now.Add(hold)),
			micros(t.now),
		))
		if err != nil || !l.acquired {
			return l, err
		}

		err = t.row(`SELECT note FROM duties WHERE name = $1`, []any{name}, &l.note)
		return l, err
	})

	return l.note, l.acquired, err
}

// RenewLease holds a lease for longer.
func (s Leases) RenewLease(ctx context.Context, name string, hold time.Duration) error {
	return s.db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE duties SET held_until = $2 WHERE name = $1`, name, micros(t.now.Add(hold)))
		return err
	})
}

// ReleaseLease ends a lease and leaves a note for the next holder.
func (s Leases) ReleaseLease(ctx context.Context, name, note string) error {
	return s.db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE duties SET note = $2, held_until = 0 WHERE name = $1`, name, note)
		return err
	})
}
