package engine

import (
	"context"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Store is the database as the engine uses it.
type Store interface {
	Rows
	Outbox
	Memory
	Inbox
}

// Rows are the deployments. Save commits the next version of a row and what stands beside it, or
// fails with deployment.ErrStale, *deployment.Busy or *deployment.Taken and writes nothing.
type Rows interface {
	Lease(ctx context.Context, row int64) (deployment.Deployment, bool, error)
	Unlease(ctx context.Context, row int64) error
	Load(ctx context.Context, row int64) (deployment.Deployment, error)
	ByKey(ctx context.Context, key string) (deployment.Deployment, error)
	Save(
		ctx context.Context,
		next deployment.Deployment,
		ch deployment.Changes,
		keep bool,
	) (deployment.Deployment, error)
	SavePair(
		ctx context.Context,
		a deployment.Deployment,
		ca deployment.Changes,
		b deployment.Deployment,
		cb deployment.Changes,
	) error
	Overdue(ctx context.Context, limit int) ([]deployment.Task, error)
	Get(ctx context.Context, deploymentID int64) ([]deployment.Record, error)
	List(ctx context.Context, f deployment.Filter) ([]deployment.Deployment, error)
	WakeQueue(ctx context.Context, repositoryID int64, environmentKey string) error
}

// Gate says what the rules say. Decide asks for all facts, DecideHere only our own rows and the
// clock, DecideAct only whether the requester may deploy there. An error means that our own rows
// cannot be read.
type Gate interface {
	Decide(ctx context.Context, d deployment.Deployment) (policy.Verdict, error)
	DecideLocal(ctx context.Context, d deployment.Deployment) (policy.Verdict, error)
	DecideLockTask(ctx context.Context, d deployment.Deployment) (policy.Verdict, error)
}

// Locks does what a deployment with a reserved task asks for. Done twice it is the same. refused
// says, for GitHub, why it was not done.
type Locks interface {
	Task(ctx context.Context, d deployment.Deployment) (done, refused string, err error)
}

// Reports writes the statuses that are owed to GitHub for a deployment.
type Reports interface {
	Send(ctx context.Context, row int64)
}

// Outbox holds the reports owed to GitHub.
type Outbox interface {
	Reports(ctx context.Context, row int64) ([]deployment.Report, error)
}

// Memory is what the store remembers of CircleCI.
type Memory interface {
	KnownPipelines(ctx context.Context, ids []string) (map[string]deployment.KnownPipeline, error)
	NewestClaimed(ctx context.Context, projectID string, notRow int64) (pipelineID string, row int64, err error)
	NewerStarted(ctx context.Context, repositoryID int64, environmentKey string, deploymentID int64) (bool, error)
	Project(ctx context.Context, slug string) (deployment.Project, error)
	SaveProject(ctx context.Context, slug string, p deployment.Project) error
}

// Inbox is what retention needs.
type Inbox interface {
	AcquireLease(ctx context.Context, name string, hold time.Duration) (note string, mine bool, err error)
	RenewLease(ctx context.Context, name string, hold time.Duration) error
	ReleaseLease(ctx context.Context, name, note string) error
	Prune(ctx context.Context, before time.Time) (more bool, err error)
}

// CircleCI is the vendor as the engine asks it. Every call has a timeout of its own; none retries.
type CircleCI interface {
	Project(ctx context.Context, slug string) (deployment.Project, deployment.Event)
	Trigger(ctx context.Context, t deployment.Target, ref deployment.Ref, sendBefore time.Time) deployment.Event
	Poll(ctx context.Context, pipelineID string) (deployment.Progress, *deployment.PollFailed)
	PollWorkflows(ctx context.Context, pipelineID string) (deployment.Progress, *deployment.PollFailed)
	List(ctx context.Context, slug string, since time.Time, control string) (deployment.Listing, error)
	Evidence(ctx context.Context, pipelineID, key string, parameters []string) (deployment.KeyEvidence, error)
	CancelWorkflow(ctx context.Context, id string) error
}

// GitHub is the vendor as the engine asks it. Every call has a timeout of its own; none retries.
type GitHub interface {
	Statuses(ctx context.Context, of deployment.Request) ([]deployment.Status, error)
}
