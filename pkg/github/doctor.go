package github

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Identity is who we are at GitHub. Kind is "user" or "app"; AppSlug is empty for a user. Login is
// what GitHub shows as our statuses' creator.
type Identity struct {
	Login   string
	AppSlug string
	Kind    string
}

// String is the identity as people read it.
func (i Identity) String() string {
	if i.AppSlug != "" {
		return "GitHub App " + i.AppSlug
	}
	return i.Kind + " " + i.Login
}

// Identity asks GitHub who we are and says it as people read it.
func (c *Client) Identity(ctx context.Context) (string, error) {
	me, err := c.Check(ctx)
	if err != nil {
		return "", err
	}
	return me.String(), nil
}

// Login is what GitHub shows as the creator of our statuses. It is asked for once.
func (c *Client) Login(ctx context.Context) (string, error) {
	c.mu.Lock()
	login := c.login
	c.mu.Unlock()
	if login != "" {
		return login, nil
	}

	me, err := c.Check(ctx)
	if err != nil {
		return "", err
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.login = me.Login
	return me.Login, nil
}

// Check asks GitHub who we are, and so whether the credentials are good.
func (c *Client) Check(ctx context.Context) (Identity, error) {
	if c.app != nil {
		return c.checkApp(ctx)
	}

	var user *gh.User
	failed := c.call(ctx, opUser, func(ctx context.Context) (err error) {
		user, _, err = c.account(0).api.Users.Get(ctx, "")
		if err == nil && user.GetLogin() == "" {
			err = errors.New("it names no user")
		}

		return err
	})

	if failed != nil {
		return Identity{}, failed
	}

	return Identity{Login: user.GetLogin(), Kind: "user"}, nil
}

func (c *Client) checkApp(ctx context.Context) (Identity, error) {
	var app *gh.App
	failed := c.call(ctx, opApp, func(ctx context.Context) (err error) {
		app, _, err = c.app.Apps.Get(ctx, "")
		if err == nil && app.GetSlug() == "" {
			err = errors.New("it names no App")
		}

		return err
	})

	if failed != nil {
		return Identity{}, failed
	}

	return Identity{Login: app.GetSlug() + "[bot]", AppSlug: app.GetSlug(), Kind: "app"}, nil
}

// CheckRepository says what keeps a repository's deployments from being read, and as far as GitHub
// shows it their statuses from being written.
func (c *Client) CheckRepository(ctx context.Context, owner, name string) error {
	s, found, err := c.resolve(ctx, owner, name)
	if err != nil {
		return err
	}
	if _, err := c.Deployments(ctx, s, c.options.Now(), 1); err != nil {
		return err
	}
	if c.app != nil {
		return c.checkInstallation(ctx, s.Repository)
	}

	if p := found.Permissions; p != nil && !p.Push {
		return fmt.Errorf(
			"statuses cannot be written: give the token's user write access to %s",
			s.Repository.FullName(),
		)
	}

	return nil
}

func (c *Client) checkInstallation(ctx context.Context, r deployment.Repository) error {
	found, err := c.findInstallation(ctx, r)
	if err != nil {
		return err
	}
	if found.SuspendedAt != nil {
		return fmt.Errorf("the GitHub App's installation %d is suspended: unsuspend it", found.GetID())
	}

	if p := found.Permissions; p != nil && p.GetDeployments() != "write" {
		return fmt.Errorf(
			"statuses cannot be written: the GitHub App's permission Deployments is %q, it needs \"write\"",
			p.GetDeployments(),
		)
	}

	return nil
}

// HookRanges reads the address ranges that GitHub sends webhooks from (REST API, "Get GitHub meta
// information").
func (c *Client) HookRanges(ctx context.Context) ([]netip.Prefix, error) {
	var meta *gh.APIMeta
	failed := c.call(ctx, opMeta, func(ctx context.Context) (err error) {
		meta, _, err = c.anonymous.Meta.Get(ctx)
		if err == nil && len(meta.Hooks) == 0 {
			err = errors.New("it names no ranges of webhooks")
		}

		return err
	})

	if failed != nil {
		return nil, failed
	}

	return parsePrefixes(meta.Hooks)
}

func parsePrefixes(texts []string) ([]netip.Prefix, error) {
	found := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("GitHub's webhook range %q cannot be read", singleLine(text))
		}

		found = append(found, p.Masked())
	}

	return found, nil
}
