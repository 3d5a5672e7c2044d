package store

import (
	"context"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Bounds of the times in a lease's row. A time that is further ahead was written by a clock that has
// been set back since, and does not count.
const (
	longestHold   = 10 * time.Minute
	longestPeriod = 2 * time.Hour
)

// errLeaseLost says that another process has taken a lease since.
var errLeaseLost = errors.New("another process holds the lease")

// AcquireLease takes the named lease for so long, if the time at which its work is due next is not
// after due. acquired is false while another process holds it, and before that time. The lease
// carries the note that the last holder left.
//
// Named leases have periodic work done once by all processes together. A holder that is held up for
// longer than its lease does not learn that another process does the work as well, so leased work must
// be idempotent.
func (s Leases) AcquireLease(
	ctx context.Context,
	name string,
	hold time.Duration,
	due time.Time,
) (lease deployment.Lease, acquired bool, err error) {
	type result struct {
		lease    deployment.Lease
		acquired bool
	}

	r, err := writeFor(ctx, s.db, func(t *tx) (r result, err error) {
		_, err = t.exec(`INSERT INTO duties (name) VALUES ($1) ON CONFLICT (name) DO NOTHING`, name)
		if err != nil {
			return r, err
		}

		r.lease = deployment.Lease{Name: name, Until: asStored(t.now.Add(hold))}
		r.acquired, err = changedOne(t.exec(`
			UPDATE duties
			SET held_until = $2
			WHERE name = $1 AND (held_until <= $3 OR held_until > $4) AND (next_at <= $5 OR next_at > $6)`,
			name,
			micros(r.lease.Until),
			micros(t.now),
			micros(t.now.Add(longestHold)),
			micros(due),
			micros(t.now.Add(longestPeriod)),
		))
		if err != nil || !r.acquired {
			return r, err
		}

		err = t.row(`SELECT note FROM duties WHERE name = $1`, []any{name}, &r.lease.Note)
		return r, err
	})

	return r.lease, r.acquired, err
}

// RenewLease holds a lease for longer. It changes nothing and returns an error if another process has
// taken the lease since.
func (s Leases) RenewLease(
	ctx context.Context,
	lease deployment.Lease,
	hold time.Duration,
) (deployment.Lease, error) {
	until, err := writeFor(ctx, s.db, func(t *tx) (time.Time, error) {
		until := asStored(t.now.Add(hold))
		mine, err := changedOne(t.exec(
			`UPDATE duties SET held_until = $3 WHERE name = $1 AND held_until = $2`,
			lease.Name,
			micros(lease.Until),
			micros(until),
		))
		if err != nil {
			return until, err
		}
		if !mine {
			return until, errLeaseLost
		}

		return until, nil
	})
	if err != nil {
		return lease, err
	}

	lease.Until = until
	return lease, nil
}

// ReleaseLease ends a lease, leaves its note for the next holder, and says when the work is due next;
// zero: at once. It changes nothing if another process has taken the lease since.
func (s Leases) ReleaseLease(ctx context.Context, lease deployment.Lease, next time.Time) error {
	nextAt := int64(0)
	if !next.IsZero() {
		nextAt = micros(next)
	}

	return s.db.write(ctx, func(t *tx) error {
		_, err := t.exec(
			`UPDATE duties SET note = $3, next_at = $4, held_until = 0 WHERE name = $1 AND held_until = $2`,
			lease.Name,
			micros(lease.Until),
			lease.Note,
			nextAt,
		)
		return err
	})
}
