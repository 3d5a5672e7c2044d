package gate

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// fakeCommits has one commit with its checks, and remembers how it was asked for them.
type fakeCommits struct {
	Commits
	required map[string][]string // by ref: the names of the checks that it requires
	newest   []policy.Check
	history  []policy.Check // those in newest, and those that they replaced
	queries  *[]policy.CheckQuery
}

func (f fakeCommits) Checks(
	_ context.Context,
	_ deployment.Repository,
	_ int64,
	q policy.CheckQuery,
) ([]policy.Check, error) {
	*f.queries = append(*f.queries, q)
	if q.History {
		return f.history, nil
	}
	return f.newest, nil
}

func (f fakeCommits) RequiredChecks(
	_ context.Context,
	_ deployment.Repository,
	_ int64,
	ref string,
) ([]policy.CheckName, error) {
	var names []policy.CheckName
	for _, name := range f.required[ref] {
		names = append(names, policy.CheckName{Name: name})
	}
	return names, nil
}

// ranPipelines is the history of a commit for which only these pipelines ran.
type ranPipelines []deployment.Pipeline

func (ranPipelines) Deployed(context.Context, int64, string) (string, error) { return "", nil }

func (ranPipelines) PriorResult(context.Context, int64, string, string) (policy.PriorResult, error) {
	return policy.PriorNone, nil
}

func (r ranPipelines) StartedPipelines(context.Context, int64, string) ([]deployment.Pipeline, error) {
	return r, nil
}

// fakeJobs are the jobs of every pipeline.
type fakeJobs struct {
	numbers []int64
	err     error
	reads   *int
}

func (f fakeJobs) Jobs(context.Context, string) ([]int64, error) {
	if f.reads != nil {
		*f.reads++
	}
	return f.numbers, f.err
}

// The jobs of a pipeline are read once a minute, and those of the newest pipelines only.
func TestWithJobs_IsRemembered(t *testing.T) {
	now, reads := noon, 0
	g := &Gate{Jobs: fakeJobs{numbers: []int64{72}, reads: &reads}, Now: func() time.Time { return now }}
	checks := []policy.Check{{URL: "https://circleci.com/gh/acme/api/72"}}
	var pipelines []deployment.Pipeline
	for i := range maxJobReads + 3 {
		pipelines = append(pipelines, deployment.Pipeline{ID: fmt.Sprint(i), Slug: "gh/acme/api"})
	}

	for range 3 {
		got, err := g.withJobs(t.Context(), checks, pipelines)
		if err != nil || len(got[2].Jobs) != 0 || len(got[3].Jobs) != 1 {
			t.Fatalf("got %+v (%v), want jobs from the fourth pipeline on", got, err)
		}
		now = now.Add(jobsLifetime / 4)
	}
	if reads != maxJobReads {
		t.Errorf("within a minute: got %d reads, want %d", reads, maxJobReads)
	}

	now = now.Add(jobsLifetime)
	if _, err := g.withJobs(t.Context(), checks, pipelines[:1]); err != nil || reads != maxJobReads+1 {
		t.Errorf("after a minute: got %d reads (%v), want %d", reads, err, maxJobReads+1)
	}
	if len(g.jobs.known) != 1 {
		t.Errorf("got %d pipelines remembered, want 1", len(g.jobs.known))
	}
}

