package github

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// shortSHA matches what may be the beginning of a commit's id. GitHub finds commits by 7 digits or more.
var shortSHA = regexp.MustCompile(`^[0-9a-fA-F]{7,63}$`)

// ResolveRef returns what a person's name of a ref stands for, and its commit. A bare name is a branch, else
// a tag, else the beginning of a commit's id. The error is a *deployment.NoRefError, with names that are
// like it, if the repository has nothing of that name, and a *deployment.RefsHiddenError if the credentials
// may see the repository but no ref of it.
func (c *Client) ResolveRef(
	ctx context.Context,
	in deployment.Source,
	name string,
) (ref deployment.Ref, sha string, err error) {
	src := c.current(in)
	ref = deployment.ParseRef(name)

	switch ref.Kind {
	case deployment.RefBranch, deployment.RefTag, deployment.RefPull:
		sha, err = c.refCommit(ctx, src, ref.Full())
	case deployment.RefSHA:
		sha, err = c.commit(ctx, src, ref.Name)
	case deployment.RefBare:
		ref, sha, err = c.resolveBare(ctx, src, ref.Name)
	}
	if err != nil || sha != "" {
		return ref, sha, err
	}

	// GitHub also answers 404 where the right to read refs is missing.
	if err := c.checkRefs(ctx, src); err != nil {
		return ref, "", err
	}

	return ref, "", &deployment.NoRefError{Ref: name, Near: c.nearRefs(ctx, src, name)}
}

// resolveBare resolves a bare name: a branch, else a tag, else the beginning of a commit's id. An empty sha:
// there is nothing of that name.
func (c *Client) resolveBare(
	ctx context.Context,
	src deployment.Source,
	name string,
) (ref deployment.Ref, sha string, err error) {
	for _, ref := range []deployment.Ref{
		{Kind: deployment.RefBranch, Name: name},
		{Kind: deployment.RefTag, Name: name},
	} {
		sha, err := c.refCommit(ctx, src, ref.Full())
		if err != nil || sha != "" {
			return ref, sha, err
		}
	}

	ref = deployment.Ref{Kind: deployment.RefBare, Name: name}
	if !shortSHA.MatchString(name) {
		return ref, "", nil
	}

	sha, err = c.commit(ctx, src, name)
	if sha != "" {
		ref = deployment.Ref{Kind: deployment.RefSHA, Name: sha}
	}

	return ref, sha, err
}

// commit returns the whole id of a commit by its id or the beginning of it (REST API, "Get a commit", media
// type sha); empty: there is no such commit, or several begin so.
func (c *Client) commit(ctx context.Context, src deployment.Source, id string) (sha string, err error) {
	path := repositoryPath(src.Repository) + "/commits/" + url.PathEscape(id)
	err = c.read(ctx, opCommit, src, func(ctx context.Context, api *calls) error {
		req, err := api.newRequest(http.MethodGet, path, nil)
		if err != nil {
			return err
		}

		req.Header.Set("Accept", "application/vnd.github.sha")
		var body bytes.Buffer
		if _, err := api.do(ctx, req, &body); err != nil {
			return err
		}

		// A branch or a tag may have the same name as the beginning of an id.
		sha = strings.TrimSpace(body.String())
		if err := validateSHA(sha); err != nil {
			return err
		}
		if !strings.HasPrefix(strings.ToLower(sha), strings.ToLower(id)) {
			return fmt.Errorf("commit %.7s in place of %s", sha, id)
		}

		return nil
	})

	switch {
	case hasStatus(err, opCommit, http.StatusUnprocessableEntity), // "No commit found for SHA: …"
		hasStatus(err, opCommit, http.StatusNotFound),
		hasStatus(err, opCommit, http.StatusConflict): // "Git Repository is empty."
		return "", nil
	case hasStatus(err, opCommit, http.StatusForbidden):
		return "", refsHidden(err)
	case err != nil:
		return "", err
	}

	return sha, nil
}

// maxNear is how many names are offered for one that is not there.
const maxNear = 5

// nearRefs returns names of branches and tags that begin as a name does, best first. It makes at most three
// calls (REST API, "List matching references"). It is a help for people, so what cannot be read is left out.
func (c *Client) nearRefs(ctx context.Context, src deployment.Source, name string) []string {
	name = strings.TrimPrefix(name, "refs/")
	name = strings.TrimPrefix(strings.TrimPrefix(name, "heads/"), "tags/")
	start := strings.TrimSpace(name)
	if start == "" {
		return nil
	}

	start = start[:min((len(start)+1)/2, 3)]
	if directory := strings.LastIndex(name, "/"); directory > 0 {
		start = name[:directory+1]
	}

	var near []string
	for _, prefix := range []string{"heads/" + start, "tags/" + start} {
		names, err := c.matchingRefs(ctx, src, prefix)
		if err != nil {
			continue
		}
		near = append(near, names...)
	}

	if repo, err := c.getRepository(ctx, src); err == nil && repo.DefaultBranch != "" {
		near = append(near, repo.DefaultBranch)
	}

	slices.SortStableFunc(near, func(a, b string) int {
		return cmp.Or(
			-cmp.Compare(commonPrefix(a, name), commonPrefix(b, name)),
			cmp.Compare(len(a), len(b)),
			cmp.Compare(a, b),
		)
	})

	near = slices.Compact(near)
	return near[:min(len(near), maxNear)]
}

// commonPrefix returns how many bytes two names have in common at their beginning, whatever their case.
func commonPrefix(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// matchingRefs returns the short names of the refs that begin with a prefix such as heads/feature.
func (c *Client) matchingRefs(ctx context.Context, src deployment.Source, prefix string) ([]string, error) {
	escaped, ok := refPath("refs/" + strings.TrimSuffix(prefix, "/"))
	if !ok {
		return nil, errors.New("no such prefix of a ref")
	}

	path := repositoryPath(src.Repository) + strings.Replace(escaped, "/git/ref/", "/git/matching-refs/", 1)
	if strings.HasSuffix(prefix, "/") {
		path += "/"
	}

	type matchingRef struct {
		Ref string `json:"ref"`
	}

	refs, _, err := fetch(ctx, c, opMatchingRefs, src, path, requireList[matchingRef])
	if err != nil {
		return nil, err
	}

	var names []string
	for _, r := range refs {
		name := strings.TrimPrefix(strings.TrimPrefix(r.Ref, "refs/heads/"), "refs/tags/")
		if name = deployment.Readable(name); name != "" && len(name) <= maxMessage {
			names = append(names, name)
		}
	}

	return names, nil
}
