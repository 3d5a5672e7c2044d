package github

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// comparisonKey is two commits of a repository, by SHA.
type comparisonKey struct {
	repository int64
	base, head string
}

type comparison struct {
	status        string
	ahead, behind int
}

// SetComparison sets how head compares to base: ahead, behind, identical or diverged, by how many
// commits. Without it the history decides: each Push adds a commit after the previous one.
func (s *Server) SetComparison(repo, base, head, status string, ahead, behind int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comparisons[comparisonKey{repository: s.mustRepository(repo).ID, base: base, head: head}] = comparison{
		status: status,
		ahead:  ahead,
		behind: behind,
	}
}

// history lists a commit and all its ancestors, newest first.
func (r *repository) history(sha string) []string {
	all := []string{sha}
	for r.parents[sha] != "" {
		sha = r.parents[sha]
		all = append(all, sha)
	}
	return all
}

// compareCommits compares two commits by their history and returns their common ancestor. It
// returns false when they have none.
func (r *repository) compareCommits(base, head string) (comparison, string, bool) {
	older := r.history(base)
	for ahead, sha := range r.history(head) {
		behind := slices.Index(older, sha)
		switch {
		case behind < 0:
			continue
		case ahead > 0 && behind > 0:
			return comparison{status: "diverged", ahead: ahead, behind: behind}, sha, true
		case ahead > 0:
			return comparison{status: "ahead", ahead: ahead}, sha, true
		case behind > 0:
			return comparison{status: "behind", behind: behind}, sha, true
		}

		return comparison{status: "identical"}, sha, true
	}

	return comparison{}, "", false
}

func (s *Server) compare(c *call) *response {
	s.checkQuery(c, "per_page", "page")
	basehead := c.param("basehead")
	from, to, _ := strings.Cut(basehead, "...")
	base, baseFound := c.repo.resolve(from)
	head, headFound := c.repo.resolve(to)
	if !baseFound || !headFound {
		return notFound()
	}

	result, common, found := c.repo.compareCommits(base, head)
	if set, ok := s.comparisons[comparisonKey{repository: c.repo.ID, base: base, head: head}]; ok {
		result, common, found = set, cmp.Or(common, base), true
	}
	if !found {
		return errorResponse(404, fmt.Sprintf("No common ancestor between %s and %s.", from, to))
	}

	self := s.api() + "/repos/" + c.repo.FullName() + "/compare/" + basehead
	page := s.web() + "/" + c.repo.FullName() + "/compare/" + basehead
	return ok(wire.Object{
		"status":            result.status,
		"ahead_by":          result.ahead,
		"behind_by":         result.behind,
		"total_commits":     result.ahead,
		"url":               self,
		"html_url":          page,
		"permalink_url":     page,
		"diff_url":          page + ".diff",
		"patch_url":         page + ".patch",
		"base_commit":       s.commitBody(c.repo, base),
		"merge_base_commit": s.commitBody(c.repo, common),
		"commits":           []any{},
		"files":             []any{},
	})
}

// commitBody is a commit as the schema "commit".
func (s *Server) commitBody(r *repository, sha string) wire.Object {
	self := s.api() + "/repos/" + r.FullName()
	parents := []any{}
	if before := r.parents[sha]; before != "" {
		page := s.web() + "/" + r.FullName() + "/commit/" + before
		parents = append(parents, wire.Object{"sha": before, "url": self + "/commits/" + before, "html_url": page})
	}

	return wire.Object{
		"sha":          sha,
		"node_id":      wire.NodeID("Commit", r.ID),
		"url":          self + "/commits/" + sha,
		"html_url":     s.web() + "/" + r.FullName() + "/commit/" + sha,
		"comments_url": self + "/commits/" + sha + "/comments",
		"author":       nil,
		"committer":    nil,
		"parents":      parents,
		"commit": wire.Object{
			"url":           self + "/git/commits/" + sha,
			"message":       "A commit",
			"comment_count": 0,
			"author":        nil,
			"committer":     nil,
			"tree":          wire.Object{"sha": sha, "url": self + "/git/trees/" + sha},
			"verification": wire.Object{
				"verified":    false,
				"reason":      "unsigned",
				"signature":   nil,
				"payload":     nil,
				"verified_at": nil,
			},
		},
	}
}
