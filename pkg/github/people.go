package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// ErrNoPerson says that an id or a login is nobody's: GitHub answers 404 for it, or it belongs to
// an organization. It is a policy.ErrMissing.
var ErrNoPerson = fmt.Errorf("%w: no such account, or the credentials may not see it", policy.ErrMissing)

var loginPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+(\[bot\])?$`)

// validateLogin rejects logins that would change the path of a call.
func validateLogin(login string) error {
	if !loginPattern.MatchString(login) || login == "." || login == ".." {
		return fmt.Errorf("invalid login %q", singleLine(login))
	}
	return nil
}

// user is the response of "Get a user" and "Get a user using their ID", as far as it is needed.
type user struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"` // "User", "Bot" or "Organization"
}

func (u user) validate() error {
	if u.ID <= 0 || validateLogin(u.Login) != nil {
		return errors.New("no account id or login")
	}
	return nil
}

func (u user) actor() deployment.Actor {
	a := deployment.Actor{ID: u.ID, Login: u.Login}
	if u.Type == "Bot" {
		a.App = strings.TrimSuffix(u.Login, "[bot]")
	}
	return a
}

// Person returns the current login of an account. The account is asked for with the credentials
// that see the repository, and the result may be ttlFact old. The error is ErrNoPerson if GitHub
// does not show an account with that id.
func (c *Client) Person(
	ctx context.Context,
	id int64,
	of deployment.Repository,
	installation int64,
) (login string, err error) {
	if id <= 0 {
		return "", ErrNoPerson
	}

	src := c.current(deployment.Source{Repository: of, Installation: installation})
	return cached(ctx, c.cache, c.personKey(src, id), func(ctx context.Context) (string, time.Duration, error) {
		u, err := c.user(ctx, opPerson, src, "user/"+strconv.FormatInt(id, 10))
		if err != nil {
			return "", 0, err
		}
		if u.ID != id {
			return "", 0, fmt.Errorf("GitHub %s: account %d in place of %d", opPerson, u.ID, id)
		}

		return u.Login, ttlFact, nil
	})
}

func (c *Client) personKey(src deployment.Source, id int64) string {
	return c.cacheKey(opPerson, src, strconv.FormatInt(id, 10))
}

// PersonByLogin returns the account that has a login now. The account is asked for with the
// credentials that see the repository, and the result may be ttlFact old. The error wraps
// ErrNoPerson if GitHub does not show an account with that login, or if it is an organization.
func (c *Client) PersonByLogin(
	ctx context.Context,
	login string,
	of deployment.Repository,
	installation int64,
) (deployment.Actor, error) {
	if err := validateLogin(login); err != nil {
		return deployment.Actor{}, err
	}

	src := c.current(deployment.Source{Repository: of, Installation: installation})
	key := c.cacheKey(opLogin, src, login)
	return cached(ctx, c.cache, key, func(ctx context.Context) (deployment.Actor, time.Duration, error) {
		var none deployment.Actor
		u, err := c.user(ctx, opLogin, src, "users/"+url.PathEscape(login))
		if err != nil {
			return none, 0, err
		}
		if !strings.EqualFold(u.Login, login) {
			return none, 0, fmt.Errorf("GitHub %s: account %s in place of %s", opLogin, singleLine(u.Login), login)
		}
		if u.Type == "Organization" {
			return none, 0, fmt.Errorf("%s is an organization: %w", login, ErrNoPerson)
		}

		return u.actor(), ttlFact, nil
	})
}

func (c *Client) user(ctx context.Context, operation string, src deployment.Source, path string) (user, error) {
	found, _, err := fetch(ctx, c, operation, src, path, user.validate)
	if hasStatus(err, operation, http.StatusNotFound) {
		err = ErrNoPerson
	}

	return found, err
}
