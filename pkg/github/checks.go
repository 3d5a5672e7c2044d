package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// commitStatus is one item of "Get the combined status for a specific reference", which lists the
// newest status of each context.
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

// Checks reads all commit statuses and check runs of a commit. It returns all of them or an error,
// because a missing one could be red. The result may be ttlChecks old.
func (c *Client) Checks(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	sha string,
) ([]policy.Check, error) {
	if err := validateSHA(sha); err != nil {
		return nil, err
	}

	src := c.current(deployment.Source{Repository: of, Installation: installation})
	key := c.cacheKey(opCheckRuns, src, repositoryPath(src.Repository), sha)
	found, err := cached(ctx, c.cache, key, func(ctx context.Context) ([]policy.Check, time.Duration, error) {
		statuses, err := c.commitStatuses(ctx, src, sha)
		if err != nil {
			return nil, 0, err
		}

		runs, err := c.checkRuns(ctx, src, sha)
		return append(statuses, runs...), ttlChecks, err
	})

	return slices.Clone(found), err
}

func (c *Client) commitStatuses(ctx context.Context, src deployment.Source, sha string) ([]policy.Check, error) {
	type response struct {
		Total *int           `json:"total_count"`
		Items []commitStatus `json:"statuses"`
	}

	path := repositoryPath(src.Repository) + "/commits/" + sha + "/status?per_page=100"
	return readAllPages(func(number int) (page checkPage, _ error) {
		pagePath := fmt.Sprintf("%s&page=%d", path, number)
		_, next, err := fetch(ctx, c, opCommitStatuses, src, pagePath, func(r response) (err error) {
			page, err = newCheckPage(r.Total, r.Items, commitStatus.toCheck)
			return err
		})

		page.more = next > number
		return page, err
	})
}

func (c *Client) checkRuns(ctx context.Context, src deployment.Source, sha string) ([]policy.Check, error) {
	type response struct {
		Total *int       `json:"total_count"`
		Items []checkRun `json:"check_runs"`
	}

	toCheck := func(r checkRun) (policy.Check, error) { return r.toCheck(c.options.Now()) }
	path := repositoryPath(src.Repository) + "/commits/" + sha + "/check-runs?filter=latest&per_page=100"
	return readAllPages(func(number int) (page checkPage, _ error) {
		pagePath := fmt.Sprintf("%s&page=%d", path, number)
		_, next, err := fetch(ctx, c, opCheckRuns, src, pagePath, func(r response) (err error) {
			page, err = newCheckPage(r.Total, r.Items, toCheck)
			return err
		})

		page.more = next > number
		return page, err
	})
}

// toCheck maps a commit status. A state that is not documented is pending, never green.
func (s commitStatus) toCheck() (policy.Check, error) {
	check := policy.Check{Name: s.Context, State: policy.CheckPending, At: firstTime(s.Updated, s.Created), ID: s.ID}
	switch s.State {
	case "success":
		check.State = policy.CheckGreen
	case "failure", "error":
		check.State = policy.CheckRed
	}

	if s.ID == 0 || s.Context == "" || check.At.IsZero() {
		return check, errors.New("commit status without id, context or time")
	}

	return check, nil
}

// toCheck maps a check run. Of several runs with one name the newest counts, so a run that has not
// started yet gets the present time: an older run must not stand for it.
func (r checkRun) toCheck(now time.Time) (policy.Check, error) {
	check := policy.Check{Name: r.Name, State: policy.CheckPending, At: firstTime(r.Started, r.Completed), ID: r.ID}
	if r.App != nil {
		check.App = r.App.Slug
	}

	if r.Status == "completed" {
		check.State = conclusionState(r.Conclusion)
	} else if check.At.IsZero() {
		check.At = now
	}

	if r.ID == 0 || r.Name == "" {
		return check, errors.New("check run without id or name")
	}

	return check, nil
}

// conclusionState maps the conclusion of a completed run. Success, neutral and skipped are green.
// All others are red: failure, timed_out, cancelled, action_required, stale, startup_failure, and
// any that is not documented.
func conclusionState(conclusion string) policy.CheckState {
	switch conclusion {
	case "success", "neutral", "skipped":
		return policy.CheckGreen
	default:
		return policy.CheckRed
	}
}

// firstTime returns the first time that is there, or the zero time.
func firstTime(first, second *time.Time) time.Time {
	if t := cmp.Or(first, second); t != nil {
		return *t
	}
	return time.Time{}
}
