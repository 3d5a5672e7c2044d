package github

import (
	"crypto/sha1" // object ids are SHA-1
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// AnnotatedTag sets a tag that has an object of its own, which points to the commit.
func (s *Server) AnnotatedTag(repo, tag, sha string) string {
	return s.TagOf(repo, tag, 1, "commit", sha)
}

// TagOf sets a tag of a commit, a tree (a directory) or a blob (a file), as kind says. links is how many tag objects
// lie between the ref and that object, each of which points to the next one; 0: it is a lightweight tag.
func (s *Server) TagOf(repo, tag string, links int, kind, sha string) string {
	sha = s.Tag(repo, tag, sha)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustRepository(repo).targets[tag] = tagTarget{links: links, kind: kind}
	return sha
}

// tagTarget is the kind of what a tag leads to, and through how many tag objects.
type tagTarget struct {
	links int
	kind  string
}

// SetPull sets the refs of a pull request: pull/N/head and pull/N/merge.
func (s *Server) SetPull(repo string, number int, head, merge string) {
	s.edit(repo, func(r *repository) {
		r.pulls[fmt.Sprintf("pull/%d/head", number)] = head
		r.pulls[fmt.Sprintf("pull/%d/merge", number)] = merge
	})
}

// DeleteRef deletes a branch or a tag by its full name.
func (s *Server) DeleteRef(repo, name string) {
	s.edit(repo, func(r *repository) {
		if branch, ok := strings.CutPrefix(name, "refs/heads/"); ok {
			delete(r.branches, branch)
		}
		if tag, ok := strings.CutPrefix(name, "refs/tags/"); ok {
			delete(r.tags, tag)
		}
	})
}

// tagObject returns the kind and the id of the object that a tag leads to after link of its tag objects.
func (r *repository) tagObject(tag string, link int) (kind, sha string) {
	target, ok := r.targets[tag]
	switch {
	case !ok || r.tags[tag] == "":
		return "commit", r.tags[tag]
	case link >= target.links:
		return target.kind, r.tags[tag]
	}

	sum := sha1.Sum(fmt.Appendf(nil, "tag\x00%s\x00%s\x00%d", tag, r.tags[tag], link)) // object ids are SHA-1
	return "tag", hex.EncodeToString(sum[:])
}

// getRef answers with the ref of exactly that name; GitHub answers 404 to the beginning of one.
func (s *Server) getRef(c *call) *response {
	name := c.param("*")
	kind, sha := "commit", ""

	if branch, ok := strings.CutPrefix(name, "heads/"); ok {
		sha = c.repo.branches[branch]
	} else if tag, ok := strings.CutPrefix(name, "tags/"); ok {
		kind, sha = c.repo.tagObject(tag, 0)
	} else {
		sha = c.repo.pulls[name]
	}
	if sha == "" {
		return notFound()
	}

	return ok(s.refBody(c, name, kind, sha))
}

func (s *Server) refBody(c *call, name, kind, sha string) wire.Object {
	self := s.api() + "/repos/" + c.repo.FullName() + "/git"
	return wire.Object{
		"ref":     "refs/" + name,
		"node_id": wire.NodeID("Ref", c.repo.ID),
		"url":     self + "/refs/" + name,
		"object":  wire.Object{"type": kind, "sha": sha, "url": self + "/" + kind + "s/" + sha},
	}
}

// matchingRefs lists the refs whose names begin as the call says; none is an empty list.
func (s *Server) matchingRefs(c *call) *response {
	prefix := c.param("*")
	refs := map[string]string{}
	for branch, sha := range c.repo.branches {
		refs["heads/"+branch] = sha
	}
	for tag, sha := range c.repo.tags {
		refs["tags/"+tag] = sha
	}

	bodies := []wire.Object{}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}

		kind, sha := "commit", refs[name]
		if tag, ok := strings.CutPrefix(name, "tags/"); ok {
			kind, sha = c.repo.tagObject(tag, 0)
		}

		bodies = append(bodies, s.refBody(c, name, kind, sha))
	}

	return ok(bodies)
}

// shaMediaType asks for a commit's id alone.
const shaMediaType = "application/vnd.github.sha"

// getCommit answers with the id of a commit, as text. The simulator has no more to show of a commit.
func (s *Server) getCommit(c *call) *response {
	if c.r.Header.Get("Accept") != shaMediaType {
		s.reportViolation(c, "commits are simulated for the media type %s only", shaMediaType)
		return notFound()
	}

	ref := c.param("ref")
	sha, found := c.repo.resolve(ref)
	if found && isSHA(ref) {
		found = c.repo.has(ref) // an id names a commit only where there is one
	}
	if !found {
		sha, found = c.repo.abbreviated(ref)
	}
	if !found {
		return errorResponse(http.StatusUnprocessableEntity, "No commit found for SHA: "+ref)
	}

	return &response{
		status: http.StatusOK,
		body:   text(sha),
		header: map[string]string{"Content-Type": shaMediaType + "; charset=utf-8"},
	}
}

// abbreviated returns the commit whose id begins with at least 7 digits, if there is exactly one.
func (r *repository) abbreviated(start string) (sha string, ok bool) {
	if len(start) < 7 {
		return "", false
	}

	for commit := range r.commits() {
		if strings.HasPrefix(commit, strings.ToLower(start)) {
			if sha != "" {
				return "", false
			}

			sha = commit
		}
	}

	return sha, sha != ""
}

// has reports whether a repository has a commit of that id.
func (r *repository) has(sha string) bool { return r.commits()[strings.ToLower(sha)] }

// commits returns the commits that refs point to, and their parents.
func (r *repository) commits() map[string]bool {
	all := map[string]bool{}
	for _, refs := range []map[string]string{r.branches, r.tags, r.pulls} {
		for _, sha := range refs {
			all[sha] = true
		}
	}
	for child, parent := range r.parents {
		all[child] = true
		if parent != "" {
			all[parent] = true
		}
	}

	return all
}

// getTag answers with the object of an annotated tag.
func (s *Server) getTag(c *call) *response {
	id := c.param("object")
	self := s.api() + "/repos/" + c.repo.FullName() + "/git"
	for tag := range c.repo.tags {
		for link := range c.repo.targets[tag].links {
			if _, sha := c.repo.tagObject(tag, link); sha != id {
				continue
			}

			kind, sha := c.repo.tagObject(tag, link+1)
			return ok(wire.Object{
				"node_id": wire.NodeID("Tag", c.repo.ID),
				"tag":     tag,
				"sha":     id,
				"url":     self + "/tags/" + id,
				"message": "a tag",
				"tagger":  wire.Object{"date": "2026-11-28T00:00:00Z", "email": "octocat@github.com", "name": "octocat"},
				"object":  wire.Object{"type": kind, "sha": sha, "url": self + "/" + kind + "s/" + sha},
			})
		}
	}

	return notFound()
}
