package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// validateTeam keeps the names of an organization and a team from bending a path.
func validateTeam(org, team string) error {
	for _, s := range []string{org, team} {
		if !namePattern.MatchString(s) || s == "." || s == ".." {
			return fmt.Errorf("%q is no team: it is called by its organization and its slug", singleLine(org+"/"+team))
		}
	}
	return nil
}

// TeamMember says whether somebody is an active member of a team or of one below it; an invitation
// is none. An error: it cannot be said, because the team is not there or may not be read.
func (c *Client) TeamMember(
	ctx context.Context,
	org, team, login string,
	of deployment.Repository,
	installation int64,
) (bool, error) {
	if err := errors.Join(validateTeam(org, team), validateLogin(login)); err != nil {
		return false, err
	}

	return cached(
		ctx,
		c.cache,
		c.cacheKey(opMembership, of, installation, org, team, login),
		func(ctx context.Context) (bool, time.Duration, error) {
			member, err := c.membership(ctx, org, team, login, of, installation)
			if !member {
				return false, ttlNegative, err
			}

			return true, ttlFact, err
		},
	)
}

func (c *Client) membership(
	ctx context.Context,
	org, team, login string,
	of deployment.Repository,
	installation int64,
) (bool, error) {
	var found struct {
		State string `json:"state"`
	}
	path := fmt.Sprintf("orgs/%s/teams/%s/memberships/%s", org, team, url.PathEscape(login))
	err := c.read(ctx, opMembership, c.current(of), installation, func(ctx context.Context, api *gh.Client) error {
		found.State = ""
		_, err := get(ctx, api, path, &found)
		if err == nil && found.State != "active" && found.State != "pending" {
			err = fmt.Errorf("it names the state %q", singleLine(found.State))
		}

		return err
	})

	if hasStatus(err, opMembership, http.StatusNotFound) { // no member, or a team that nobody shows us
		return false, c.checkTeamVisible(ctx, org, team, of, installation)
	}

	return err == nil && found.State == "active", err
}

// checkTeamVisible says what keeps a team from being seen.
func (c *Client) checkTeamVisible(ctx context.Context, org, team string, of deployment.Repository, installation int64) error {
	_, err := cached(
		ctx,
		c.cache,
		c.cacheKey(opTeam, of, installation, org, team),
		func(ctx context.Context) (bool, time.Duration, error) {
			var found struct {
				Slug string `json:"slug"`
			}
			err := c.read(ctx, opTeam, c.current(of), installation, func(ctx context.Context, api *gh.Client) error {
				found.Slug = ""
				_, err := get(ctx, api, "orgs/"+org+"/teams/"+team, &found)
				if err == nil && !strings.EqualFold(found.Slug, team) {
					err = fmt.Errorf("it is about the team %q", singleLine(found.Slug))
				}

				return err
			})

			if hasStatus(err, opTeam, http.StatusNotFound) {
				err = fmt.Errorf(
					"the team %s/%s does not exist, or the credentials may not read it (Members: read)",
					org,
					team,
				)
			}

			return err == nil, ttlFact, err
		},
	)

	return err
}
