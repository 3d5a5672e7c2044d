package gate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// ErrMissing says that GitHub was asked, and that there is no such repository or account. Any other
// error leaves that open.
var ErrMissing = errors.New("GitHub does not show it")

// NotFoundError says that a question is about something that is not there.
type NotFoundError struct {
	What string
	Err  error // nil: it is our own word
}

// Error names what is unknown.
func (u *NotFoundError) Error() string {
	if u.Err == nil {
		return "there is no " + u.What
	}
	return fmt.Sprintf("%s cannot be found: %v", u.What, u.Err)
}

// Unwrap gives the cause.
func (u *NotFoundError) Unwrap() error { return u.Err }

// Resolver finds a repository by its name. ErrMissing: there is none.
type Resolver interface {
	ResolveRepository(ctx context.Context, owner, name string) (deployment.Source, error)
}

// Names as GitHub gives them: no others need be asked for.
var (
	fullName = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)
	login    = regexp.MustCompile(`^[A-Za-z0-9._-]+(\[bot\])?$`)
)

// Repository finds a repository by owner/name. *Unknown: there is none; any other error is that it
// cannot be told now.
func Repository(ctx context.Context, r Resolver, name string) (deployment.Source, error) {
	what := "repository " + name
	owner, repo, _ := strings.Cut(name, "/")
	if !fullName.MatchString(name) || dots(owner) || dots(repo) {
		return deployment.Source{}, &NotFoundError{What: what}
	}
	s, err := r.ResolveRepository(ctx, owner, repo)
	return s, missing(what, err)
}

// creator is who would make the deployment of a question, as GitHub would show them.
func (g *Gate) creator(ctx context.Context, name string, s deployment.Source) (deployment.Creator, error) {
	what := "person " + name
	if !login.MatchString(name) || dots(name) {
		return deployment.Creator{}, &NotFoundError{What: what}
	}

	who, err := g.GitHub.PersonByLogin(ctx, name, s.Repository, s.Installation)
	c := deployment.Creator{ID: who.ID, Login: who.Login}
	if who.App != "" {
		c.Type = "Bot"
	}

	return c, missing(what, err)
}

// dots are steps of a path.
func dots(name string) bool { return name == "." || name == ".." }

// missing tells what is not there from what could not be asked.
func missing(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrMissing):
		return &NotFoundError{What: what, Err: err}
	default:
		return fmt.Errorf("%s cannot be looked up: %w", what, err)
	}
}
