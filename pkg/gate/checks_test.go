package gate

import (
	"context"
	"fmt"
	"testing"

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

// What a check is asked for, and that our own pipelines' checks do not count.
func TestDecide_Checks(t *testing.T) {
	const own = "https://app.circleci.com/pipelines/github/acme/api/25/workflows/1/jobs/2"
	status := func(id int64, name string, state policy.CheckState, url string) policy.Check {
		return policy.Check{Name: name, Status: true, State: state, URL: url, At: noon, ID: id}
	}

	tests := []struct {
		name            string
		rule            policy.Checks
		required        []string
		newest, history []policy.Check
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
