package github

import (
	"fmt"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// commitFacts are what a test has said about one commit.
type commitFacts struct {
	statuses map[string]string // context to state
	order    []string
	checks   []check
}

type check struct{ name, status, conclusion string }

type comparison struct {
	status        string
	ahead, behind int
}

func (s *Server) facts(sha string) *commitFacts {
	if s.commits[sha] == nil {
		s.commits[sha] = &commitFacts{statuses: map[string]string{}}
	}
	return s.commits[sha]
}

// SetCommitStatus sets the commit status of one context: error, failure, pending or success.
func (s *Server) SetCommitStatus(sha, context, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.facts(sha)
	if f.statuses[context] == "" {
		f.order = append(f.order, context)
	}
	f.statuses[context] = state
}

// AddCheckRun adds a check run; the conclusion is empty until status is completed.
func (s *Server) AddCheckRun(sha, name, status, conclusion string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.facts(sha)
	f.checks = append(f.checks, check{name, status, conclusion})
}

// SetComparison says how head stands to base: ahead, behind, identical or diverged, by how many commits.
func (s *Server) SetComparison(repo, base, head, status string, ahead, behind int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comparisons[strings.ToLower(repo)+" "+base+"..."+head] = comparison{status, ahead, behind}
}

// SetRole sets what a user is in a repository: admin, maintain, write, triage or read. Without one it is none.
func (s *Server) SetRole(repo, login, role string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[strings.ToLower(repo+" "+login)] = role
}

// SetTeamMember sets the state of a membership: active or pending. Without one the API answers 404.
func (s *Server) SetTeamMember(org, team, login, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.teams[strings.ToLower(org+"/"+team+"/"+login)] = state
}

func (s *Server) combinedStatus(c *call) *answer {
	s.query(c, "per_page", "page")
	sha, found := c.repo.resolve(c.param("ref"))
	if !found {
		return notFound()
	}
	f := s.facts(sha)
	items := []wire.Object{}
	for _, context := range f.order {
		items = append(items, s.statusOf(c, sha, context, f.statuses[context]))
	}
	self := s.api() + "/repos/" + c.repo.FullName() + "/commits/" + sha
	return ok(wire.Object{
		"state": combined(f.statuses), "sha": sha, "total_count": len(items), "statuses": items,
		"repository": c.repo.Minimal(s.api(), s.web()), "commit_url": self, "url": self + "/status",
	})
}

func (s *Server) statusOf(c *call, sha, context, state string) wire.Object {
	return wire.Object{
		"id": s.nextID("commit status"), "node_id": wire.NodeID("StatusContext", 1), "state": state, "context": context,
		"description": nil, "target_url": nil, "avatar_url": nil,
		"url":        s.api() + "/repos/" + c.repo.FullName() + "/statuses/" + sha,
		"created_at": wire.Time(c.repo.CreatedAt), "updated_at": wire.Time(c.repo.CreatedAt),
	}
}

// combined follows "Get the combined status": pending also when there is no status at all.
func combined(statuses map[string]string) string {
	result := "success"
	if len(statuses) == 0 {
		result = "pending"
	}
	for _, state := range statuses {
		switch state {
		case "error", "failure":
			return "failure"
		case "pending":
			result = "pending"
		}
	}
	return result
}

func (s *Server) checkRuns(c *call) *answer {
	s.query(c, "check_name", "status", "filter", "app_id", "per_page", "page")
	sha, found := c.repo.resolve(c.param("ref"))
	if !found {
		return refuse(422, "No commit found for SHA: "+c.param("ref"))
	}
	items := []wire.Object{}
	for i, run := range s.facts(sha).checks {
		items = append(items, s.checkBody(c, sha, int64(i+1), run))
	}
	return ok(wire.Object{"total_count": len(items), "check_runs": items})
}

func (s *Server) checkBody(c *call, sha string, id int64, run check) wire.Object {
	self := fmt.Sprintf("%s/repos/%s/check-runs/%d", s.api(), c.repo.FullName(), id)
	body := wire.Object{
		"id": id, "node_id": wire.NodeID("CheckRun", id), "name": run.name, "head_sha": sha, "status": run.status,
		"conclusion": nil, "started_at": wire.Time(c.repo.CreatedAt), "completed_at": nil, "external_id": "",
		"url": self, "html_url": self, "details_url": self, "check_suite": wire.Object{"id": id}, "pull_requests": []any{},
		"app": s.otherApp("simulated-ci").JSON(s.api(), s.web()),
		"output": wire.Object{
			"title": nil, "summary": nil, "text": nil, "annotations_count": 0, "annotations_url": self + "/annotations",
		},
	}
	if run.status == "completed" {
		body["conclusion"], body["completed_at"] = run.conclusion, wire.Time(c.repo.CreatedAt)
	}
	return body
}

func (s *Server) compare(c *call) *answer {
	s.query(c, "per_page", "page")
	basehead := c.param("basehead")
	known, found := s.comparisons[strings.ToLower(c.repo.FullName())+" "+basehead]
	base, head, both := strings.Cut(basehead, "...")
	if !found && (!both || base != head) {
		return notFound()
	}
	if !found {
		known.status = "identical"
	}
	return ok(wire.Object{
		"status": known.status, "ahead_by": known.ahead, "behind_by": known.behind, "total_commits": known.ahead,
		"url": s.api() + "/repos/" + c.repo.FullName() + "/compare/" + basehead, "commits": []any{}, "files": []any{},
	})
}

// collaborator knows the five roles; permission is the older word, in which maintain is write and triage is read.
func (s *Server) collaborator(c *call) *answer {
	role := s.roles[strings.ToLower(c.repo.FullName()+" "+c.param("user"))]
	permission := map[string]string{"admin": "admin", "maintain": "write", "write": "write", "triage": "read", "read": "read"}[role]
	if permission == "" {
		permission, role = "none", "none"
	}
	user := s.account(c.param("user")).JSON(s.api(), s.web())
	user["role_name"] = role
	return ok(wire.Object{"permission": permission, "role_name": role, "user": user})
}

func (s *Server) teamMembership(c *call) *answer {
	key := c.param("org") + "/" + c.param("team") + "/" + c.param("user")
	state := s.teams[strings.ToLower(key)]
	if state == "" {
		return notFound()
	}
	return ok(wire.Object{
		"state": state, "role": "member",
		"url": fmt.Sprintf("%s/orgs/%s/teams/%s/memberships/%s", s.api(), c.param("org"), c.param("team"), c.param("user")),
	})
}
