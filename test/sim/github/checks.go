package github

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// CommitStatus is one commit status. Only Context and State are required.
type CommitStatus struct {
	Context   string
	State     string // error, failure, pending or success
	App       string // slug of the app that set it; empty: a person did
	Creator   string // login of that person; default octocat
	TargetURL string
}

type commitStatus struct {
	id int64
	at time.Time
	CommitStatus
}

// SetCommitStatus sets the commit status of one context: error, failure, pending or success.
func (s *Server) SetCommitStatus(sha, context, state string) {
	s.AddCommitStatus(sha, CommitStatus{Context: context, State: state})
}

// AddCommitStatus adds a commit status. It is the newest of its context then, whoever set the others.
func (s *Server) AddCommitStatus(sha string, status CommitStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.facts(sha)
	f.statuses = append(f.statuses, commitStatus{
		id:           s.nextID("commit status"),
		at:           s.options.Now(),
		CommitStatus: status,
	})
}

// newestPerContext returns the newest status of each context, in the order in which the contexts
// came.
func newestPerContext(all []commitStatus) []commitStatus {
	var newest []commitStatus
	for _, status := range all {
		i := slices.IndexFunc(newest, func(n commitStatus) bool { return n.Context == status.Context })
		if i >= 0 {
			newest[i] = status
			continue
		}

		newest = append(newest, status)
	}

	return newest
}

// commitStatuses lists all statuses of a commit, the newest first. Unlike the combined status, each
// says who created it.
func (s *Server) commitStatuses(c *call) *response {
	s.checkQuery(c, "per_page", "page")
	sha, found := c.repo.resolve(c.param("ref"))
	if !found {
		return notFound()
	}

	items := []wire.Object{}
	for _, status := range slices.Backward(s.facts(sha).statuses) {
		body := s.commitStatusBody(c, sha, status)
		creator := s.account(cmp.Or(status.Creator, "octocat"))
		if status.App != "" {
			creator = s.account(status.App + "[bot]")
		}

		body["creator"] = creator.JSON(s.api(), s.web())
		items = append(items, body)
	}

	return paginate(s, c, items)
}

func (s *Server) commitStatusBody(c *call, sha string, status commitStatus) wire.Object {
	body := wire.Object{
		"id":          status.id,
		"node_id":     wire.NodeID("StatusContext", status.id),
		"state":       status.State,
		"context":     status.Context,
		"description": nil,
		"target_url":  nil,
		"avatar_url":  s.statusAvatar(status),
		"url":         s.api() + "/repos/" + c.repo.FullName() + "/statuses/" + sha,
		"created_at":  wire.Time(status.at),
		"updated_at":  wire.Time(status.at),
	}

	if status.TargetURL != "" {
		body["target_url"] = status.TargetURL
	}

	return body
}

// statusAvatar returns the picture of whoever set a status. That of an app has the app's id in its
// address, that of a person the account's.
func (s *Server) statusAvatar(status commitStatus) string {
	if status.App != "" {
		return fmt.Sprintf("https://avatars.githubusercontent.com/in/%d?v=4", s.appID(status.App))
	}

	creator := s.account(cmp.Or(status.Creator, "octocat"))
	return fmt.Sprintf("https://avatars.githubusercontent.com/u/%d?v=4", creator.ID)
}

// AppID returns the id of the app with a slug.
func (s *Server) AppID(slug string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.appID(slug)
}

// githubActions is the slug of the app that reports the jobs of workflows.
const githubActions = "github-actions"

func (s *Server) appID(slug string) int64 {
	if s.apps[slug] == 0 {
		s.apps[slug] = s.nextID("app")
	}
	return s.apps[slug]
}

// appSuite returns the check suite of a run that names none: GitHub makes one for each app and
// commit. Only GitHub Actions has several, one for each run of a workflow (see WorkflowRun).
func (s *Server) appSuite(f *commitFacts, app string) int64 {
	if f.suites[app] == 0 {
		f.suites[app] = s.nextID("check suite")
	}
	return f.suites[app]
}

// WorkflowRun is one run of a GitHub Actions workflow.
type WorkflowRun struct {
	Workflow int64  // id of the workflow
	Event    string // default push
	Branch   string // default main
}

type workflowRun struct {
	id, suite int64
	at        time.Time
	WorkflowRun
}

// AddWorkflowRun adds a run of a workflow on a commit and returns the check suite in which it
// reports its jobs. A new run on the same commit has another suite; a rerun stays in its own.
func (s *Server) AddWorkflowRun(sha string, run WorkflowRun) (suite int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run.Event, run.Branch = cmp.Or(run.Event, "push"), cmp.Or(run.Branch, "main")

	f := s.facts(sha)
	made := workflowRun{
		id:          s.nextID("workflow run"),
		suite:       s.nextID("check suite"),
		at:          s.options.Now(),
		WorkflowRun: run,
	}
	f.workflowRuns = append(f.workflowRuns, made)
	return made.suite
}

// workflowRuns lists the workflow runs on one commit, the newest first.
func (s *Server) workflowRuns(c *call) *response {
	query := s.checkQuery(c, "head_sha", "per_page", "page", "exclude_pull_requests")
	items := []wire.Object{}
	for i, run := range slices.Backward(s.facts(query.Get("head_sha")).workflowRuns) {
		items = append(items, s.workflowRunBody(c, query.Get("head_sha"), i+1, run))
	}
	return paginateIn(s, c, "workflow_runs", items, wire.Object{})
}

func (s *Server) workflowRunBody(c *call, sha string, number int, run workflowRun) wire.Object {
	repo := s.api() + "/repos/" + c.repo.FullName()
	self := fmt.Sprintf("%s/actions/runs/%d", repo, run.id)
	return wire.Object{
		"id":                   run.id,
		"node_id":              wire.NodeID("WorkflowRun", run.id),
		"name":                 fmt.Sprint("workflow ", run.Workflow),
		"head_branch":          run.Branch,
		"head_sha":             sha,
		"head_commit":          nil,
		"path":                 fmt.Sprintf(".github/workflows/%d.yml", run.Workflow),
		"display_title":        "run",
		"run_number":           number,
		"run_attempt":          1,
		"event":                run.Event,
		"status":               "completed",
		"conclusion":           "success",
		"workflow_id":          run.Workflow,
		"check_suite_id":       run.suite,
		"url":                  self,
		"html_url":             self,
		"jobs_url":             self + "/jobs",
		"logs_url":             self + "/logs",
		"check_suite_url":      fmt.Sprintf("%s/check-suites/%d", repo, run.suite),
		"artifacts_url":        self + "/artifacts",
		"cancel_url":           self + "/cancel",
		"rerun_url":            self + "/rerun",
		"workflow_url":         fmt.Sprintf("%s/actions/workflows/%d", repo, run.Workflow),
		"pull_requests":        []any{},
		"created_at":           wire.Time(run.at),
		"updated_at":           wire.Time(run.at),
		"run_started_at":       wire.Time(run.at),
		"repository":           c.repo.Minimal(s.api(), s.web()),
		"head_repository":      c.repo.Minimal(s.api(), s.web()),
		"referenced_workflows": []any{},
	}
}
