package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// signInTimeout limits one call of a sign-in, for which somebody waits in front of a browser.
const signInTimeout = 10 * time.Second

// newLinks makes the service that links chat users to accounts at GitHub. Without a client id nobody can link
// themselves, but links that were made before still count.
func (a *App) newLinks(c *clients) *link.Service {
	o := link.Options{
		Known:    a.routes,
		Attempts: a.db,
		Codes:    a.db,
		Links:    a.db,
		Accounts: accounts{routes: a.routes, github: c.github},
		Public:   a.cfg.PublicURL,
		Now:      now,
		Log:      a.log,
	}
	if a.cfg.Slack.On() {
		o.Left = func(ctx context.Context, u deployment.ChatUser) (string, error) { return a.actions.Left(ctx, u) }
	}
	if a.cfg.GitHub.ClientID == "" {
		return link.New(o)
	}

	observe := a.metrics.Calls("github")
	transport := outbound.New(outbound.Options{
		Timeout: signInTimeout,
		MaxBody: 1 << 20,
		Observe: func(call outbound.Call) {
			call.Remaining = -1 // it is about the person's token, and the metric about Seraph's
			observe(call)
		},
	})
	a.onStop(func(context.Context) { transport.CloseIdle() })
	o.SignIn = link.NewGitHub(link.GitHubOptions{
		ClientID:     a.cfg.GitHub.ClientID,
		ClientSecret: a.cfg.GitHub.ClientSecret.Reveal(),
		Web:          a.cfg.GitHub.WebURL,
		API:          a.cfg.GitHub.APIURL,
		Public:       a.cfg.PublicURL,
		HTTP:         transport.Client(),
		UserAgent:    "seraph",
		Log:          a.log,
	})
	return link.New(o)
}

// accounts reads accounts at GitHub with the credentials that see a repository of the routes: any of them will do.
type accounts struct {
	routes *route.Live
	github interface {
		ResolveRepository(ctx context.Context, owner, name string) (deployment.Source, error)
		Person(ctx context.Context, id int64, of deployment.Repository, installation int64) (string, error)
	}
}

// Login returns the login that an account has now.
func (a accounts) Login(ctx context.Context, id int64) (string, error) {
	err := errors.New("no route names a repository, so there are no credentials to ask GitHub with")
	for _, r := range a.routes.Repositories() {
		source, failed := a.github.ResolveRepository(ctx, r.Owner, r.Name)
		if failed != nil {
			err = failed
			continue
		}
		return a.github.Person(ctx, id, source.Repository, source.Installation)
	}
	return "", fmt.Errorf("read account %d: %v", id, err) // not %w: that a repository is missing says nothing of it
}

// unlink ends the link of somebody who asks for it.
func (a *App) unlink(ctx context.Context, u deployment.ChatUser) error {
	return a.links.Unlink(ctx, u, link.WhyAsked)
}

// linkHandler serves the addresses of links; nil: nobody can link themselves.
func (a *App) linkHandler() http.Handler {
	if a.cfg.GitHub.ClientID == "" {
		return nil
	}
	return a.links.Handler()
}
