package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// githubActions is the slug of the App that reports the jobs of workflows. Each run of a workflow
// has a check suite of its own.
const githubActions = "github-actions"

// workflowRun is one item of "List workflow runs for a repository".
type workflowRun struct {
	Suite    int64  `json:"check_suite_id"`
	Workflow int64  `json:"workflow_id"`
	Event    string `json:"event"`
	Branch   string `json:"head_branch"`
	From     *struct {
		ID int64 `json:"id"`
	} `json:"head_repository"`
	Pulls []struct {
		Number int64 `json:"number"`
	} `json:"pull_requests"`
}

// series identifies the runs of which a newer one replaces the older ones: those of one workflow for
// one event on one branch or pull request. It is empty where they cannot be distinguished from runs that
// stand for something else, such as runs that people started with inputs of their own.
func (r workflowRun) series() string {
	if r.Suite == 0 || r.Workflow == 0 || r.Branch == "" || r.From == nil {
		return ""
	}

	of := fmt.Sprintf("%d %s %d %q", r.Workflow, r.Event, r.From.ID, r.Branch)
	switch {
	case r.Event == "push":
		return of
	case r.Event == "pull_request" && len(r.Pulls) == 1:
		return fmt.Sprintf("%s %d", of, r.Pulls[0].Number)
	default:
		return ""
	}
}

// addSeries tells of the check runs of GitHub Actions which workflow they belong to. It asks only
// if that matters: where runs of one name are in several suites and not all of them are green.
// Where the credentials may not read workflow runs, the worse of the suites counts.
func (c *Client) addSeries(
	ctx context.Context,
	src deployment.Source,
	q policy.CheckQuery,
	runs []policy.Check,
) error {
	if !needSeries(q, runs) {
		return nil
	}

	bySuite, err := c.workflowSeries(ctx, src, q.SHA)
	if hasStatus(err, opWorkflowRuns, http.StatusForbidden) && !isLimited(err) ||
		hasStatus(err, opWorkflowRuns, http.StatusNotFound) {
		return nil
	}
	if err != nil {
		return err
	}

	for i, r := range runs {
		if r.App == githubActions {
			runs[i].Series = bySuite[r.Suite]
		}
	}

	return nil
}

func isLimited(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == KindLimited
}

func needSeries(q policy.CheckQuery, runs []policy.Check) bool {
	suite, mixed := map[string]int64{}, map[string]bool{}
	open := map[string]bool{}
	for _, r := range runs {
		if r.App != githubActions || q.Names != nil && !slices.Contains(q.Names, r.Name) {
			continue
		}

		known, seen := suite[r.Name]
		suite[r.Name] = r.Suite
		mixed[r.Name] = mixed[r.Name] || seen && known != r.Suite
		open[r.Name] = open[r.Name] || r.State != policy.CheckGreen
		if mixed[r.Name] && open[r.Name] {
			return true
		}
	}

	return false
}

// workflowSeries reads the workflow runs on a commit and returns the series of each check suite.
func (c *Client) workflowSeries(ctx context.Context, src deployment.Source, sha string) (map[int64]string, error) {
	type response struct {
		Items []workflowRun `json:"workflow_runs"`
	}

	bySuite := map[int64]string{}
	for number := 1; number <= maxCheckPages; number++ {
		path := fmt.Sprintf("%s/actions/runs?head_sha=%s&per_page=100&page=%d",
			repositoryPath(src.Repository), sha, number)
		found, next, err := fetch(ctx, c, opWorkflowRuns, src, path, func(r response) error {
			return requireList(r.Items)
		})
		if err != nil {
			return nil, err
		}

		for _, run := range found.Items {
			bySuite[run.Suite] = run.series()
		}
		if next <= number {
			return bySuite, nil
		}
	}

	return bySuite, nil // what is not listed replaces nothing
}
