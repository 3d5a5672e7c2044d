package github

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// pair is two commits of a repository, by SHA.
type comparisonKey struct {
	repository int64
	base, head string
}

type comparison struct {
	status        string
	ahead, behind int
}

// SetComparison says how head stands to base: ahead, behind, identical or diverged, by how many
// commits. Without it history tells: each Push sets a commit on the one before.
func (s *Server) SetComparison(repo, base, head, status string, ahead, behind int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comparisons[comparisonKey{repository: s.mustRepository(repo).ID, base: base, head: head}] = comparison{
		status: status,
		ahead:  ahead,
		behind: behind,
	}
}

// line is a commit and all before it, newest first.
func (r *repository) history(sha string) []string {
	all := []string{sha}
	for r.parents[sha] != "" {
		sha = r.parents[sha]
		all = append(all, sha)
	}
	return all
}

// stand compares two commits by history; false: they have none in common.
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
	base, known := c.repo.resolve(from)
	head, knownToo := c.repo.resolve(to)
	if !known || !knownToo {
		return notFound()
	}

	stands, common, found := c.repo.compareCommits(base, head)
	if told, ok := s.comparisons[comparisonKey{repository: c.repo.ID, base: base, head: head}]; ok {
		stands, common, found = told, cmp.Or(common, base), true
	}
	if !found {
		return errorResponse(404, fmt.Sprintf("No common ancestor between %s and %s.", from, to))
	}

	self, page := s.api()+"/repos/"+c.repo.FullName()+"/compare/"+basehead, s.web()+"/"+c.repo.FullName()+"/compare/"+basehead
	return ok(wire.Object{
		"status":            stands.status,
		"ahead_by":          stands.ahead,
		"behind_by":         stands.behind,
		"total_commits":     stands.ahead,
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
