package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// permission is the response of "Get repository permissions for a user", as far as it is needed.
// Its permission field knows only admin, write, read and none; maintain counts as write there and
// triage as read. role_name tells them apart, and go-github v60 drops it.
type permission struct {
	Permission string `json:"permission"`
	RoleName   string `json:"role_name"`
	User       struct {
		ID          int64 `json:"id"`
		Permissions struct {
			Triage   bool `json:"triage"`
			Maintain bool `json:"maintain"`
		} `json:"permissions"`
	} `json:"user"`
}

// level returns the permission that a response grants, which is never more than its permission
// field grants. A custom role may have any name, even that of a higher role, so a role name counts
// only if it agrees with the permission field. Else the flags of the user show which role the
// custom one is based on.
func (p permission) level() (policy.Permission, error) {
	role := policy.Permission(p.RoleName)
	flags := p.User.Permissions
	switch p.Permission {
	case "admin":
		return policy.PermissionAdmin, nil

	case "write":
		if role == policy.PermissionMaintain || role != policy.PermissionWrite && flags.Maintain {
			return policy.PermissionMaintain, nil
		}
		return policy.PermissionWrite, nil

	case "read":
		if role == policy.PermissionTriage || role != policy.PermissionRead && flags.Triage {
			return policy.PermissionTriage, nil
		}
		return policy.PermissionRead, nil

	case "none":
		return policy.PermissionNone, nil

	default:
		return policy.PermissionNone, fmt.Errorf("unknown permission %q", singleLine(p.Permission))
	}
}

func (p permission) validate() error {
	if p.User.ID == 0 {
		return errors.New("no user id")
	}
	_, err := p.level()
	return err
}

// Permission returns what an account may do in a repository. GitHub is asked by login, and the
// response is accepted only if it is about the account with that id. The result may be ttlFact old,
// or ttlNegative where nothing is permitted. It is an error if the credentials may not ask, or if
// the login belongs to another account now.
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

	src := c.current(deployment.Source{Repository: of, Installation: installation})
	key := c.cacheKey(opPermission, src, repositoryPath(src.Repository), strconv.FormatInt(id, 10), login)
	return cached(ctx, c.cache, key, func(ctx context.Context) (policy.Permission, time.Duration, error) {
		level, err := c.permission(ctx, src, id, login)
		if level == policy.PermissionNone {
			return level, ttlNegative, err
		}

		return level, ttlFact, err
	})
}

func (c *Client) permission(
	ctx context.Context,
	src deployment.Source,
	id int64,
	login string,
) (policy.Permission, error) {
	path := repositoryPath(src.Repository) + "/collaborators/" + url.PathEscape(login) + "/permission"
	found, _, err := fetch(ctx, c, opPermission, src, path, permission.validate)
	if hasStatus(err, opPermission, http.StatusNotFound) {
		return c.permissionOfUnknown(ctx, src, id, login)
	}
	if err != nil {
		return "", err
	}

	if found.User.ID != id {
		c.cache.forget(c.personKey(src, id))
		return "", fmt.Errorf("login %s belongs to another account now", login)
	}

	return found.level()
}

// permissionOfUnknown returns what the 404 for a login in a repository means: nothing is permitted,
// unless the repository is not visible or the account has another login now.
func (c *Client) permissionOfUnknown(
	ctx context.Context,
	src deployment.Source,
	id int64,
	login string,
) (policy.Permission, error) {
	if _, err := c.getRepository(ctx, src); err != nil {
		return "", err
	}

	c.cache.forget(c.personKey(src, id))
	current, err := c.Person(ctx, id, src.Repository, src.Installation)
	if errors.Is(err, ErrNoPerson) {
		return policy.PermissionNone, nil
	}
	if err != nil {
		return "", err
	}
	if current != login {
		return "", fmt.Errorf("account %s was renamed to %s", login, current)
	}

	return policy.PermissionNone, nil
}
