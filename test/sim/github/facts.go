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
	statuses     []commitStatus   // oldest first
	checks       []checkRun       // oldest first
	suites       map[string]int64 // by slug of an app: its check suite, where a run names none
	workflowRuns []workflowRun    // oldest first
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
	Suite      int64  // id of its check suite; default: the one suite that the app has on the commit
	DetailsURL string // default: an address of the check run itself
}

func (s *Server) facts(sha string) *commitFacts {
	sha = strings.ToLower(sha)
	if s.commits[sha] == nil {
		s.commits[sha] = &commitFacts{suites: map[string]int64{}}
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

// AddCheckRun adds a check run that starts now. The conclusion is empty until status is completed.
func (s *Server) AddCheckRun(sha, name, status, conclusion string) {
	s.AddCheck(sha, CheckRun{Name: name, Status: status, Conclusion: conclusion})
}

// AddCheck adds a check run. Of several with the same name and check suite, the API shows the
// newest, unless a call asks for all.
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
	if run.Suite == 0 {
		run.Suite = s.appSuite(f, run.App)
	}

	f.checks = append(f.checks, checkRun{s.nextID("check run"), run})
}

func (s *Server) combinedStatus(c *call) *response {
	s.checkQuery(c, "per_page", "page")
	sha, found := c.repo.resolve(c.param("ref"))
	if !found {
		return notFound()
	}

	statuses := newestPerContext(s.facts(sha).statuses)
	items := []wire.Object{}
	for _, status := range statuses {
		items = append(items, s.commitStatusBody(c, sha, status))
	}

	self := s.api() + "/repos/" + c.repo.FullName() + "/commits/" + sha
	return paginateIn(s, c, "statuses", items, wire.Object{
		"state":      combinedState(statuses),
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

// combinedState follows "Get the combined status for a specific reference". Without any status it
// is pending.
func combinedState(statuses []commitStatus) string {
	result := "success"
	if len(statuses) == 0 {
		result = "pending"
	}

	for _, status := range statuses {
		switch status.State {
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
// within one check suite is included: runs of several suites stand beside each other.
func listedRuns(runs []checkRun, latest bool) []checkRun {
	all := slices.Clone(runs)
	slices.SortStableFunc(
		all,
		func(a, b checkRun) int { return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(b.id, a.id)) },
	)

	if !latest {
		return all
	}

	type identity struct {
		suite int64
		name  string
	}

	seen := map[identity]bool{}
	return slices.DeleteFunc(all, func(r checkRun) bool {
		key := identity{suite: r.Suite, name: r.Name}
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
		"details_url":   cmp.Or(run.DetailsURL, self),
		"check_suite":   wire.Object{"id": run.Suite},
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
