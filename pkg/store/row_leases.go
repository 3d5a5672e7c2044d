package store

import (
	"context"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// leaseFor is how long a lease keeps other workers from a row, or from its reports. During a trigger
// the lease of the row is longer by the time that the call may take: see leaseEnd. It may end while
// its worker still works: then the row's version, or for reports the end of the lease, keeps the
// worker from writing.
const leaseFor = 25 * time.Second

// longestLease is longer than any lease. One that ends later was taken by a clock that has been set back
// since, and does not count. The fragments freeRow and freeReports have it in microseconds.
const longestLease = 10 * time.Minute

// leaseEnd is when a lease ends that covers a call which begins now.
func leaseEnd(now time.Time, callTimeout time.Duration) time.Time {
	return now.Add(leaseFor + min(callTimeout, longestLease-2*leaseFor))
}

// rowLeases are the leases of rows and of their reports.
type rowLeases interface {
	// take leases the row of a task if the task is due and nobody else has it, and reads columns of
	// the row. now is the moment at which the lease begins.
	take(
		ctx context.Context,
		task deployment.Task,
		columns string,
		scan func(scanner) error,
	) (now time.Time, ok bool, err error)
	// extended is called after a commit that moved the end of this process's lease.
	extended(task deployment.Task, until time.Time)
	// giveBack ends a lease whose row was not written, if it is still this process's.
	giveBack(ctx context.Context, task deployment.Task) error
	// ended is called after a commit that ended a lease.
	ended(task deployment.Task)
	// isTaken reports a lease that the fragments freeRow and freeReports do not see.
	isTaken(task deployment.Task, now time.Time) bool
	// isCurrent reports whether a lease that ends at a moment is still the one that stands.
	// column is what the fragment leasedReports gave.
	isCurrent(task deployment.Task, until time.Time, column int64) bool
}

// Lease gives a row that is due to one worker for 25 s, and says in Woken whether it was made due
// before the time that was saved with it. ok is false when the row is not due, or another worker
// has it.
func (s DueRows) Lease(ctx context.Context, row int64) (d deployment.Deployment, ok bool, err error) {
	now, ok, err := s.db.leases.take(ctx, advanceTask(row), deploymentColumns, func(s scanner) (err error) {
		d, err = scanDeployment(s)
		return err
	})
	if !ok {
		return d, false, err
	}

	d.Woken = d.Due.After(now)
	return d, true, nil
}

// Unlease ends the lease of a row that was not written.
func (s DueRows) Unlease(ctx context.Context, row int64) error {
	return s.db.leases.giveBack(ctx, advanceTask(row))
}
