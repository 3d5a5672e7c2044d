package github

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

var shaPattern = regexp.MustCompile(`^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)

// validateSHA keeps out names of branches, which move, and whatever would bend a path.
func validateSHA(sha string) error {
	if !shaPattern.MatchString(sha) {
		return fmt.Errorf("%q is no full commit id", singleLine(sha))
	}
	return nil
}

// Compare says how one commit stands to another ("Compare two commits").
func (c *Client) Compare(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	base, head string,
) (policy.Comparison, error) {
	for _, sha := range []string{base, head} {
		if err := validateSHA(sha); err != nil {
			return "", err
		}
	}

	key := c.cacheKey(opCompare, of, installation, repositoryPath(of), base, head)
	return cached(ctx, c.cache, key, func(ctx context.Context) (policy.Comparison, time.Duration, error) {
		stands, err := c.compare(ctx, of, installation, base, head)
		return stands, ttlComparison, err
	})
}

func (c *Client) compare(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	base, head string,
) (policy.Comparison, error) {
	var found struct {
		Status policy.Comparison `json:"status"`
	}
	err := c.read(ctx, opCompare, c.current(of), installation, func(ctx context.Context, api *gh.Client) error {
		found.Status = ""
		// its commits are of no interest
		_, err := get(ctx, api, repositoryPath(of)+"/compare/"+base+"..."+head+"?per_page=1", &found)
		if err != nil {
			return err
		}

		switch found.Status {
		case policy.Ahead, policy.Identical, policy.Behind, policy.Diverged:
			return nil
		}

		return fmt.Errorf("it names the status %q", singleLine(string(found.Status)))
	})

	if hasStatus(err, opCompare, http.StatusNotFound) {
		err = fmt.Errorf(
			"the commits %.7s and %.7s cannot be compared, one is not there or they have no history in common: %w",
			base,
			head,
			err,
		)
	}

	return found.Status, err
}
