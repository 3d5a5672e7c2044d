package github

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// commitFacts are the statuses and check runs of one commit.
type commitFacts struct {
	statuses []commitStatus // the newest of each context, in the order in which the contexts came
	checks   []checkRun     // oldest first
}

type commitStatus struct {
	id             int64
	context, state string
	at             time.Time
}

type checkRun struct {
	id int64
	CheckRun
}

// CheckRun is one check run. Only Name is required.
type CheckRun struct {
	Name       string
	App        string // slug of the app; default simulated-ci
	Status     string // queued, in_progress, completed, waiting, requested or pending; default completed
	Conclusion string // of a completed one; default success
	StartedAt  time.Time
}

func (s *Server) facts(sha string) *commitFacts {
	sha = strings.ToLower(sha)
	if s.commits[sha] == nil {
		s.commits[sha] = &commitFacts{}
	}
	return s.commits[sha]
}

// HasRepository reports whether there is a repository owner/name.
func (s *Server) HasRepository(fullName string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repositoryByName(fullName) != nil
}

// Head returns the commit that a ref of a repository points to. It returns false when there is no
// such ref.
func (s *Server) Head(repo, ref string) (sha string, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mustRepository(repo).resolve(ref)
}

// SetCommitStatus sets the commit status of one context: error, failure, pending or success.
func (s *Server) SetCommitStatus(sha, context, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.facts(sha)
	made := commitStatus{id: s.nextID("commit status"), context: context, state: state, at: s.options.Now()}
	if i := slices.IndexFunc(f.statuses, func(c commitStatus) bool { return c.context == context }); i >= 0 {
		f.statuses[i] = made
		return
	}

	f.statuses = append(f.statuses, made)
}

// AddCheckRun adds a check run that starts now. The conclusion is empty until status is completed.
func (s *Server) AddCheckRun(sha, name, status, conclusion string) {
	s.AddCheck(sha, CheckRun{Name: name, Status: status, Conclusion: conclusion})
}

// AddCheck adds a check run. Of several with the same name and app, the API shows the newest,
// unless a call asks for all.
func (s *Server) AddCheck(sha string, run CheckRun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run.App, run.Status = cmp.Or(run.App, "simulated-ci"), cmp.Or(run.Status, "completed")
	if run.Status == "completed" {
		run.Conclusion = cmp.Or(run.Conclusion, "success")
	}
	if run.StartedAt.IsZero() {
		run.StartedAt = s.options.Now()
	}

	f := s.facts(sha)
	f.checks = append(f.checks, checkRun{s.nextID("check run"), run})
}

func (s *Server) combinedStatus(c *call) *response {
	s.checkQuery(c, "per_page", "page")
	sha, found := c.repo.resolve(c.param("ref"))
	if !found {
		return notFound()
	}

	f := s.facts(sha)
	items := []wire.Object{}
	for _, status := range f.statuses {
		items = append(items, s.commitStatusBody(c, sha, status))
	}

	self := s.api() + "/repos/" + c.repo.FullName() + "/commits/" + sha
	return paginateIn(s, c, "statuses", items, wire.Object{
		"state":      combinedState(f.statuses),
		"sha":        sha,
		"repository": c.repo.Minimal(s.api(), s.web()),
		"commit_url": self,
		"url":        self + "/status",
	})
}

// paginateIn returns a page of a list inside an object that has the total count.
func paginateIn(s *Server, c *call, name string, items []wire.Object, body wire.Object) *response {
	resp := paginate(s, c, items)
	body[name], body["total_count"] = resp.body, len(items)
	resp.body = body
	return resp
}

func (s *Server) commitStatusBody(c *call, sha string, status commitStatus) wire.Object {
	return wire.Object{
		"id":          status.id,
		"node_id":     wire.NodeID("StatusContext", status.id),
		"state":       status.state,
		"context":     status.context,
		"description": nil,
		"target_url":  nil,
		"avatar_url":  nil,
		"url":         s.api() + "/repos/" + c.repo.FullName() + "/statuses/" + sha,
		"created_at":  wire.Time(status.at),
		"updated_at":  wire.Time(status.at),
	}
}

// combinedState follows "Get the combined status for a specific reference". Without any status it
// is pending.
func combinedState(statuses []commitStatus) string {
	result := "success"
	if len(statuses) == 0 {
		result = "pending"
	}

	for _, status := range statuses {
		switch status.state {
		case "error", "failure":
			return "failure"
		case "pending":
			result = "pending"
		}
	}

	return result
}

func (s *Server) checkRuns(c *call) *response {
	query := s.checkQuery(c, "check_name", "status", "filter", "app_id", "per_page", "page")
	sha, found := c.repo.resolve(c.param("ref"))
	if !found {
		return errorResponse(422, "No commit found for SHA: "+c.param("ref"))
	}

	items := []wire.Object{}
	for _, run := range listedRuns(s.facts(sha).checks, query.Get("filter") != "all") {
		if name := query.Get("check_name"); name == "" || name == run.Name {
			items = append(items, s.checkBody(c, sha, run))
		}
	}

	return paginateIn(s, c, "check_runs", items, wire.Object{})
}

// listedRuns are the check runs, newest first. With latest, only the last started run of each name
// and app is included.
func listedRuns(runs []checkRun, latest bool) []checkRun {
	all := slices.Clone(runs)
	slices.SortStableFunc(
		all,
		func(a, b checkRun) int { return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(b.id, a.id)) },
	)

	if !latest {
		return all
	}

	seen := map[[2]string]bool{}
	return slices.DeleteFunc(all, func(r checkRun) bool {
		key := [2]string{r.App, r.Name}
		old := seen[key]
		seen[key] = true
		return old
	})
}

func (s *Server) checkBody(c *call, sha string, run checkRun) wire.Object {
	self := fmt.Sprintf("%s/repos/%s/check-runs/%d", s.api(), c.repo.FullName(), run.id)
	body := wire.Object{
		"id":            run.id,
		"node_id":       wire.NodeID("CheckRun", run.id),
		"name":          run.Name,
		"head_sha":      sha,
		"status":        run.Status,
		"conclusion":    nil,
		"started_at":    wire.Time(run.StartedAt),
		"completed_at":  nil,
		"external_id":   "",
		"url":           self,
		"html_url":      self,
		"details_url":   self,
		"check_suite":   wire.Object{"id": run.id},
		"pull_requests": []any{},
		"app":           s.otherApp(run.App).JSON(s.api(), s.web()),
		"output": wire.Object{
			"title":             nil,
			"summary":           nil,
			"text":              nil,
			"annotations_count": 0,
			"annotations_url":   self + "/annotations",
		},
	}

	if run.Status == "completed" {
		maps.Copy(body, wire.Object{"conclusion": run.Conclusion, "completed_at": wire.Time(run.StartedAt)})
	}

	return body
}
