package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// ErrGone says that a repository was deleted, or is out of our sight for good.
var ErrGone = errors.New("the repository was deleted, or the credentials may not see it any more")

// errName says that a name would bend the path of a call.
var errName = errors.New("is no repository name")

var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// validName keeps a name from bending a path: go-github does not escape owner and name.
func validName(r deployment.Repository) error {
	for _, s := range []string{r.Owner, r.Name} {
		if !namePattern.MatchString(s) || s == "." || s == ".." {
			return fmt.Errorf("%q %w", r.FullName(), errName)
		}
	}
	return nil
}

// repository is what GitHub shows of a repository.
type repository struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
	Permissions   *struct {
		Push bool `json:"push"`
	} `json:"permissions"` // the caller's; nil: not shown
}

func (f repository) named() (deployment.Repository, error) {
	owner, name, _ := strings.Cut(f.FullName, "/")
	r := deployment.Repository{ID: f.ID, Owner: owner, Name: name}
	return r, validName(r)
}

// Repository asks for a repository by its id, whatever it is called now, and keeps the name for
// later calls. ErrGone: there is none.
func (c *Client) Repository(
	ctx context.Context,
	known deployment.Repository,
	installation int64,
) (deployment.Repository, error) {
	var found repository
	err := c.read(ctx, opRepository, known, installation, func(ctx context.Context, api *gh.Client) error {
		found = repository{}
		_, err := get(ctx, api, fmt.Sprintf("repositories/%d", known.ID), &found)
		if err == nil && found.ID != known.ID {
			err = fmt.Errorf("it is about repository %d, not %d", found.ID, known.ID)
		}

		return err
	})

	var e *Error
	if errors.As(err, &e) && e.Operation == opRepository && e.Status == http.StatusNotFound {
		c.forget(known)
		return known, ErrGone
	}
	if err != nil {
		return known, err
	}

	now, err := found.named()
	if err != nil {
		return known, err
	}

	c.rename(known, now)
	return now, nil
}

// at is where a repository is: by its id, as in GitHub's own Link headers and redirects. A name may
// have been given up, and be somebody else's by now; it is asked for only where no id is known.
func at(r deployment.Repository) string {
	if r.ID != 0 {
		return fmt.Sprintf("repositories/%d", r.ID)
	}
	return "repos/" + r.Owner + "/" + r.Name
}

// getRepository reads what GitHub shows of a repository now. ErrGone: nothing.
func (c *Client) getRepository(
	ctx context.Context,
	of deployment.Repository,
	installation int64,
) (found repository, err error) {
	err = c.read(ctx, opRepository, c.current(of), installation, func(ctx context.Context, api *gh.Client) error {
		found = repository{}
		_, err := get(ctx, api, at(of), &found)
		if err == nil && (found.ID == 0 || of.ID != 0 && found.ID != of.ID) {
			err = fmt.Errorf("it is about repository %d, not %d", found.ID, of.ID)
		}

		return err
	})

	if refused(err, opRepository, http.StatusNotFound) {
		err = ErrGone
	}

	return found, err
}

// rename keeps the name that a repository goes by now.
func (c *Client) rename(known, now deployment.Repository) {
	if known == now {
		return
	}

	c.mu.Lock()
	c.names[now.ID] = now
	c.mu.Unlock()
	c.o.Log.Info().
		Str("repository", now.FullName()).
		Str("was", known.FullName()).
		Msg("the repository goes by another name now")
}

// current is the name that a repository goes by now, as far as is known.
func (c *Client) current(r deployment.Repository) deployment.Repository {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, ok := c.names[r.ID]; ok && r.ID != 0 {
		return now
	}
	return r
}

// resolveRenamed looks by id for a repository whose name may be an old one, and gives the other
// name that it goes by now. Otherwise it gives ErrGone, or the failure as it was.
func (c *Client) resolveRenamed(
	ctx context.Context,
	r deployment.Repository,
	installation int64,
	failed error,
) (deployment.Repository, error) {
	var e *Error
	if !errors.As(failed, &e) || !e.mayHaveMoved() || r.ID == 0 {
		return r, failed
	}

	now, err := c.Repository(ctx, r, installation)
	switch {
	case errors.Is(err, ErrGone):
		return r, ErrGone
	case err != nil:
		return r, failed
	case strings.EqualFold(now.FullName(), r.FullName()):
		c.forget(r)
		return r, failed
	default:
		return now, nil
	}
}

// mayHaveMoved says whether a refusal may come from an old name. Without a token or an installation
// nothing was asked by name.
func (e *Error) mayHaveMoved() bool {
	return e.Operation != opToken && e.Operation != opInstallation &&
		(e.Kind == KindMoved || e.Status == http.StatusNotFound)
}

// ResolveRepository asks for a repository by its name, and which installation sees it (0 with a
// token).
func (c *Client) ResolveRepository(ctx context.Context, owner, name string) (deployment.Source, error) {
	s, _, err := c.resolve(ctx, owner, name)
	var failed *Error
	if errors.As(err, &failed) && failed.Status == http.StatusNotFound {
		err = fmt.Errorf("%w: %w", policy.ErrMissing, err)
	}
	return s, err
}

func (c *Client) resolve(ctx context.Context, owner, name string) (s deployment.Source, found repository, err error) {
	asked := deployment.Repository{Owner: owner, Name: name}
	err = c.read(ctx, opRepository, asked, 0, func(ctx context.Context, api *gh.Client) error {
		found = repository{}
		_, err := get(ctx, api, "repos/"+owner+"/"+name, &found)
		if err == nil && found.ID == 0 {
			err = errors.New("it names no repository")
		}

		return err
	})

	if err != nil {
		return s, found, err
	}
	if s.Repository, err = found.named(); err != nil {
		return s, found, err
	}
	if c.app != nil {
		s.Installation, err = c.installation(ctx, s.Repository)
	}

	return s, found, err
}
