package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// maxFindPages bounds how many deployments of one commit and environment FindDeployments reads, at 100 a
// page.
const maxFindPages = 10

// errTooManyDeployments says that a list of deployments was not read to its end.
var errTooManyDeployments = fmt.Errorf("more than %d deployments of one commit and environment", maxFindPages*100)

// FindDeployments lists the deployments of one commit in one environment, newest first, as GitHub's JSON,
// which has their payload and creator (REST API, "List deployments"). It returns what it could read also
// with an error, and then a deployment that is missing from the list may exist.
func (c *Client) FindDeployments(
	ctx context.Context,
	of deployment.Source,
	sha, environment string,
) ([]json.RawMessage, error) {
	if err := validateSHA(sha); err != nil {
		return nil, err
	}

	src := c.current(of)
	filter := "sha=" + sha + "&environment=" + url.QueryEscape(environment)
	seen := map[int64]bool{} // an item is seen twice if a deployment is created between two pages
	var found []json.RawMessage
	var unreadable error

	for page := 1; page <= maxFindPages; page++ {
		path := fmt.Sprintf("%s/deployments?%s&per_page=100&page=%d", repositoryPath(src.Repository), filter, page)
		items, next, err := fetch(ctx, c, opDeployments, src, path, requireList[json.RawMessage])
		if err != nil {
			return found, errors.Join(unreadable, err)
		}

		for _, raw := range items {
			item, err := parseDeploymentItem(raw)
			switch {
			case err != nil:
				unreadable = fmt.Errorf("read listed deployment %d: %w", item.ID, err)
			case !strings.EqualFold(item.SHA, sha) || !strings.EqualFold(item.Environment, environment):
			case seen[item.ID]:
			default:
				seen[item.ID] = true
				found = append(found, raw)
			}
		}

		if next <= page {
			return found, unreadable
		}
	}

	return found, errors.Join(unreadable, errTooManyDeployments)
}
