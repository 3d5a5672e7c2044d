package github

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Identity is the account at GitHub that the credentials belong to.
type Identity struct {
	Kind    string // "user" or "app"
	ID      int64  // of the user's account; 0 for an App
	Login   string // the creator that GitHub shows for our statuses; "SLUG[bot]" for an App
	AppSlug string // empty for a user
}

// String returns the identity in the form that the configuration check prints.
func (i Identity) String() string {
	if i.AppSlug != "" {
		return "GitHub App " + i.AppSlug
	}
	return i.Kind + " " + i.Login
}

// Identity asks GitHub which account the credentials belong to, and so proves that they are valid
// (REST API, "Get the authenticated user" and "Get the authenticated app").
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	if c.app != nil {
		return c.appIdentity(ctx)
	}

	var user *gh.User
	token := c.account(0)
	err := c.call(ctx, opUser, token, func(ctx context.Context) (err error) {
		user, _, err = token.api.user(ctx, "")
		if err != nil {
			return err
		}
		if user.GetLogin() == "" {
			return errors.New("no login")
		}

		return nil
	})
	if err != nil {
		return Identity{}, err
	}

	return Identity{Kind: "user", ID: user.GetID(), Login: user.GetLogin()}, nil
}

func (c *Client) appIdentity(ctx context.Context) (Identity, error) {
	var app *gh.App
	err := c.call(ctx, opApp, c.app, func(ctx context.Context) (err error) {
		app, _, err = c.app.api.app(ctx, "")
		if err != nil {
			return err
		}
		if app.GetSlug() == "" {
			return errors.New("no App slug")
		}

		return nil
	})
	if err != nil {
		return Identity{}, err
	}

	return Identity{Kind: "app", Login: app.GetSlug() + "[bot]", AppSlug: app.GetSlug()}, nil
}

// Login returns the creator that GitHub shows for our statuses, as Maker does.
func (c *Client) Login(ctx context.Context) (string, error) {
	maker, err := c.Maker(ctx)
	return maker.Login, err
}

// Maker returns as whom GitHub shows us for what we create. GitHub is asked until it has answered once; from
// then on the answer is kept.
func (c *Client) Maker(ctx context.Context) (deployment.Maker, error) {
	c.mu.Lock()
	maker := c.maker
	c.mu.Unlock()
	if maker.Login != "" {
		return maker, nil
	}

	me, err := c.Identity(ctx)
	if err != nil {
		return deployment.Maker{}, err
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.maker = deployment.Maker{AppID: c.options.AppID, ID: me.ID, Login: me.Login}
	return c.maker, nil
}

// CheckRepository returns an error if the deployments of a repository cannot be read, or if GitHub
// shows that their statuses cannot be written. It writes nothing: a permission to write that GitHub
// does not show remains unchecked.
func (c *Client) CheckRepository(ctx context.Context, owner, name string) error {
	src, found, err := c.resolve(ctx, owner, name)
	if err != nil {
		return err
	}
	if _, err := c.Deployments(ctx, src, c.options.Now(), 1); err != nil {
		return err
	}
	if c.app != nil {
		return c.checkInstallation(ctx, src.Repository)
	}

	if found.Permissions != nil && !found.Permissions.Push {
		return fmt.Errorf(
			"token cannot write deployment statuses: give its user write access to %s",
			src.Repository.FullName(),
		)
	}

	return nil
}

// checkInstallation returns an error if the App's installation is suspended or lacks the permission
// to write deployment statuses.
func (c *Client) checkInstallation(ctx context.Context, r deployment.Repository) error {
	found, err := c.findInstallation(ctx, r)
	if err != nil {
		return err
	}
	if found.SuspendedAt != nil {
		return fmt.Errorf("installation %d of the GitHub App is suspended: unsuspend it", found.GetID())
	}

	if p := found.Permissions; p != nil && p.GetDeployments() != "write" {
		return fmt.Errorf(
			"GitHub App cannot write deployment statuses: its permission Deployments is %q, set it to \"write\"",
			p.GetDeployments(),
		)
	}

	return nil
}

// HookRanges reads the address ranges from which GitHub sends webhooks (REST API, "Get GitHub meta
// information"). An empty list is an error, because it would lock GitHub out.
func (c *Client) HookRanges(ctx context.Context) ([]netip.Prefix, error) {
	var meta *gh.APIMeta
	err := c.call(ctx, opMeta, c.anonymous, func(ctx context.Context) (err error) {
		meta, _, err = c.anonymous.api.meta(ctx)
		if err != nil {
			return err
		}
		if len(meta.Hooks) == 0 {
			return errors.New("no webhook address ranges")
		}

		return nil
	})
	if err != nil {
		return nil, err
	}

	return parsePrefixes(meta.Hooks)
}

func parsePrefixes(texts []string) ([]netip.Prefix, error) {
	found := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("parse webhook address range %q of GitHub: want a CIDR prefix", singleLine(text))
		}

		found = append(found, p.Masked())
	}

	return found, nil
}
