package github_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

// described returns options by which every answer is held against GitHub's OpenAPI description.
func described(t *testing.T) github.Options {
	return github.Options{
		Wrap: func(next http.Handler) http.Handler { return shapes.Check(next, func(v string) { t.Error(v) }) },
	}
}

func TestCheckRuns_LatestWithinSuite(t *testing.T) {
	s := setup(t, described(t))
	head := s.Push(repo, "main", "")
	push := s.AddWorkflowRun(head, github.WorkflowRun{Workflow: 1})
	pull := s.AddWorkflowRun(head, github.WorkflowRun{Workflow: 1, Event: "pull_request"})

	s.AddCheck(head, github.CheckRun{Name: "test", App: "github-actions", Suite: push, Conclusion: "failure"})
	s.AddCheck(head, github.CheckRun{Name: "test", App: "github-actions", Suite: pull})
	s.AddCheck(head, github.CheckRun{Name: "test", App: "github-actions", Suite: pull}) // a rerun
	s.AddCheck(head, github.CheckRun{Name: "test", App: "other-ci"})
	s.AddCheck(head, github.CheckRun{Name: "test", App: "other-ci"}) // in the one suite of that app

	tests := []struct {
		query string
		want  int
	}{
		{query: "", want: 3},
		{query: "?filter=latest", want: 3},
		{query: "?filter=all", want: 5},
		{query: "?check_name=test", want: 3},
		{query: "?check_name=lint", want: 0},
	}

	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			path := "/repos/" + repo + "/commits/" + head + "/check-runs" + tt.query
			wantFields(t, s, path, 200, fmt.Sprint("total_count=", tt.want))
		})
	}

	wantFields(t, s, "/repos/"+repo+"/actions/runs?head_sha="+head, 200, "total_count=2")
	wantNoViolations(t, s)
}

func TestCommitStatuses_NewestOfContextAndWhoSetIt(t *testing.T) {
	s := setup(t, described(t))
	head := s.Push(repo, "main", "")
	s.AddCommitStatus(head, github.CommitStatus{Context: "build", State: "failure", App: "other-ci"})
	s.AddCommitStatus(head, github.CommitStatus{Context: "build", State: "success", Creator: "mallory"})
	s.AddCommitStatus(head, github.CommitStatus{Context: "lint", State: "success", App: "github-actions"})

	commit := "/repos/" + repo + "/commits/" + head
	combined := wantFields(t, s, commit+"/status", 200, "state=success", "total_count=2").body["statuses"].([]any)
	got := combined[1].(map[string]any)["avatar_url"]
	if want := "https://avatars.githubusercontent.com/in/15368?v=4"; got != want {
		t.Errorf("avatar of the app's status: got %v, want %s", got, want)
	}

	all := wantFields(t, s, commit+"/statuses", 200).list
	var creators []string
	for _, status := range all {
		creators = append(creators, fmt.Sprint(status["creator"].(map[string]any)["login"]))
	}
	if got, want := fmt.Sprint(creators), "[github-actions[bot] mallory other-ci[bot]]"; got != want {
		t.Errorf("creators, newest first: got %s, want %s", got, want)
	}

	wantNoViolations(t, s)
}

func TestProtection_PinnedApp(t *testing.T) {
	s := setup(t, described(t))
	s.SetRequiredChecks(repo, "main", "build", "lint")
	s.SetRulesetChecks(repo, "main", "build")
	s.PinRequiredCheck(repo, "main", "build", "github-actions")

	branch := wantFields(t, s, "/repos/"+repo+"/branches/main", 200)
	required := branch.body["protection"].(map[string]any)["required_status_checks"].(map[string]any)
	const want = "[map[app_id:15368 context:build] map[app_id:<nil> context:lint]]"
	if got := fmt.Sprint(required["checks"]); got != want {
		t.Errorf("branch: got %s, want %s", got, want)
	}

	rules := wantFields(t, s, "/repos/"+repo+"/rules/branches/main", 200).list
	parameters := rules[1]["parameters"].(map[string]any)
	const wantRules = "[map[context:build integration_id:15368]]"
	if got := fmt.Sprint(parameters["required_status_checks"]); got != wantRules {
		t.Errorf("ruleset: got %s, want %s", got, wantRules)
	}

	wantNoViolations(t, s)
}
