package deployment

import (
	"errors"
	"fmt"
	"time"
)

// TaskKind says what is to be done for a row.
type TaskKind string

// The kinds.
const (
	TaskAdvance TaskKind = "advance" // take the deployment's next step
	TaskReport  TaskKind = "report"  // send its next report
	TaskCreate  TaskKind = "create"  // take the next step with a request that GitHub is to create
	TaskChat    TaskKind = "chat"    // work off what a chat system sent; never announced
)

// Task says that a row is due. It carries no work: the worker loads the row, which says whether
// there is something to do and what. With TaskCreate it is the row of an intent, with TaskChat of a
// ChatDelivery, otherwise of a deployment.
type Task struct {
	Kind TaskKind
	Row  int64
}

// MaxOpenRequests is how many deployments that somebody asked this service for may be open in one environment
// before they start. Rollbacks count by themselves, so that one is always possible.
const MaxOpenRequests = 20

// ErrTooManyOpen says that somebody has MaxOpenRequests open in an environment.
var ErrTooManyOpen = errors.New("add request: too many of the same person are open")

// ErrVersionConflict says that the row was written by somebody else since it was read. Load it again
// and start over.
var ErrVersionConflict = errors.New("write deployment: another worker has changed it")

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("deployment not found")

// What can keep a deployment from starting.
const (
	BlockedByOrder       = "order"       // an older deployment of the same environment waits
	BlockedByEnvironment = "environment" // another deployment holds the environment's slot
	BlockedByProject     = "project"     // another trigger of the CircleCI project may be in flight
	BlockedByLock        = "lock"        // a lock covers the environment
	BlockedByNewer       = "newer"       // a newer deployment of the same environment has started: this one never will
)

// BlockedError says that a deployment may not start now. The store returns it, because only the
// transaction that starts a deployment sees for certain what is in its way.
type BlockedError struct {
	On    string // one of the BlockedBy constants
	ID    int64  // GitHub's id of the deployment in the way; with BlockedByLock the lock's id
	State State  // the state of that deployment; empty with BlockedByLock
}

// Error names what is in the way.
func (b *BlockedError) Error() string {
	if b.On == BlockedByLock {
		return fmt.Sprintf("start deployment: blocked by lock %d", b.ID)
	}
	return fmt.Sprintf("start deployment: blocked by %s: deployment %d is %s", b.On, b.ID, b.State)
}

// PipelineTakenError says that a pipeline already belongs to another row.
type PipelineTakenError struct {
	PipelineID string
	Row        int64
}

// Error names the pipeline and its row.
func (t *PipelineTakenError) Error() string {
	return fmt.Sprintf("adopt pipeline %s: it belongs to row %d", t.PipelineID, t.Row)
}

// WaitsForProject is what a deployment waits for (BlockedBy) while another one triggers in its CircleCI
// project. Which one that is changes too often to be named.
const WaitsForProject = "another trigger in the same CircleCI project"

// Lease is a named lease of work that all processes together do once in a period.
type Lease struct {
	Name  string
	Note  string    // what the last holder left for the next one
	Until time.Time // when it ends by itself; it tells this holder from any other
}

// SaveOptions say how a row is saved.
type SaveOptions struct {
	KeepLease bool // the worker goes on with the row

	// CallTimeout is how long the call that follows may take. The lease then covers it; 0: the lease
	// ends when it would have ended.
	CallTimeout time.Duration
}

// Update is the next version of a row and what is saved beside it.
type Update struct {
	Next    Deployment
	Changes Changes
}

// KnownPipeline is what the store has on record about a pipeline.
type KnownPipeline struct {
	Row       int64 // the deployment that it belongs to; 0: none
	Unclaimed bool  // a look-up saw it and no deployment adopted it
}

// ClaimedPipeline is a pipeline that belongs to a deployment.
type ClaimedPipeline struct {
	ID  string
	Row int64 // of the deployment
}

// Filter selects deployments for the API. An empty field selects all.
type Filter struct {
	Repository  string // owner/name, in any case
	Environment string // in any case
	State       State
	Limit       int   // 1 to 200
	Before      int64 // only rows below this one; 0: from the newest
}

// Record is one deployment with its history.
type Record struct {
	Deployment  Deployment
	Timeline    []Entry
	Reports     []Report
	LeasedUntil time.Time // for LeaseReports: when the lease ends, which also identifies the lease
}

// Stats are the numbers that the metrics show of the rows.
type Stats struct {
	Open          map[State]int // deployments that have not ended, by state
	ReportsUnsent int
	ClockSkew     time.Duration // how far this process's clock is ahead of the database's
	OldestDue     time.Duration // how long the most overdue row has been waiting for a worker; 0: none is overdue
}

// Source is a repository, with the GitHub App installation through which it is read.
type Source struct {
	Repository   Repository
	Installation int64 // 0: it is looked up, or a token is used
}
