package gate

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Jobs reads the numbers of a pipeline's jobs at CircleCI. Every call has a timeout of its own.
type Jobs interface {
	Jobs(ctx context.Context, pipelineID string) ([]int64, error)
}

// Of how many of the newest pipelines of a commit the jobs are read, and how long they are remembered: a pipeline may
// get more of them.
const (
	maxJobReads  = 10
	jobsLifetime = time.Minute
)

// jobMemory remembers the jobs of pipelines.
type jobMemory struct {
	mu    sync.Mutex
	known map[string]rememberedJobs // by the pipeline's id
}

type rememberedJobs struct {
	numbers []int64
	at      time.Time
}

// withJobs adds the numbers of their jobs to our pipelines, if one of the checks can be distinguished from CI's only by
// that: CircleCI sets commit statuses whose address has only the number of a job.
func (g *Gate) withJobs(
	ctx context.Context,
	checks []policy.Check,
	pipelines []deployment.Pipeline,
) ([]deployment.Pipeline, error) {
	needed := func(c policy.Check) bool { return policy.NamesJobOf(c, pipelines) }
	if g.Jobs == nil || !slices.ContainsFunc(checks, needed) {
		return pipelines, nil
	}

	all := slices.Clone(pipelines)
	for i := max(0, len(all)-maxJobReads); i < len(all); i++ {
		numbers, err := g.jobsOf(ctx, all[i].ID)
		if err != nil {
			return nil, err
		}
		all[i].Jobs = numbers
	}

	return all, nil
}

func (g *Gate) jobsOf(ctx context.Context, pipelineID string) ([]int64, error) {
	now := g.Now()
	g.jobs.mu.Lock()
	remembered, ok := g.jobs.known[pipelineID]
	g.jobs.mu.Unlock()
	if age := now.Sub(remembered.at); ok && age >= 0 && age < jobsLifetime {
		return remembered.numbers, nil
	}

	numbers, err := g.Jobs.Jobs(ctx, pipelineID)
	if err != nil {
		return nil, err
	}

	g.jobs.mu.Lock()
	defer g.jobs.mu.Unlock()
	if g.jobs.known == nil {
		g.jobs.known = map[string]rememberedJobs{}
	}
	for id, old := range g.jobs.known {
		if age := now.Sub(old.at); age < 0 || age >= jobsLifetime {
			delete(g.jobs.known, id)
		}
	}
	g.jobs.known[pipelineID] = rememberedJobs{numbers, now}

	return numbers, nil
}
