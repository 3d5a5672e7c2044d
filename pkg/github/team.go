package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// validateTeam rejects names of organizations and teams that would change the path of a call.
func validateTeam(org, team string) error {
	for _, s := range []string{org, team} {
		if !namePattern.MatchString(s) || s == "." || s == ".." {
			return fmt.Errorf("invalid team %q: want ORGANIZATION/SLUG", singleLine(org+"/"+team))
		}
	}
	return nil
}

// membership is the response of "Get team membership for a user", as far as it is needed.
type membership struct {
	State string `json:"state"`
}

func (m membership) validate() error {
	if m.State != "active" && m.State != "pending" {
		return fmt.Errorf("unknown membership state %q", singleLine(m.State))
	}
	return nil
}

// TeamMember reports whether a user is an active member of a team or of one of its child teams; a
// pending invitation does not count. The result may be ttlFact old, or ttlNegative if it is false.
// It is an error if the team does not exist or the credentials may not see it.
func (c *Client) TeamMember(
	ctx context.Context,
	org, team, login string,
	of deployment.Repository,
	installation int64,
) (bool, error) {
	if err := errors.Join(validateTeam(org, team), validateLogin(login)); err != nil {
		return false, err
	}

	src := c.current(deployment.Source{Repository: of, Installation: installation})
	key := c.cacheKey(opMembership, src, org, team, login)
	return cached(ctx, c.cache, key, func(ctx context.Context) (bool, time.Duration, error) {
		member, err := c.isMember(ctx, src, org, team, login)
		if !member {
			return false, ttlNegative, err
		}

		return true, ttlFact, err
	})
}

func (c *Client) isMember(ctx context.Context, src deployment.Source, org, team, login string) (bool, error) {
	path := fmt.Sprintf("orgs/%s/teams/%s/memberships/%s", org, team, url.PathEscape(login))
	found, _, err := fetch(ctx, c, opMembership, src, path, membership.validate)
	if hasStatus(err, opMembership, http.StatusNotFound) { // no member, or no team that we may see
		return false, c.checkTeamVisible(ctx, src, org, team)
	}
	if err != nil {
		return false, err
	}

	return found.State == "active", nil
}

// checkTeamVisible returns an error if the team does not exist or the credentials may not see it.
// The result may be ttlFact old.
func (c *Client) checkTeamVisible(ctx context.Context, src deployment.Source, org, team string) error {
	type response struct {
		Slug string `json:"slug"`
	}

	key := c.cacheKey(opTeam, src, org, team)
	_, err := cached(ctx, c.cache, key, func(ctx context.Context) (struct{}, time.Duration, error) {
		path := "orgs/" + org + "/teams/" + team
		_, _, err := fetch(ctx, c, opTeam, src, path, func(r response) error {
			if !strings.EqualFold(r.Slug, team) {
				return fmt.Errorf("team %q in place of %q", singleLine(r.Slug), team)
			}

			return nil
		})

		if hasStatus(err, opTeam, http.StatusNotFound) {
			err = fmt.Errorf("team %s/%s does not exist, or the credentials lack Members: read", org, team)
		}

		return struct{}{}, ttlFact, err
	})

	return err
}
