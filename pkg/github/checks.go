package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// maxCheckPages bounds how many commit statuses, check runs or rules are read, at 100 a page.
// GitHub itself shows check runs of 1000 suites at most.
const maxCheckPages = 10

// commitStatus is one item of "Get the combined status for a specific reference", which shows the
// newest of each context.
type commitStatus struct {
	ID      int64      `json:"id"`
	Context string     `json:"context"`
	State   string     `json:"state"`
	Created *time.Time `json:"created_at"`
	Updated *time.Time `json:"updated_at"`
}

// checkRun is one item of "List check runs for a Git reference".
type checkRun struct {
	ID         int64      `json:"id"`
	Name       string     `json:"name"`
	Status     string     `json:"status"`
	Conclusion string     `json:"conclusion"`
	Started    *time.Time `json:"started_at"`
	Completed  *time.Time `json:"completed_at"`
	App        *struct {
		Slug string `json:"slug"`
	} `json:"app"`
}

// Checks reads all commit statuses and check runs of a commit. It never gives a part of them: what
// is missing could be the red one.
func (c *Client) Checks(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	sha string,
) ([]policy.Check, error) {
	if err := validateSHA(sha); err != nil {
		return nil, err
	}

	key := c.cacheKey(opCheckRuns, of, installation, repositoryPath(of), sha)
	found, err := cached(ctx, c.cache, key, func(ctx context.Context) ([]policy.Check, time.Duration, error) {
		statuses, err := c.commitStatuses(ctx, of, installation, sha)
		if err != nil {
			return nil, 0, err
		}

		runs, err := c.checkRuns(ctx, of, installation, sha)
		return append(statuses, runs...), ttlChecks, err
	})

	return slices.Clone(found), err
}

func (c *Client) commitStatuses(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	sha string,
) ([]policy.Check, error) {
	path := repositoryPath(of) + "/commits/" + sha + "/status?per_page=100"
	return readAllPages(func(number int) (p checkPage, err error) {
		err = c.read(
			ctx,
			opCommitStatuses,
			c.current(of),
			installation,
			func(ctx context.Context, api *gh.Client) error {
				var body struct {
					Total *int           `json:"total_count"`
					Items []commitStatus `json:"statuses"`
				}

				resp, err := get(ctx, api, fmt.Sprintf("%s&page=%d", path, number), &body)
				if err != nil {
					return err
				}

				p, err = newCheckPage(body.Total, body.Items, commitStatus.check)
				p.more = resp.NextPage > number
				return err
			},
		)

		return p, err
	})
}

func (c *Client) checkRuns(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	sha string,
) ([]policy.Check, error) {
	path := repositoryPath(of) + "/commits/" + sha + "/check-runs?filter=latest&per_page=100"
	return readAllPages(func(number int) (p checkPage, err error) {
		err = c.read(ctx, opCheckRuns, c.current(of), installation, func(ctx context.Context, api *gh.Client) error {
			var body struct {
				Total *int       `json:"total_count"`
				Items []checkRun `json:"check_runs"`
			}

			resp, err := get(ctx, api, fmt.Sprintf("%s&page=%d", path, number), &body)
			if err != nil {
				return err
			}

			p, err = newCheckPage(
				body.Total,
				body.Items,
				func(r checkRun) (policy.Check, error) { return r.check(c.options.Now()) },
			)

			p.more = resp.NextPage > number
			return err
		})

		return p, err
	})
}

// check maps a commit status. What GitHub may come to call a state some day is not green.
func (s commitStatus) check() (policy.Check, error) {
	made := policy.Check{Name: s.Context, State: policy.Pending, At: firstTime(s.Updated, s.Created), ID: s.ID}
	switch s.State {
	case "success":
		made.State = policy.Green
	case "failure", "error":
		made.State = policy.Red
	}

	if s.ID == 0 || s.Context == "" || made.At.IsZero() {
		return made, errors.New("it shows a commit status without id, context or time")
	}

	return made, nil
}

// check maps a check run. One that waits for its start is newer than all that have started: nothing
// old may stand for it.
func (r checkRun) check(now time.Time) (policy.Check, error) {
	made := policy.Check{Name: r.Name, State: policy.Pending, At: firstTime(r.Started, r.Completed), ID: r.ID}
	if r.App != nil {
		made.App = r.App.Slug
	}

	if r.Status == "completed" {
		made.State = conclusionState(r.Conclusion)
	} else if made.At.IsZero() {
		made.At = now
	}

	if r.ID == 0 || r.Name == "" {
		return made, errors.New("it shows a check run without id or name")
	}

	return made, nil
}

// conclusionState is what a conclusion says: failure, timed_out, cancelled, action_required, stale,
// startup_failure and whatever is unknown are red.
func conclusionState(conclusion string) policy.CheckState {
	switch conclusion {
	case "success", "neutral", "skipped":
		return policy.Green
	}
	return policy.Red
}

func firstTime(first, second *time.Time) time.Time {
	if t := cmp.Or(first, second); t != nil {
		return *t
	}
	return time.Time{}
}
