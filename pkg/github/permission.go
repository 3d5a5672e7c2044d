package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// permission is GitHub's answer ("Get repository permissions for a user"). go-github v60 drops
// role_name, which alone tells maintain and triage.
type permission struct {
	Permission string `json:"permission"`
	RoleName   string `json:"role_name"`
	User       *struct {
		ID          int64 `json:"id"`
		Permissions *struct {
			Triage   bool `json:"triage"`
			Maintain bool `json:"maintain"`
		} `json:"permissions"`
	} `json:"user"`
}

// level is what an answer amounts to. The role must agree with the older word beside it; a custom
// role, whatever its name, counts as the role that it stands on.
func (p permission) level() (policy.Permission, error) {
	role, may := policy.Permission(p.RoleName), policy.PermissionNone
	switch {
	case p.Permission == "admin":
		may = policy.PermissionAdmin
	case p.Permission == "write" && (role == policy.PermissionMaintain || role != policy.PermissionWrite && p.maintains()):
		may = policy.PermissionMaintain
	case p.Permission == "write":
		may = policy.PermissionWrite
	case p.Permission == "read" && (role == policy.PermissionTriage || role != policy.PermissionRead && p.triages()):
		may = policy.PermissionTriage
	case p.Permission == "read":
		may = policy.PermissionRead
	case p.Permission != "none":
		return may, fmt.Errorf("it names the permission %q", singleLine(p.Permission))
	}

	return may, nil
}

func (p permission) maintains() bool {
	return p.User != nil && p.User.Permissions != nil && p.User.Permissions.Maintain
}

func (p permission) triages() bool {
	return p.User != nil && p.User.Permissions != nil && p.User.Permissions.Triage
}

// Permission says what somebody may do in a repository, by what their id goes by now. An error: it
// cannot be said, for want of rights, or because the login is somebody else's by now.
func (c *Client) Permission(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	id int64,
	login string,
) (policy.Permission, error) {
	if err := validateLogin(login); err != nil {
		return "", err
	}

	key := c.cacheKey(opPermission, of, installation, repositoryPath(of), strconv.FormatInt(id, 10), login)
	return cached(ctx, c.cache, key, func(ctx context.Context) (policy.Permission, time.Duration, error) {
		may, err := c.permission(ctx, of, installation, id, login)
		if may == policy.PermissionNone {
			return may, ttlNegative, err
		}

		return may, ttlFact, err
	})
}

func (c *Client) permission(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	id int64,
	login string,
) (may policy.Permission, err error) {
	var found permission
	err = c.read(ctx, opPermission, c.current(of), installation, func(ctx context.Context, api *gh.Client) error {
		found = permission{}
		_, err := get(ctx, api, repositoryPath(of)+"/collaborators/"+url.PathEscape(login)+"/permission", &found)
		if err == nil && (found.User == nil || found.User.ID == 0) {
			err = errors.New("it names nobody")
		}
		if err == nil {
			may, err = found.level()
		}

		return err
	})

	switch {
	case hasStatus(err, opPermission, http.StatusNotFound):
		return c.noPermission(ctx, of, installation, id, login)
	case err != nil:
		return "", err
	case found.User.ID != id:
		c.cache.forget(c.personKey(id, of, installation))
		return "", fmt.Errorf("the login %s is somebody else's now", login)
	}

	return may, nil
}

// noPermission says what it means that GitHub knows nothing of a login in a repository: nothing is
// permitted, unless the repository is out of sight or the login is no longer theirs.
func (c *Client) noPermission(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
	id int64,
	login string,
) (policy.Permission, error) {
	if _, err := c.getRepository(ctx, of, installation); err != nil {
		return "", err
	}

	c.cache.forget(c.personKey(id, of, installation))
	now, err := c.Person(ctx, id, of, installation)
	switch {
	case errors.Is(err, ErrNoPerson):
		return policy.PermissionNone, nil
	case err != nil:
		return "", err
	case now != login:
		return "", fmt.Errorf("%s goes by the login %s now", login, now)
	}

	return policy.PermissionNone, nil
}
