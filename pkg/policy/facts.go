package policy

import (
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Fact is the answer to something that was asked. If Known is false, it was not asked or could not
// be answered, and Problem may say why.
type Fact[T any] struct {
	Value   T
	Known   bool
	Problem string
}

// Known makes a fact that is known.
func Known[T any](v T) Fact[T] { return Fact[T]{Value: v, Known: true} }

// Unknown makes a fact that could not be read, because of a problem.
func Unknown[T any](problem string) Fact[T] { return Fact[T]{Problem: problem} }

// Facts is what the rules look at, beside the request. Its reader needs to fill only what Needs
// lists, the locks and the queue.
type Facts struct {
	Requester Fact[Membership]
	Forcer    Fact[Membership] // about Request.Force.By; not needed if Requester is the same person
	Deployed  Fact[string]     // the commit that is deployed to the environment; empty: none is known
	Compared  Fact[Comparison] // of Deployed with the request's commit
	Checks    Fact[[]Check]    // the checks of the commit that the rule needs (Needs.Checks)

	// Required holds the checks that the default branch and the ref's branch require by protection
	// and rulesets.
	Required Fact[[]CheckName]

	// Pipelines holds the pipelines that this service started for the commit. What they report as
	// checks does not count.
	Pipelines Fact[[]deployment.Pipeline]

	After     map[string]Fact[PriorResult]
	Locks     Fact[[]Lock]     // all locks that cover the environment
	Approvals Fact[[]Approval] // all approvals of the deployment, whatever they are bound to

	// Approvers says, by the ids of their accounts, what Policy.ApproversToCheck asks about those who
	// approved.
	Approvers map[int64]Fact[Membership]

	Queue Fact[Queue]
}

// Membership is what GitHub says about a person now. A person is found by id, because logins change
// and are given to others.
type Membership struct {
	Login      string // the current one
	OtherLogin string // why Login does not count as the one in the routes file; empty: it does
	Permission Fact[Permission]

	// NoAccount says that GitHub shows no account with the person's id. Then nothing is known about them.
	NoAccount bool

	// Teams says, by org/team in lower case, whether the person is an active member of the team or
	// of a team below it.
	Teams map[string]Fact[bool]
}

// Comparison says how a commit relates to another one ("Compare two commits" in GitHub's REST API).
type Comparison string

// The comparisons.
const (
	ComparisonAhead     Comparison = "ahead"
	ComparisonIdentical Comparison = "identical"
	ComparisonBehind    Comparison = "behind"
	ComparisonDiverged  Comparison = "diverged"
)

// Check is one commit status or check run.
type Check struct {
	Name   string // context of the status, or name of the check run
	Status bool   // it is a commit status; else a check run
	App    string // slug of the check run's app; empty for a status
	AppID  int64  // id of the app that set it; 0: not an app, or not known
	Suite  int64  // id of the check run's suite; 0 for a status
	URL    string // where its details are; may be empty

	// Series is the same for check suites of which a newer one replaces the older ones, as GitHub
	// tells it of the runs of one workflow. Empty: the suite replaces no other.
	Series  string
	Skipped bool // it did not run, so it replaces no check of another suite

	State CheckState
	At    time.Time // when it began or was set
	ID    int64     // decides between two with the same time
}

// CheckName names a check that must be green, and the app that must have set it.
type CheckName struct {
	Name string `json:"name"`
	App  string `json:"app,omitempty"` // slug, or id:N; empty: whoever set it
}

// CheckState is the state of a check, whatever GitHub calls it.
type CheckState string

// The states. Neutral and skipped check runs are green, as GitHub's branch protection treats them.
const (
	CheckGreen   CheckState = "green"
	CheckPending CheckState = "pending"
	CheckRed     CheckState = "red"
)

// PriorResult is how the newest deployment of a commit to another environment ended.
type PriorResult string

// The results.
const (
	PriorNone      PriorResult = "none" // there is no such deployment
	PriorOpen      PriorResult = "open" // it has not ended
	PriorSucceeded PriorResult = "succeeded"
	PriorFailed    PriorResult = "failed" // it ended in any other way
)

// Lock keeps an environment for its owner: nobody else deploys there.
type Lock struct {
	ID           int64            `json:"id"`
	RepositoryID int64            `json:"repository_id,omitempty"` // 0: all repositories
	Repository   string           `json:"repository,omitempty"`    // as shown to people
	Environment  string           `json:"environment,omitempty"`   // as shown to people; empty: all environments
	Owner        deployment.Actor `json:"owner"`
	Admin        bool             `json:"admin,omitempty"` // an admin took it, and only an admin may take it away
	Reason       string           `json:"reason"`
	TakenAt      time.Time        `json:"taken_at"`
	ExpiresAt    time.Time        `json:"expires_at,omitzero"` // zero: until it is released
}

// Approval is one person's approval of a deployment. It is bound to a commit, to the target with its
// parameters and to the rules: if one of them changes, it no longer counts.
type Approval struct {
	By         deployment.Actor `json:"by"`
	At         time.Time        `json:"at"`
	SHA        string           `json:"sha"`
	Parameters string           `json:"parameters"` // Request.Parameters at that time
	Policy     string           `json:"policy"`     // Policy.Digest at that time
	Comment    string           `json:"comment,omitempty"`
}

// Queue is what else is open in a deployment's environment. Deployments are named by GitHub's id; 0
// stands for none.
type Queue struct {
	Holder        int64            // the one that has started and has not ended
	HolderState   deployment.State // of Holder
	Before        []int64          // waiting ones that go first, oldest first
	NewerAdmitted int64            // the newest open one that was created after this one and admitted by the rules
	NewerStarted  int64            // a newer one that has started, so that this one never will
}

// Notice is a message to the owner of a lock that somebody else took or released, or to somebody whose account at
// GitHub somebody else tried to link; then Lock is 0. Clients of the API
// that can reach people read the notices.
type Notice struct {
	ID   int64            `json:"id"`
	At   time.Time        `json:"at"`
	To   deployment.Actor `json:"to"`
	Text string           `json:"text"`
	Lock int64            `json:"lock"`
}
