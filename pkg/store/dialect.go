package store

import (
	"context"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// dialect is what SQLite and PostgreSQL do differently. The leases of rows differ, too: see
// rowLeases. Identity, which only PostgreSQL has, asks for the type. Both clockSkew methods are in
// clock.go.
type dialect interface {
	// write does one thing in a transaction. nil means that it is on disk.
	write(ctx context.Context, do func(*tx) error) error
	// receive does the same for a sender that waits for an answer: on SQLite, where all writes take turns, it does not
	// wait behind those of workers.
	receive(ctx context.Context, do func(*tx) error) error
	// accept stores a delivery, in one transaction with others that come in at the same time.
	accept(ctx context.Context, in *incoming) error
	// lockEnvironments makes other writers to these rows' environments and projects wait until the
	// transaction ends.
	lockEnvironments(t *tx, rows []deployment.Deployment) error
	// lockLocks makes starts, and others who change locks, wait until the transaction ends.
	lockLocks(t *tx) error
	// clockSkew is how far this process's clock is ahead of the database's.
	clockSkew(ctx context.Context) (time.Duration, error)
	// ping says whether the database can be written.
	ping(ctx context.Context) error
	// sql gives the parts of statements that differ.
	sql() fragments
	// close commits what waits, closes the connections, and gives up locks.
	close() error
}

// fragments are the parts of statements in which the dialects differ.
type fragments struct {
	forUpdate   string // at the end of a SELECT: keeps the row from other writers until the transaction ends
	endLease    string // in an UPDATE's SET: ends the lease of the row
	extendLease string // in an UPDATE's SET that has a time as its last parameter: the lease ends then
	endReports  string // in an UPDATE's SET: ends the lease of its reports
	freeRow     string // in a WHERE that has the time as $1: the row is not leased
	freeReports string // in a WHERE that has the time as $1: its reports are not leased

	idIn string // in a WHERE that has a list of ids as $1: the id is one of them; empty where one process writes

	leasedReports string // in a SELECT: when the lease of the reports ends
}
