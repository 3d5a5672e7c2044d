package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// commitStatus is one item of "Get the combined status for a specific reference", which lists the
// newest status of each context, and of "List commit statuses for a reference", which lists all.
type commitStatus struct {
	ID      int64      `json:"id"`
	Context string     `json:"context"`
	State   string     `json:"state"`
	Avatar  string     `json:"avatar_url"` // of whoever set it
	URL     string     `json:"target_url"`
	Created *time.Time `json:"created_at"`
	Updated *time.Time `json:"updated_at"`
}

// checkRun is one item of "List check runs for a Git reference".
type checkRun struct {
	ID         int64      `json:"id"`
	Name       string     `json:"name"`
	Status     string     `json:"status"`
	Conclusion string     `json:"conclusion"`
	URL        string     `json:"details_url"`
	Started    *time.Time `json:"started_at"`
	Completed  *time.Time `json:"completed_at"`
	Suite      *struct {
		ID int64 `json:"id"`
	} `json:"check_suite"`
	App *struct {
		ID   int64  `json:"id"`
		Slug string `json:"slug"`
	} `json:"app"`
}

// Checks reads the commit statuses and check runs of a commit: all of them, or at least those with
// the names of the query. It returns all of these or an error, because a missing one could be red.
// The result may be ttlChecks old.
func (c *Client) Checks(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	q policy.CheckQuery,
) ([]policy.Check, error) {
	if err := validateSHA(q.SHA); err != nil {
		return nil, err
	}

	src := c.current(deployment.Source{Repository: of, Installation: installation})
	// The names are added behind cacheKey, which lowers case: names of checks are case-sensitive.
	key := c.cacheKey(opCheckRuns, src, repositoryPath(src.Repository), q.SHA) +
		fmt.Sprintf("\n%t\n%q", q.History, q.Names)
	found, err := cached(ctx, c.cache, key, func(ctx context.Context) ([]policy.Check, time.Duration, error) {
		statuses, err := c.commitStatuses(ctx, src, q)
		if err != nil {
			return nil, 0, err
		}

		runs, err := c.checkRuns(ctx, src, q)
		if err != nil {
			return nil, 0, err
		}

		err = c.addSeries(ctx, src, q, runs)
		return append(statuses, runs...), ttlChecks, err
	})

	return slices.Clone(found), err
}

func (c *Client) commitStatuses(
	ctx context.Context,
	src deployment.Source,
	q policy.CheckQuery,
) ([]policy.Check, error) {
	commit := repositoryPath(src.Repository) + "/commits/" + q.SHA
	if q.History {
		return readAllPages(func(number int) (page checkPage, _ error) {
			path := fmt.Sprintf("%s/statuses?per_page=100&page=%d", commit, number)
			_, next, err := fetch(ctx, c, opCommitStatuses, src, path, func(all []commitStatus) (err error) {
				none := 0 // GitHub does not count this list
				page, err = newCheckPage(&none, all, commitStatus.toCheck)
				return err
			})

			page.more = next > number
			return page, err
		})
	}

	type response struct {
		Total *int           `json:"total_count"`
		Items []commitStatus `json:"statuses"`
	}

	return readAllPages(func(number int) (page checkPage, _ error) {
		path := fmt.Sprintf("%s/status?per_page=100&page=%d", commit, number)
		_, next, err := fetch(ctx, c, opCommitStatuses, src, path, func(r response) (err error) {
			page, err = newCheckPage(r.Total, r.Items, commitStatus.toCheck)
			return err
		})

		page.more = next > number
		return page, err
	})
}

// checkRuns reads the check runs. Where a commit has so many that asking by name takes fewer calls,
// or that GitHub's list would be too long, it asks for each name of the query.
func (c *Client) checkRuns(ctx context.Context, src deployment.Source, q policy.CheckQuery) ([]policy.Check, error) {
	first, err := c.checkRunPage(ctx, src, q, "", 1)
	if err != nil {
		return nil, err
	}

	pages := (first.total + 99) / 100
	if len(q.Names) == 0 || pages <= maxCheckPages && pages-1 <= len(q.Names) {
		return readAllPages(func(number int) (checkPage, error) {
			if number == 1 {
				return first, nil
			}
			return c.checkRunPage(ctx, src, q, "", number)
		})
	}

	var all []policy.Check
	for _, name := range q.Names {
		runs, err := readAllPages(func(number int) (checkPage, error) {
			return c.checkRunPage(ctx, src, q, name, number)
		})
		if err != nil {
			return nil, err
		}

		all = append(all, runs...)
	}

	return all, nil
}

// checkRunPage reads one page of the check runs with a name; the empty name stands for all.
func (c *Client) checkRunPage(
	ctx context.Context,
	src deployment.Source,
	q policy.CheckQuery,
	name string,
	number int,
) (page checkPage, _ error) {
	type response struct {
		Total *int       `json:"total_count"`
		Items []checkRun `json:"check_runs"`
	}

	filter := "latest"
	if q.History {
		filter = "all"
	}

	path := fmt.Sprintf("%s/commits/%s/check-runs?filter=%s&per_page=100&page=%d",
		repositoryPath(src.Repository), q.SHA, filter, number)
	if name != "" {
		path += "&check_name=" + url.QueryEscape(name)
	}

	toCheck := func(r checkRun) (policy.Check, error) { return r.toCheck(c.options.Now()) }
	_, next, err := fetch(ctx, c, opCheckRuns, src, path, func(r response) (err error) {
		page, err = newCheckPage(r.Total, r.Items, toCheck)
		return err
	})

	page.more = next > number
	return page, err
}

// avatarOfApp matches the picture of a GitHub App, which has the App's id in its address. The
// pictures of people and of OAuth apps have other addresses. It is the only word on an App in the
// combined status, and nobody but GitHub can set it.
var avatarOfApp = regexp.MustCompile(`^https://avatars[0-9]?\.githubusercontent\.com/in/([0-9]{1,18})(\?|$)`)

// toCheck maps a commit status. A state that is not documented is pending, never green.
func (s commitStatus) toCheck() (policy.Check, error) {
	check := policy.Check{
		Name:   s.Context,
		Status: true,
		URL:    s.URL,
		State:  policy.CheckPending,
		At:     firstTime(s.Updated, s.Created),
		ID:     s.ID,
	}

	if match := avatarOfApp.FindStringSubmatch(s.Avatar); match != nil {
		check.AppID, _ = strconv.ParseInt(match[1], 10, 64) // 18 digits at most: it fits
	}

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
	check := policy.Check{
		Name:    r.Name,
		URL:     r.URL,
		State:   policy.CheckPending,
		Skipped: r.Conclusion == "skipped",
		At:      firstTime(r.Started, r.Completed),
		ID:      r.ID,
	}
	if r.App != nil {
		check.App, check.AppID = r.App.Slug, r.App.ID
	}
	if r.Suite != nil {
		check.Suite = r.Suite.ID
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
