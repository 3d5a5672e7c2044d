package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// maxTagDepth bounds how many annotated tags are followed, each of which may point to another one.
const maxTagDepth = 5

// gitObject is what a ref or an annotated tag points to.
type gitObject struct {
	Type string `json:"type"`
	SHA  string `json:"sha"`
}

// gitRef is the response of "Get a reference" and of "Get a tag", as far as it is needed.
type gitRef struct {
	Object gitObject `json:"object"`
}

func (r gitRef) validate() error {
	if r.Object.Type == "" {
		return errors.New("no object")
	}
	return validateSHA(r.Object.SHA)
}

// Heads reads the commits of what a ref may be (REST API, "Get a reference"). Of a bare name it reads
// the branch, and the tag if both is set or the branch is not at the commit of the request. The error is
// a *deployment.RefsHiddenError if the credentials may see the repository but no ref of it.
func (c *Client) Heads(
	ctx context.Context,
	of deployment.Request,
	ref deployment.Ref,
	both bool,
) (heads deployment.Heads, err error) {
	src := c.current(deployment.Source{Repository: of.Repository, Installation: of.Installation})

	switch ref.Kind {
	case deployment.RefTag:
		heads.Tag, err = c.refCommit(ctx, src, ref.Full())
	case deployment.RefPull:
		heads.Pull, err = c.refCommit(ctx, src, ref.Full())
	case deployment.RefBranch:
		heads.Branch, err = c.refCommit(ctx, src, ref.Full())
	case deployment.RefBare:
		heads.Branch, err = c.refCommit(ctx, src, "refs/heads/"+ref.Name)
		if err == nil && (both || heads.Branch != of.SHA) {
			heads.Tag, err = c.refCommit(ctx, src, "refs/tags/"+ref.Name)
		}
	}
	if err != nil {
		return deployment.Heads{}, err
	}

	if heads == (deployment.Heads{}) {
		// GitHub also answers 404 where the right to read refs is missing
		return heads, c.checkRefs(ctx, src)
	}

	return heads, nil
}

// refCommit returns the commit of a ref by its full name; empty: there is no such ref. An annotated tag is
// followed to its commit.
func (c *Client) refCommit(ctx context.Context, src deployment.Source, name string) (string, error) {
	path, ok := refPath(name)
	if !ok {
		return "", nil
	}

	found, _, err := fetch(ctx, c, opRef, src, repositoryPath(src.Repository)+path, gitRef.validate)
	switch {
	case hasStatus(err, opRef, http.StatusNotFound):
		return "", nil
	case hasStatus(err, opRef, http.StatusForbidden):
		return "", refsHidden(err)
	case err != nil:
		return "", err
	}

	return c.peel(ctx, src, found.Object)
}

// peel follows annotated tags to the commit (REST API, "Get a tag").
func (c *Client) peel(ctx context.Context, src deployment.Source, object gitObject) (string, error) {
	for range maxTagDepth {
		if object.Type != "tag" {
			break
		}

		path := repositoryPath(src.Repository) + "/git/tags/" + object.SHA
		tag, _, err := fetch(ctx, c, opTag, src, path, gitRef.validate)
		if err != nil {
			return "", err
		}

		object = tag.Object
	}

	if object.Type != "commit" {
		return "", nil // CircleCI builds commits, and no tag of a file or a directory
	}

	return object.SHA, nil
}

// refPath returns the path of a ref, and false if git allows no such name: it must not change the path
// of the call.
func refPath(name string) (string, bool) {
	parts := strings.Split(strings.TrimPrefix(name, "refs/"), "/")
	for i, part := range parts {
		if part == "" || strings.HasPrefix(part, ".") || strings.Contains(part, "..") {
			return "", false
		}
		parts[i] = url.PathEscape(part)
	}

	return "/git/ref/" + strings.Join(parts, "/"), true
}

// refsHidden makes a 403 that is no rate limit a *deployment.RefsHiddenError.
func refsHidden(err error) error {
	var failed *Error
	if errors.As(err, &failed) && failed.Kind == KindDenied {
		return &deployment.RefsHiddenError{Err: err}
	}
	return err
}

// checkRefs returns an error if the credentials may not read the refs of a repository: GitHub then does
// not show its default branch.
func (c *Client) checkRefs(ctx context.Context, src deployment.Source) error {
	repo, err := c.getRepository(ctx, src)
	if err != nil {
		return err
	}
	if repo.DefaultBranch == "" {
		return errors.New("no default branch in GitHub's answer about the repository")
	}

	path, ok := refPath("refs/heads/" + repo.DefaultBranch)
	if !ok {
		return fmt.Errorf("invalid default branch %q", singleLine(repo.DefaultBranch))
	}

	_, _, err = fetch(ctx, c, opRef, src, repositoryPath(src.Repository)+path, gitRef.validate)
	if hasStatus(err, opRef, http.StatusNotFound) {
		return &deployment.RefsHiddenError{Err: err}
	}

	return refsHidden(err)
}

// CheckRefs returns an error if the refs of a repository cannot be read.
func (c *Client) CheckRefs(ctx context.Context, owner, name string) error {
	src, _, err := c.resolve(ctx, owner, name)
	if err != nil {
		return err
	}
	return c.checkRefs(ctx, src)
}

// Deployment reads a deployment (REST API, "Get a deployment"). Its repository has the name that was asked
// for if that name leads to it, also from before a rename, and else the name that GitHub shows. The error
// is policy.ErrMissing if GitHub shows the repository without the deployment.
func (c *Client) Deployment(ctx context.Context, of deployment.Request) (deployment.Request, error) {
	src := c.current(deployment.Source{Repository: of.Repository, Installation: of.Installation})
	path := fmt.Sprintf("%s/deployments/%d", repositoryPath(src.Repository), of.ID)
	item, _, err := fetch(ctx, c, opDeployment, src, path, func(i deploymentItem) error {
		if i.ID != of.ID {
			return fmt.Errorf("deployment %d in place of %d", i.ID, of.ID)
		}

		return nil
	})

	if hasStatus(err, opDeployment, http.StatusNotFound) {
		if _, visible := c.getRepository(ctx, src); visible != nil {
			return deployment.Request{}, visible
		}
		return deployment.Request{}, fmt.Errorf("%w: %w", policy.ErrMissing, err)
	}
	if err != nil {
		return deployment.Request{}, err
	}

	shown := item.request(src)
	shown.Repository = of.Repository
	owner, name := item.repository()
	if strings.EqualFold(owner+"/"+name, of.Repository.FullName()) {
		return shown, nil
	}

	leads, err := c.leadsTo(ctx, src, of.Repository)
	if err != nil {
		return deployment.Request{}, err
	}
	if !leads {
		shown.Repository.Owner, shown.Repository.Name = owner, name
	}

	return shown, nil
}

// leadsTo reports whether the name of a repository is or was the name of its id: GitHub redirects from
// former names. It is read with the account of src, which may see the id.
func (c *Client) leadsTo(ctx context.Context, src deployment.Source, named deployment.Repository) (bool, error) {
	if err := validateName(named); err != nil {
		return false, err
	}

	path := "repos/" + named.Owner + "/" + named.Name
	found, _, err := fetch(ctx, c, opRepository, src, path, func(r repository) error {
		if r.ID == 0 {
			return errors.New("no repository id")
		}

		return nil
	})
	if hasStatus(err, opRepository, http.StatusNotFound) {
		return false, nil
	}

	return found.ID == named.ID, err
}
