package policy

import (
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Request is what is to be decided: a deployment, or a question about one that there is not yet.
type Request struct {
	Deployment  int64 // GitHub's id; 0: only a question
	Repository  string
	Environment string
	Ref         string // as GitHub sent it; empty in a question that names none
	SHA         string
	Requester   deployment.Actor  // the creator, unless this service created it for somebody
	Creator     deployment.Actor  // as GitHub says
	AcceptedAt  time.Time         // zero in a question
	Parameters  string            // digest of the target and its parameters; approvals are bound to it
	Force       *deployment.Force // nil: nobody forces it
}

// Fact is something that was asked. What is not Known was not asked, or could not be answered:
// Problem then says why, for people.
type Fact[T any] struct {
	Value   T
	Known   bool
	Problem string
}

// Known makes a known fact.
func Known[T any](v T) Fact[T] { return Fact[T]{Value: v, Known: true} }

// Unknown makes a fact that could not be had.
func Unknown[T any](problem string) Fact[T] { return Fact[T]{Problem: problem} }

// Facts are what the rules need to know, gathered before they decide. Only what Needs names must be
// there.
type Facts struct {
	Requester Fact[Membership]
	Forcer    Fact[Membership] // of Request.Force.By; the requester's own where they are the same
	Deployed  Fact[string]     // the commit that is deployed there now; empty: none is known to be
	Compared  Fact[Comparison]
	Checks    Fact[[]Check]                // all that GitHub shows of the commit
	Required  Fact[[]string]               // names of checks that protection of the branch requires
	After     map[string]Fact[PriorResult] // by environment, in lower case
	Locks     Fact[[]Lock]                 // that cover the environment and have not ended
	Approvals Fact[[]Approval]             // of the deployment, whatever they are bound to
	Queue     Fact[Queue]                  // what else there is in the environment
}

// Membership is what GitHub says of somebody now. They are found by id; Login is what the id goes
// by now.
type Membership struct {
	Login      string
	Permission Fact[Permission]
	Teams      map[string]Fact[bool] // by org/team, in lower case: an active member, of it or of a team below it
}

// Comparison says how a commit stands to another one ("Compare two commits" in the REST API).
type Comparison string

// The comparisons.
const (
	Ahead     Comparison = "ahead"
	Identical Comparison = "identical"
	Behind    Comparison = "behind"
	Diverged  Comparison = "diverged"
)

// Check is one commit status or check run.
type Check struct {
	Name  string // context, or name of the check run
	App   string // slug of the check run's app; empty for a status
	State CheckState
	At    time.Time // when it began, or was set; of several with one name and app the newest counts
	ID    int64     // decides between two of one time
}

// CheckState is what a check says, whatever GitHub calls it.
type CheckState string

// The states. Neutral and skipped runs are green, as they are for GitHub's branch protection.
const (
	Green   CheckState = "green"
	Pending CheckState = "pending"
	Red     CheckState = "red"
)

// PriorResult is what happened to a commit in another environment: of its newest deployment there.
type PriorResult string

// The pasts.
const (
	PriorNone      PriorResult = "none"
	PriorOpen      PriorResult = "open" // on its way
	PriorSucceeded PriorResult = "succeeded"
	PriorFailed    PriorResult = "failed" // it ended in any other way
)

// Lock is a claim on environments: nobody but its owner deploys there.
type Lock struct {
	ID           int64            `json:"id"`
	RepositoryID int64            `json:"repository_id,omitempty"` // 0: of every repository
	Repository   string           `json:"repository,omitempty"`    // as shown
	Environment  string           `json:"environment,omitempty"`   // as shown; empty: every environment
	Owner        deployment.Actor `json:"owner"`
	Reason       string           `json:"reason"`
	TakenAt      time.Time        `json:"taken_at"`
	ExpiresAt    time.Time        `json:"expires_at,omitzero"` // zero: until it is released
}

// Approval is somebody's yes, and to what.
type Approval struct {
	By         deployment.Actor `json:"by"`
	At         time.Time        `json:"at"`
	SHA        string           `json:"sha"`
	Parameters string           `json:"parameters"` // digest
	Policy     string           `json:"policy"`     // digest
	Comment    string           `json:"comment,omitempty"`
}

// Queue is what else there is in a deployment's environment.
type Queue struct {
	Holder      int64            // GitHub's id of the deployment that holds the environment; 0: none
	HolderState deployment.State //
	Before      []int64          // waiting ones that come first, oldest first
	Newer       int64            // the newest one that the rules let in after this one; 0: none
	Started     int64            // a newer one that has started: this one never will; 0: none
}

// Notice is what somebody is to be told of a lock of theirs that another one took or released. A
// face that reaches people reads them.
type Notice struct {
	ID   int64            `json:"id"`
	At   time.Time        `json:"at"`
	To   deployment.Actor `json:"to"`
	Text string           `json:"text"`
	Lock int64            `json:"lock"`
}
