package github

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

var shaPattern = regexp.MustCompile(`^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)

// validateSHA accepts only full commit ids: a branch name would mean another commit later, and
// other characters could change the path of a call.
func validateSHA(sha string) error {
	if !shaPattern.MatchString(sha) {
		return fmt.Errorf("invalid commit id %q: want 40 or 64 hexadecimal digits", singleLine(sha))
	}
	return nil
}

// comparison is the response of "Compare two commits", as far as it is needed.
type comparison struct {
	Status   policy.Comparison `json:"status"`
	AheadBy  int               `json:"ahead_by"`
	BehindBy int               `json:"behind_by"`
}

func (c comparison) validate() error {
	switch c.Status {
	case policy.ComparisonAhead, policy.ComparisonIdentical, policy.ComparisonBehind, policy.ComparisonDiverged:
		return nil
	default:
		return fmt.Errorf("unknown comparison status %q", singleLine(string(c.Status)))
	}
}

// Compare returns how head stands to base: ahead, identical, behind or diverged (REST API, "Compare
// two commits"). The result may be ttlComparison old.
func (c *Client) Compare(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	base, head string,
) (policy.Comparison, error) {
	found, err := c.compare(ctx, of, installation, base, head)
	return found.Status, err
}

// CountCommits returns how many commits head has that base has not, and how many base has that head has not (REST
// API, "Compare two commits"). The result may be ttlComparison old.
func (c *Client) CountCommits(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	base, head string,
) (ahead, behind int, err error) {
	found, err := c.compare(ctx, of, installation, base, head)
	return found.AheadBy, found.BehindBy, err
}

func (c *Client) compare(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	base, head string,
) (comparison, error) {
	for _, sha := range []string{base, head} {
		if err := validateSHA(sha); err != nil {
			return comparison{}, err
		}
	}

	src := c.current(deployment.Source{Repository: of, Installation: installation})
	key := c.cacheKey(opCompare, src, repositoryPath(src.Repository), base, head)
	return cached(ctx, c.cache, key, func(ctx context.Context) (comparison, time.Duration, error) {
		// The commits of the response are not used, so one a page is enough.
		path := repositoryPath(src.Repository) + "/compare/" + base + "..." + head + "?per_page=1"
		found, _, err := fetch(ctx, c, opCompare, src, path, comparison.validate)
		if hasStatus(err, opCompare, http.StatusNotFound) {
			err = fmt.Errorf(
				"compare commits %.7s and %.7s (one is missing, or they have no common history): %w",
				base,
				head,
				err,
			)
		}

		return found, ttlComparison, err
	})
}

// CommitExists returns an error if a repository has no such commit: policy.ErrMissing, or
// *deployment.RefsHiddenError if the credentials may read no commit of it. That a commit exists may be
// ttlComparison old.
func (c *Client) CommitExists(ctx context.Context, of deployment.Repository, installation int64, sha string) error {
	_, err := c.Compare(ctx, of, installation, sha, sha) // a commit is identical to itself
	switch {
	case hasStatus(err, opCompare, http.StatusForbidden):
		return refsHidden(err)
	case !hasStatus(err, opCompare, http.StatusNotFound):
		return err
	}

	// GitHub also answers 404 where the right to read commits is missing
	src := c.current(deployment.Source{Repository: of, Installation: installation})
	if hidden := c.checkRefs(ctx, src); hidden != nil {
		return hidden
	}
	return fmt.Errorf("%w: no such commit", policy.ErrMissing)
}
