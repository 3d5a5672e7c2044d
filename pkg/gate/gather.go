package gate

import (
	"context"
	"slices"
	"sync"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Rows reads what is open in the database.
type Rows interface {
	LocksOn(ctx context.Context, repositoryID int64, environmentKey string) ([]policy.Lock, error)
	Approvals(ctx context.Context, row int64) ([]policy.Approval, error)
	Queue(ctx context.Context, d deployment.Deployment) (policy.Queue, error)
}

// History reads from the database what earlier deployments came to.
type History interface {
	Deployed(ctx context.Context, repositoryID int64, environmentKey string) (sha string, err error)
	PriorResult(ctx context.Context, repositoryID int64, environmentKey, sha string) (policy.PriorResult, error)
	StartedPipelines(ctx context.Context, repositoryID int64, sha string) ([]deployment.Pipeline, error)
}

// Commits reads facts about commits at GitHub. Every call has a timeout of its own; answers may be some
// seconds old.
type Commits interface {
	Checks(
		ctx context.Context,
		of deployment.Repository,
		installation int64,
		q policy.CheckQuery,
	) ([]policy.Check, error)
	RequiredChecks(
		ctx context.Context,
		of deployment.Repository,
		installation int64,
		ref string,
	) ([]policy.CheckName, error)
	Compare(
		ctx context.Context,
		of deployment.Repository,
		installation int64,
		base, head string,
	) (policy.Comparison, error)
	// CommitExists returns policy.ErrMissing for a commit that the repository does not have, and
	// *deployment.RefsHiddenError where the credentials may not read commits.
	CommitExists(ctx context.Context, of deployment.Repository, installation int64, sha string) error
}

// gather reads all facts that are needed: those of the database one after another, and those of
// GitHub at the same time. An error means that the database cannot be read.
func (g *Gate) gather(
	ctx context.Context,
	d deployment.Deployment,
	r policy.Request,
	p policy.Policy,
) (policy.Facts, error) {
	n := p.Needs(r)
	f, err := g.gatherLocal(ctx, d, n)
	if err != nil {
		return f, err
	}
	if err := g.gatherHistory(ctx, d, n, &f); err != nil {
		return f, err
	}

	var asking sync.WaitGroup
	ask := func(needed bool, do func()) {
		if needed {
			asking.Go(do)
		}
	}

	repo, installation := d.Request.Repository, d.Request.Installation
	ask(n.Requester != nil, func() { f.Requester = g.membership(ctx, d, r.Requester, n.Requester) })
	ask(n.Forcer != nil && r.Force != nil, func() { f.Forcer = g.membership(ctx, d, r.Force.By, n.Forcer) })
	ask(n.Checks, func() {
		if n.Required { // first, because the list says which checks are asked for
			f.Required = fact(g, answerOf(g.Commits.RequiredChecks(ctx, repo, installation, r.Ref)))
		}
		g.gatherChecks(ctx, d, p.QueryChecks(r, f.Required.Value), &f)
	})
	ask(n.Compared && f.Deployed.Value != "" && f.Deployed.Value != r.SHA, func() {
		f.Compared = fact(g, answerOf(g.Commits.Compare(ctx, repo, installation, f.Deployed.Value, r.SHA)))
	})
	asking.Wait()

	return f, nil
}

// gatherLocal reads the facts of the database that policy.EvaluateLocal needs: locks, the queue and
// approvals.
func (g *Gate) gatherLocal(ctx context.Context, d deployment.Deployment, n policy.Needs) (policy.Facts, error) {
	var f policy.Facts

	locks, err := g.Rows.LocksOn(ctx, d.Request.Repository.ID, d.Request.EnvironmentKey())
	if err != nil {
		return f, err
	}
	f.Locks = policy.Known(locks)

	queue, err := g.Rows.Queue(ctx, d)
	if err != nil {
		return f, err
	}
	f.Queue = policy.Known(queue)

	if d.Row == 0 { // a question: there is nothing that could have been approved
		f.Approvals = policy.Known[[]policy.Approval](nil)
		return f, nil
	}
	if !n.Approvals {
		return f, nil
	}

	approvals, err := g.Rows.Approvals(ctx, d.Row)
	if err != nil {
		return f, err
	}
	f.Approvals = policy.Known(approvals)

	return f, nil
}

// gatherHistory reads the facts of the database that only a full evaluation needs: what is deployed,
// what became of the commit in other environments, and the pipelines that ran for it.
func (g *Gate) gatherHistory(ctx context.Context, d deployment.Deployment, n policy.Needs, f *policy.Facts) error {
	repo := d.Request.Repository.ID

	if n.Deployed {
		deployed, err := g.History.Deployed(ctx, repo, d.Request.EnvironmentKey())
		if err != nil {
			return err
		}
		f.Deployed = policy.Known(deployed)
	}

	if n.Pipelines {
		pipelines, err := g.History.StartedPipelines(ctx, repo, d.Request.SHA)
		if err != nil {
			return err
		}
		f.Pipelines = policy.Known(pipelines)
	}

	f.After = map[string]policy.Fact[policy.PriorResult]{}
	for _, environment := range n.After {
		result, err := g.History.PriorResult(ctx, repo, environment, d.Request.SHA)
		if err != nil {
			return err
		}
		f.After[environment] = policy.Known(result)
	}

	return nil
}

// gatherChecks reads the checks of a commit. Where one of Seraph's own pipelines wrote one of them, it reads
// also those that were replaced: that pipeline's status does not count, and the one before it does.
func (g *Gate) gatherChecks(ctx context.Context, d deployment.Deployment, q policy.CheckQuery, f *policy.Facts) {
	repo, installation := d.Request.Repository, d.Request.Installation
	found, err := g.Commits.Checks(ctx, repo, installation, q)
	if err != nil {
		f.Checks = fact(g, answerOf(found, err))
		return
	}

	f.Pipelines.Value, err = g.withJobs(ctx, found, f.Pipelines.Value)
	if err != nil {
		public, detail := deployment.PublicCause("CircleCI", err)
		g.Log.Info().Err(err).Str("detail", detail).Msg("fact unknown")
		f.Checks = policy.Unknown[[]policy.Check]("whose jobs they are: " + public)
		return
	}

	own := func(c policy.Check) bool { return policy.WrittenBy(c, f.Pipelines.Value) }
	if slices.ContainsFunc(found, own) {
		q.History = true
		found, err = g.Commits.Checks(ctx, repo, installation, q)
	}
	f.Checks = fact(g, answerOf(found, err))
}

// answer is what a call to GitHub returned. It makes the results one argument of fact: Go passes several
// results only as a whole argument list.
type answer[T any] struct {
	value T
	err   error
}

func answerOf[T any](v T, err error) answer[T] { return answer[T]{v, err} }

// fact converts an answer into a fact. An error makes it unknown.
func fact[T any](g *Gate, a answer[T]) policy.Fact[T] {
	if a.err != nil {
		return policy.Unknown[T](g.problem(a.err))
	}
	return policy.Known(a.value)
}

// problem says, for people, why GitHub did not answer. Verdicts are shown in public statuses, so that
// the details are for the log only.
func (g *Gate) problem(err error) string {
	public, detail := deployment.PublicCause("GitHub", err)
	if detail != "" {
		g.Log.Info().Err(err).Msg("fact unknown")
	}
	return public
}
