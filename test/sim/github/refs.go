package github

import (
	"crypto/sha1" // object ids are SHA-1
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// AnnotatedTag sets a tag that has an object of its own, which points to the commit.
func (s *Server) AnnotatedTag(repo, tag, sha string) string {
	sha = s.Tag(repo, tag, sha)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustRepository(repo).annotated[tag] = true
	return sha
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

// tagObject is the id of the object of an annotated tag.
func (r *repository) tagObject(tag string) string {
	sum := sha1.Sum([]byte("tag\x00" + tag + "\x00" + r.tags[tag])) // object ids are SHA-1
	return hex.EncodeToString(sum[:])
}

// getRef answers with the ref of exactly that name; GitHub answers 404 to the beginning of one.
func (s *Server) getRef(c *call) *response {
	name := c.param("*")
	kind, sha := "commit", ""

	if branch, ok := strings.CutPrefix(name, "heads/"); ok {
		sha = c.repo.branches[branch]
	} else if tag, ok := strings.CutPrefix(name, "tags/"); ok {
		sha = c.repo.tags[tag]
		if sha != "" && c.repo.annotated[tag] {
			kind, sha = "tag", c.repo.tagObject(tag)
		}
	} else {
		sha = c.repo.pulls[name]
	}
	if sha == "" {
		return notFound()
	}

	self := s.api() + "/repos/" + c.repo.FullName() + "/git"
	return ok(wire.Object{
		"ref":     "refs/" + name,
		"node_id": wire.NodeID("Ref", c.repo.ID),
		"url":     self + "/refs/" + name,
		"object":  wire.Object{"type": kind, "sha": sha, "url": self + "/" + kind + "s/" + sha},
	})
}

// getTag answers with the object of an annotated tag.
func (s *Server) getTag(c *call) *response {
	id := c.param("object")
	self := s.api() + "/repos/" + c.repo.FullName() + "/git"
	for tag := range c.repo.annotated {
		if sha := c.repo.tags[tag]; sha != "" && c.repo.tagObject(tag) == id {
			return ok(wire.Object{
				"node_id": wire.NodeID("Tag", c.repo.ID),
				"tag":     tag,
				"sha":     id,
				"url":     self + "/tags/" + id,
				"message": "a tag",
				"tagger":  wire.Object{"date": "2026-11-28T00:00:00Z", "email": "octocat@github.com", "name": "octocat"},
				"object":  wire.Object{"type": "commit", "sha": sha, "url": self + "/commits/" + sha},
			})
		}
	}

	return notFound()
}
