package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// ErrRepositoryGone says that GitHub does not show a repository: it answers 404.
var ErrRepositoryGone = errors.New("repository was deleted, or the credentials may no longer see it")

// errInvalidName says that the owner or name of a repository must not go into a path.
var errInvalidName = errors.New("invalid repository name")

var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// validateName rejects owners and names that would change the path of a call: go-github v60 does
// not escape them.
func validateName(r deployment.Repository) error {
	for _, s := range []string{r.Owner, r.Name} {
		if !namePattern.MatchString(s) || s == "." || s == ".." {
			return fmt.Errorf("%w %q", errInvalidName, singleLine(r.FullName()))
		}
	}
	return nil
}

// repository is the response of "Get a repository", as far as it is needed.
type repository struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
	Permissions   *struct {
		Push bool `json:"push"`
	} `json:"permissions"` // of the credentials; nil where GitHub does not show them
}

func (r repository) toRepository() (deployment.Repository, error) {
	owner, name, _ := strings.Cut(r.FullName, "/")
	named := deployment.Repository{ID: r.ID, Owner: owner, Name: name}
	return named, validateName(named)
}

// repositoryPath returns the path of a repository. It uses the id where it is known, because a name
// can be given up and taken by another repository. GitHub does not document the path with the id
// but uses it in its own redirects and Link headers.
func repositoryPath(r deployment.Repository) string {
	if r.ID != 0 {
		return fmt.Sprintf("repositories/%d", r.ID)
	}
	return "repos/" + r.Owner + "/" + r.Name
}

// Repository looks a repository up by its id and returns it with its current name, which later
// calls then use. On an error it returns the repository as it was given. The error is
// ErrRepositoryGone if GitHub does not show a repository with that id.
func (c *Client) Repository(
	ctx context.Context,
	known deployment.Repository,
	installation int64,
) (deployment.Repository, error) {
	src := deployment.Source{Repository: known, Installation: installation}
	path := fmt.Sprintf("repositories/%d", known.ID)
	found, _, err := fetch(ctx, c, opRepository, src, path, func(r repository) error {
		if r.ID != known.ID {
			return fmt.Errorf("repository %d in place of %d", r.ID, known.ID)
		}

		return nil
	})

	if hasStatus(err, opRepository, http.StatusNotFound) {
		c.forgetInstallation(known)
		return known, ErrRepositoryGone
	}
	if err != nil {
		return known, err
	}

	current, err := found.toRepository()
	if err != nil {
		return known, err
	}

	c.rememberName(known, current)
	return current, nil
}

// getRepository reads a repository by its id, or by its name where the id is not known. The error
// is ErrRepositoryGone if GitHub does not show it.
func (c *Client) getRepository(ctx context.Context, src deployment.Source) (repository, error) {
	wanted := src.Repository.ID // 0: not known
	found, _, err := fetch(ctx, c, opRepository, src, repositoryPath(src.Repository), func(r repository) error {
		if r.ID == 0 || wanted != 0 && r.ID != wanted {
			return fmt.Errorf("repository %d in place of %d", r.ID, wanted)
		}

		return nil
	})

	if hasStatus(err, opRepository, http.StatusNotFound) {
		err = ErrRepositoryGone
	}

	return found, err
}

// rememberName makes later calls use the current name of a repository.
func (c *Client) rememberName(known, current deployment.Repository) {
	if known == current {
		return
	}

	c.mu.Lock()
	c.currentNames[current.ID] = current
	c.mu.Unlock()

	c.options.Log.Info().
		Str("repository", current.FullName()).
		Str("was", known.FullName()).
		Msg("repository renamed")
}

// current returns src with the current name of its repository, as far as Repository has found one.
func (c *Client) current(src deployment.Source) deployment.Source {
	c.mu.Lock()
	defer c.mu.Unlock()
	if renamed, ok := c.currentNames[src.Repository.ID]; ok && src.Repository.ID != 0 {
		src.Repository = renamed
	}
	return src
}

// resolveRenamed looks for the current name of a repository after a call by its name has failed. It
// returns src with that name if it is another one than before. Else it returns ErrRepositoryGone,
// or the failure itself where that does not come from the name.
func (c *Client) resolveRenamed(
	ctx context.Context,
	src deployment.Source,
	failure error,
) (deployment.Source, error) {
	if src.Repository.ID == 0 || !mayBeRenamed(failure) {
		return src, failure
	}

	current, err := c.Repository(ctx, src.Repository, src.Installation)
	if errors.Is(err, ErrRepositoryGone) {
		return src, ErrRepositoryGone
	}
	if err != nil {
		return src, failure
	}

	if strings.EqualFold(current.FullName(), src.Repository.FullName()) {
		c.forgetInstallation(src.Repository)
		return src, failure
	}

	src.Repository = current
	return src, nil
}

// mayBeRenamed reports whether a failed call may have used a former name of its repository. Without
// a token or an installation the call itself was not made.
func mayBeRenamed(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.Operation == opToken || e.Operation == opInstallation {
		return false
	}
	return e.Kind == KindMoved || e.Status == http.StatusNotFound
}

// ResolveRepository looks a repository up by its name, and with an App the installation that sees
// it. With a token the installation is 0. policy.ErrMissing: GitHub does not show it. The result may be
// ttlFact old; that there is no such repository is not remembered, because people wait for it to be there.
func (c *Client) ResolveRepository(ctx context.Context, owner, name string) (deployment.Source, error) {
	named := deployment.Source{Repository: deployment.Repository{Owner: owner, Name: name}}
	if err := validateName(named.Repository); err != nil {
		return named, err
	}

	key := c.cacheKey(opRepository, named, "by name", repositoryPath(named.Repository))
	found, err := cached(ctx, c.cache, key, func(ctx context.Context) (deployment.Source, time.Duration, error) {
		src, _, err := c.resolve(ctx, owner, name)
		return src, ttlFact, err
	})

	var failed *Error
	if errors.As(err, &failed) && failed.Status == http.StatusNotFound {
		c.cache.forget(key)
		err = fmt.Errorf("%w: %w", policy.ErrMissing, err)
	}

	return found, err
}

func (c *Client) resolve(ctx context.Context, owner, name string) (deployment.Source, repository, error) {
	src := deployment.Source{Repository: deployment.Repository{Owner: owner, Name: name}}
	found, _, err := fetch(ctx, c, opRepository, src, repositoryPath(src.Repository), func(r repository) error {
		if r.ID == 0 {
			return errors.New("no repository id")
		}

		return nil
	})
	if err != nil {
		return deployment.Source{}, found, err
	}

	src.Repository, err = found.toRepository()
	if err != nil {
		return src, found, err
	}
	if c.app != nil {
		src.Installation, err = c.installation(ctx, src.Repository)
	}

	return src, found, err
}