// What a check is asked for, and that our own pipelines' checks do not count.
func TestDecide_Checks(t *testing.T) {
	const own = "https://app.circleci.com/pipelines/github/acme/api/25/workflows/1/jobs/2"
	const job = "https://circleci.com/gh/acme/api/72?utm_source=github-build-link"
	status := func(id int64, name string, state policy.CheckState, url string) policy.Check {
		return policy.Check{Name: name, Status: true, State: state, URL: url, At: noon, ID: id}
	}

	tests := []struct {
		name            string
		rule            policy.Checks
		required        []string
		newest, history []policy.Check
		jobs            Jobs
		want            string
		wantQueries     []policy.CheckQuery
	}{
		{
			name:        "all",
			rule:        policy.Checks{Set: policy.ChecksAll},
			newest:      []policy.Check{status(1, "ci", policy.CheckGreen, "")},
			want:        "allow",
			wantQueries: []policy.CheckQuery{{SHA: "abc"}},
		},
		{
			name:        "required",
			rule:        policy.Checks{Set: policy.ChecksRequired},
			required:    []string{"ci"},
			newest:      []policy.Check{status(1, "ci", policy.CheckGreen, ""), status(2, "other", policy.CheckRed, "")},
			want:        "allow",
			wantQueries: []policy.CheckQuery{{SHA: "abc", Names: []string{"ci"}}},
		},
		{
			name:        "nothing is required",
			rule:        policy.Checks{Set: policy.ChecksRequired},
			newest:      []policy.Check{status(1, "ci", policy.CheckGreen, "")},
			want:        "wait a required check (nothing is required here: name the checks in the route)",
			wantQueries: []policy.CheckQuery{{SHA: "abc"}},
		},
		{
			name:        "our failed deployment of this commit",
			rule:        policy.Checks{Set: policy.ChecksAll},
			newest:      []policy.Check{status(1, "ci", policy.CheckGreen, ""), status(2, "deploy", policy.CheckRed, own)},
			history:     []policy.Check{status(1, "ci", policy.CheckGreen, ""), status(2, "deploy", policy.CheckRed, own)},
			want:        "allow",
			wantQueries: []policy.CheckQuery{{SHA: "abc"}, {SHA: "abc", History: true}},
		},
		{
			name:    "our job wrote over a green status",
			rule:    policy.Checks{Set: policy.ChecksListed, Names: []policy.CheckName{{Name: "ci"}}},
			newest:  []policy.Check{status(2, "ci", policy.CheckRed, own)},
			history: []policy.Check{status(2, "ci", policy.CheckRed, own), status(1, "ci", policy.CheckGreen, "")},
			want:    "allow",
			wantQueries: []policy.CheckQuery{
				{SHA: "abc", Names: []string{"ci"}},
				{SHA: "abc", Names: []string{"ci"}, History: true},
			},
		},
		{
			name:   "the number of a job of ours",
			rule:   policy.Checks{Set: policy.ChecksAll},
			newest: []policy.Check{status(1, "ci", policy.CheckGreen, ""), status(2, "deploy", policy.CheckRed, job)},
			history: []policy.Check{
				status(1, "ci", policy.CheckGreen, ""),
				status(2, "deploy", policy.CheckRed, job),
			},
			jobs:        fakeJobs{numbers: []int64{71, 72}},
			want:        "allow",
			wantQueries: []policy.CheckQuery{{SHA: "abc"}, {SHA: "abc", History: true}},
		},
		{
			name:        "the number of a job of CI",
			rule:        policy.Checks{Set: policy.ChecksAll},
			newest:      []policy.Check{status(2, "ci", policy.CheckRed, job)},
			jobs:        fakeJobs{numbers: []int64{71}},
			want:        `reject check "ci" failed`,
			wantQueries: []policy.CheckQuery{{SHA: "abc"}},
		},
		{
			name:        "the number of a job, and CircleCI is away",
			rule:        policy.Checks{Set: policy.ChecksAll},
			newest:      []policy.Check{status(2, "deploy", policy.CheckRed, job)},
			jobs:        fakeJobs{err: errors.New("503")},
			want:        "wait the checks of abc, which could not be read (whose jobs they are: 503)",
			wantQueries: []policy.CheckQuery{{SHA: "abc"}},
		},
		{
			name:        "no number of a job, and CircleCI is away",
			rule:        policy.Checks{Set: policy.ChecksAll},
			newest:      []policy.Check{status(1, "ci", policy.CheckGreen, "https://ci.example.com/acme/72")},
			jobs:        fakeJobs{err: errors.New("503")},
			want:        "allow",
			wantQueries: []policy.CheckQuery{{SHA: "abc"}},
		},
		{
			name:    "our job wrote over a red status",
			rule:    policy.Checks{Set: policy.ChecksListed, Names: []policy.CheckName{{Name: "ci"}}},
			newest:  []policy.Check{status(2, "ci", policy.CheckGreen, own)},
			history: []policy.Check{status(2, "ci", policy.CheckGreen, own), status(1, "ci", policy.CheckRed, "")},
			want:    `reject check "ci" failed`,
			wantQueries: []policy.CheckQuery{
				{SHA: "abc", Names: []string{"ci"}},
				{SHA: "abc", Names: []string{"ci"}, History: true},
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var queries []policy.CheckQuery
			g := newTestGate(policy.Policy{Checks: &tt.rule}, nil)
			g.Jobs = tt.jobs
			g.History = ranPipelines{{ID: "p", Number: 25, Slug: "gh/acme/api"}}
			g.Commits = fakeCommits{
				required: map[string][]string{"v1": tt.required},
				newest:   tt.newest,
				history:  tt.history,
				queries:  &queries,
			}

			d := deploymentOf(0)
			d.Request.SHA = "abc"
			v, err := g.Decide(t.Context(), d)
			if got := summary(v); err != nil || got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
			if got, want := fmt.Sprintf("%+v", queries), fmt.Sprintf("%+v", tt.wantQueries); got != want {
				t.Errorf("got the queries %s, want %s", got, want)
			}
		})
	}
}
