package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var teamIDPattern = regexp.MustCompile(`^id:[1-9][0-9]{0,17}$`)

// validateTeam rejects names of organizations and teams that would change the path of a call. A team
// may be named by id:N.
func validateTeam(org, team string) error {
	for _, s := range []string{org, strings.TrimPrefix(team, "id:")} {
		if !namePattern.MatchString(s) || s == "." || s == ".." {
			return fmt.Errorf("invalid team %q: want ORGANIZATION/SLUG", singleLine(org+"/"+team))
		}
	}
	if strings.HasPrefix(team, "id:") && !teamIDPattern.MatchString(team) {
		return fmt.Errorf("invalid team %q: want id:N", singleLine(team))
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

// TeamMember reports whether a user is an active member of a team or of one of its child teams; a pending invitation
// does not count. The team is a slug or id:N. The result may be ttlFact old, or ttlNegative if it is false. It is an
// error if the team does not exist or the credentials may not see it.
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
	path, err := c.teamPath(ctx, src, org, team)
	if err != nil {
		return false, err
	}

	path += "/memberships/" + url.PathEscape(login)
	found, _, err := fetch(ctx, c, opMembership, src, path, membership.validate)
	if hasStatus(err, opMembership, http.StatusNotFound) { // no member, or no team that we may see
		_, err = c.teamID(ctx, src, org, team)
		return false, err
	}
	if err != nil {
		return false, err
	}

	return found.State == "active", nil
}

// TeamID returns the id of the team that has a slug now. The result may be ttlFact old. It is an error
// if the team does not exist or the credentials may not see it.
func (c *Client) TeamID(
	ctx context.Context,
	org, team string,
	of deployment.Repository,
	installation int64,
) (int64, error) {
	if err := validateTeam(org, team); err != nil {
		return 0, err
	}
	return c.teamID(ctx, c.current(deployment.Source{Repository: of, Installation: installation}), org, team)
}

func (c *Client) teamID(ctx context.Context, src deployment.Source, org, team string) (int64, error) {
	type response struct {
		ID   int64  `json:"id"`
		Slug string `json:"slug"`
	}

	key := c.cacheKey(opTeam, src, org, team)
	return cached(ctx, c.cache, key, func(ctx context.Context) (int64, time.Duration, error) {
		path, err := c.teamPath(ctx, src, org, team)
		if err != nil {
			return 0, 0, err
		}

		found, _, err := fetch(ctx, c, opTeam, src, path, func(r response) error {
			if !strings.EqualFold(r.Slug, team) && fmt.Sprintf("id:%d", r.ID) != team {
				return fmt.Errorf("team %q in place of %q", singleLine(r.Slug), team)
			}
			if r.ID <= 0 {
				return errors.New("no team id")
			}

			return nil
		})

		if hasStatus(err, opTeam, http.StatusNotFound) {
			err = fmt.Errorf("team %s/%s does not exist, or the credentials lack Members: read", org, team)
		}

		return found.ID, ttlFact, err
	})
}

// teamPath returns the path of a team. GitHub knows a team by its id together with the organization's
// (REST API, "Get a team by name").
func (c *Client) teamPath(ctx context.Context, src deployment.Source, org, team string) (string, error) {
	id, byID := strings.CutPrefix(team, "id:")
	if !byID {
		return "orgs/" + org + "/teams/" + team, nil
	}

	key := c.cacheKey(opLogin, src, "organization", org)
	orgID, err := cached(ctx, c.cache, key, func(ctx context.Context) (int64, time.Duration, error) {
		u, err := c.user(ctx, opLogin, src, "users/"+url.PathEscape(org))
		return u.ID, ttlFact, err
	})
	if err != nil {
		return "", fmt.Errorf("organization %s: %w", org, err)
	}

	return fmt.Sprintf("organizations/%d/team/%s", orgID, id), nil
}
