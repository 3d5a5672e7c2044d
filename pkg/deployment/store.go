package deployment

import (
	"errors"
	"fmt"
	"time"
)

// TaskKind says what is to be done for a row.
type TaskKind string

// AlarmAdvance: look at the deployment. AlarmReport: send its next report.
const (
	TaskAdvance TaskKind = "advance"
	TaskReport  TaskKind = "report"
)

// Task says that a row is due. It is only a bell: the row says what is to be done, and whether.
type Task struct {
	Kind TaskKind
	Row  int64
}

// ErrVersionConflict says that somebody else has written the row since it was read: start over.
var ErrVersionConflict = errors.New("the deployment was changed by another worker in the meantime")

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("no such deployment")

// What a deployment can be kept from starting by.
const (
	BlockedByOrder       = "order"       // an older deployment of the same environment waits
	BlockedByEnvironment = "environment" // another deployment holds the environment's slot
	BlockedByProject     = "project"     // another trigger of the CircleCI project may be in the air
	BlockedByLock        = "lock"        // somebody's lock covers the environment; ID is the lock's
	BlockedByNewer       = "newer"       // a newer deployment of the same environment has started: this one never will
)

// BlockedError says that a deployment may not start now.
type BlockedError struct {
	On    string // one of the Busy constants
	ID    int64  // GitHub's id of the deployment in the way
	State State  // its state
}

// Error names what is in the way.
func (b *BlockedError) Error() string {
	return fmt.Sprintf("%s is busy with deployment %d (%s)", b.On, b.ID, b.State)
}

// PipelineTakenError says that a pipeline already belongs to another row.
type PipelineTakenError struct {
	PipelineID string
	Row        int64
}

// Error names the pipeline and its row.
func (t *PipelineTakenError) Error() string {
	return fmt.Sprintf("pipeline %s already belongs to row %d", t.PipelineID, t.Row)
}

// KnownPipeline is what the store remembers of a pipeline.
type KnownPipeline struct {
	Row       int64 // of the deployment that owns it; 0 for a foreigner
	Unclaimed bool  // a look-up saw it and nobody adopted it
}

// Filter selects deployments for the API. Empty fields select all.
type Filter struct {
	Repository  string // owner/name, in any case
	Environment string // in any case
	State       State
	Limit       int   // 1 to 200
	Before      int64 // only rows below this one; 0: from the newest
}

// Record is one deployment with its history.
type Record struct {
	Deployment Deployment
	Timeline   []Entry
	Reports    []Report
	Leased     time.Time // with LeaseReports: the end of the lease, which is also its name
}

// Stats is what the metrics show of the rows.
type Stats struct {
	Open          map[State]int // deployments that have not ended, by state
	ReportsUnsent int
	OldestDue     time.Duration // how long the most overdue row has been waiting for a worker; 0: none is overdue
}

// Source is a repository whose deployments can be listed, and the GitHub App installation that sees
// it (0: look it up, or none is needed).
type Source struct {
	Repository   Repository
	Installation int64
}
