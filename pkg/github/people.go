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

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// ErrNoPerson is policy.ErrMissing of an account: it was deleted, or never existed.
var ErrNoPerson = fmt.Errorf("%w: no such account, or the credentials may not see it", policy.ErrMissing)

var loginPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+(\[bot\])?$`)

// validLogin keeps a login from bending a path.
func validLogin(login string) error {
	if !loginPattern.MatchString(login) || login == "." || login == ".." {
		return fmt.Errorf("%q is no login", clean(login))
	}
	return nil
}

// person is what GitHub shows of an account.
type person struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"`
}

// Person says what login an account's id goes by now. ErrNoPerson: there is none. The repository
// and the installation say with whose eyes to look.
func (c *Client) Person(
	ctx context.Context,
	id int64,
	of deployment.Repository,
	installation int64,
) (login string, err error) {
	if id <= 0 {
		return "", ErrNoPerson
	}

	return cached(
		ctx,
		c.cache,
		c.personKey(id, of, installation),
		func(ctx context.Context) (string, time.Duration, error) {
			p, err := c.person(ctx, opPerson, "user/"+strconv.FormatInt(id, 10), of, installation)
			if err == nil && p.ID != id {
				err = fmt.Errorf("GitHub %s: it is about account %d, not %d", opPerson, p.ID, id)
			}

			return p.Login, lifeFact, err
		},
	)
}

func (c *Client) personKey(id int64, of deployment.Repository, installation int64) string {
	return c.key(opPerson, of, installation, strconv.FormatInt(id, 10))
}

// PersonByLogin says whose login it is now. ErrNoPerson: nobody's, or an organization's.
func (c *Client) PersonByLogin(
	ctx context.Context,
	login string,
	of deployment.Repository,
	installation int64,
) (deployment.Actor, error) {
	if err := validLogin(login); err != nil {
		return deployment.Actor{}, err
	}

	return cached(
		ctx,
		c.cache,
		c.key(opLogin, of, installation, login),
		func(ctx context.Context) (deployment.Actor, time.Duration, error) {
			p, err := c.person(ctx, opLogin, "users/"+url.PathEscape(login), of, installation)
			switch {
			case err != nil:
				return deployment.Actor{}, 0, err
			case !strings.EqualFold(p.Login, login):
				return deployment.Actor{}, 0, fmt.Errorf(
					"GitHub %s: it is about %s, not %s",
					opLogin,
					clean(p.Login),
					login,
				)
			case p.Type == "Organization":
				return deployment.Actor{}, 0, fmt.Errorf("%s is an organization: %w", login, ErrNoPerson)
			}

			return p.actor(), lifeFact, nil
		},
	)
}

func (p person) actor() deployment.Actor {
	a := deployment.Actor{ID: p.ID, Login: p.Login}
	if p.Type == "Bot" {
		a.App = strings.TrimSuffix(p.Login, "[bot]")
	}
	return a
}

func (c *Client) person(
	ctx context.Context,
	operation, path string,
	of deployment.Repository,
	installation int64,
) (p person, err error) {
	err = c.read(ctx, operation, c.current(of), installation, func(ctx context.Context, api *gh.Client) error {
		p = person{}
		_, err := get(ctx, api, path, &p)
		if err == nil && (p.ID <= 0 || validLogin(p.Login) != nil) {
			err = errors.New("it names nobody")
		}

		return err
	})

	if refused(err, operation, http.StatusNotFound) {
		err = ErrNoPerson
	}

	return p, err
}
