package github_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

// wantFields reads a path and checks the status and fields, each given as name=value.
func wantFields(t *testing.T, s *github.Server, path string, status int, fields ...string) reply {
	t.Helper()
	got := call(t, s, "GET", path, "")
	if got.status != status {
		t.Errorf("%s: got %d %v, want %d", path, got.status, got.body, status)
	}

	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		if got.text(name) != value {
			t.Errorf("%s: got %s %s, want %s", path, name, got.text(name), value)
		}
	}

	return got
}

// TestAccounts_IDOutlivesLogin: an account keeps its id when it is renamed, and another account may take
// the old login.
func TestAccounts_IDOutlivesLogin(t *testing.T) {
	s := setup(t, github.Options{})
	alice := s.AddUser("alice")
	byID := fmt.Sprintf("/user/%d", alice)
	wantFields(t, s, byID, 200, "login=alice", "type=User")
	wantFields(t, s, "/users/ALICE", 200, fmt.Sprintf("id=%d", alice))
	wantFields(t, s, "/users/acme", 200, "type=Organization")
	wantFields(t, s, "/users/nobody", 404)
	wantFields(t, s, "/user/1", 404)

	s.SetRole(repo, "alice", "maintain")
	s.SetTeamMember("acme", "sre", "alice", "active")
	d := deploy(t, s, github.NewDeployment{Creator: "alice"})
	s.RenameUser("alice", "alice-b")
	wantFields(t, s, byID, 200, "login=alice-b")
	wantFields(t, s, "/users/alice", 404)
	wantFields(t, s, "/repos/"+repo+"/collaborators/alice-b/permission", 200, "role_name=maintain")
	wantFields(t, s, "/repos/"+repo+"/collaborators/alice/permission", 404, "message=alice is not a user")
	wantFields(t, s, "/orgs/acme/teams/sre/memberships/alice-b", 200, "state=active")
	if got := s.Deployments()[0]; got.ID != d.ID || got.Creator != "alice-b" {
		t.Errorf("got creator %s, want alice-b", got.Creator)
	}
	if taken := s.AddUser("alice"); taken == alice {
		t.Error("got the id of the renamed account for a new one")
	}

	wantFields(t, s, "/repos/"+repo+"/collaborators/alice/permission", 200, "permission=none", "role_name=none")
	s.RemoveUser("alice-b")
	wantFields(t, s, byID, 404)
	s.AddUser("deploy[bot]")
	wantFields(t, s, "/users/deploy%5Bbot%5D", 200, "type=Bot")
	wantNoViolations(t, s)
}

func TestPermission_Roles(t *testing.T) {
	const path = "/repos/" + repo + "/collaborators/alice/permission"
	s := setup(t, github.Options{})
	for role, c := range map[string]struct{ permission, may string }{
		"":         {permission: "none", may: "map[admin:false maintain:false pull:false push:false triage:false]"},
		"read":     {permission: "read", may: "map[admin:false maintain:false pull:true push:false triage:false]"},
		"triage":   {permission: "read", may: "map[admin:false maintain:false pull:true push:false triage:true]"},
		"write":    {permission: "write", may: "map[admin:false maintain:false pull:true push:true triage:true]"},
		"maintain": {permission: "write", may: "map[admin:false maintain:true pull:true push:true triage:true]"},
		"admin":    {permission: "admin", may: "map[admin:true maintain:true pull:true push:true triage:true]"},
	} {
		t.Run("role "+role, func(t *testing.T) {
			s.SetCustomRole(repo, "alice", role, role)
			got := wantFields(t, s, path, 200, "permission="+c.permission)
			if user := got.body["user"].(map[string]any); fmt.Sprint(user["permissions"]) != c.may {
				t.Errorf("got permissions %v, want %s", user["permissions"], c.may)
			}
		})
	}

	s.SetCustomRole(repo, "alice", "release-captain", "maintain")
	wantFields(t, s, path, 200, "permission=write", "role_name=release-captain")
	s.Rename(repo, "acme/moved", false) // roles stay when the repository is renamed
	wantFields(t, s, "/repos/acme/moved/collaborators/alice/permission", 200, "permission=write")
	wantNoViolations(t, s)
}

func TestTeams_Membership(t *testing.T) {
	s := setup(t, github.Options{})
	s.AddTeam("acme", "sre")
	s.SetTeamMember("acme", "sre", "alice", "pending")
	wantFields(t, s, "/orgs/acme/teams/SRE", 200, "slug=sre")
	wantFields(t, s, "/orgs/acme/teams/sre/memberships/alice", 200, "state=pending")
	wantFields(t, s, "/orgs/acme/teams/sre/memberships/bob", 404)
	wantFields(t, s, "/orgs/acme/teams/none", 404)
	s.SetTeamMember("acme", "sre", "alice", "")
	wantFields(t, s, "/orgs/acme/teams/sre/memberships/alice", 404)
	s.SetTeamMember("acme", "sre", "alice", "active")
	s.HideTeam("acme", "sre", true)
	wantFields(t, s, "/orgs/acme/teams/sre", 404)
	wantFields(t, s, "/orgs/acme/teams/sre/memberships/alice", 404)
	s.AddToken("small", "reader", map[string]string{"metadata": "read"})
	got := do(t, s, "GET", "/orgs/acme/teams/sre", "small", "")
	if got.status != 403 || got.header.Get("X-Accepted-Github-Permissions") != "members=read" {
		t.Errorf("got %d %v without the permission, want 403", got.status, got.header)
	}

	wantNoViolations(t, s)
}

func TestCommit_StatusesAndChecks(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := setup(t, github.Options{Now: func() time.Time { return at }})
	head := s.Push(repo, "main", "")
	for i := range 5 {
		s.SetCommitStatus(head, fmt.Sprintf("ci/%d", i), "success")
		s.AddCheckRun(head, fmt.Sprintf("job-%d", i), "completed", "success")
	}

	s.SetCommitStatus(head, "ci/0", "failure") // replaces the first
	s.AddCheck(head, github.CheckRun{Name: "job-0", Conclusion: "timed_out", StartedAt: at.Add(-time.Hour)})
	s.AddCheck(head, github.CheckRun{Name: "job-0", App: "other", Status: "queued"})
	base := "/repos/" + repo + "/commits/" + head
	for path, c := range map[string]struct {
		list       string
		items, all int
		more       bool
	}{
		"/status?per_page=3":                {list: "statuses", items: 3, all: 5, more: true},
		"/status?per_page=3&page=2":         {list: "statuses", items: 2, all: 5},
		"/check-runs?per_page=100":          {list: "check_runs", items: 6, all: 6},
		"/check-runs?per_page=4&page=2":     {list: "check_runs", items: 2, all: 6},
		"/check-runs?filter=all":            {list: "check_runs", items: 7, all: 7},
		"/check-runs?check_name=job-0":      {list: "check_runs", items: 2, all: 2},
		"/check-runs?filter=all&per_page=1": {list: "check_runs", items: 1, all: 7, more: true},
	} {
		t.Run(path, func(t *testing.T) {
			got := wantFields(t, s, base+path, 200, fmt.Sprintf("total_count=%d", c.all))
			if items := got.body[c.list].([]any); len(items) != c.items {
				t.Errorf("got %d items, want %d", len(items), c.items)
			}
			if more := strings.Contains(got.header.Get("Link"), `rel="next"`); more != c.more {
				t.Errorf("got Link %s, want a next page: %t", got.header.Get("Link"), c.more)
			}
		})
	}

	wantFields(t, s, base+"/status", 200, "state=failure")
	wantNoViolations(t, s)
}

func TestBranch_Protection(t *testing.T) {
	s := setup(t, github.Options{})
	s.Push(repo, "feature/x", "")
	wantFields(t, s, "/repos/"+repo+"/branches/main", 200, "protected=false")
	wantFields(t, s, "/repos/"+repo+"/branches/none", 404)
	s.SetRequiredChecks(repo, "feature/x", "ci/test", "build")
	got := wantFields(t, s, "/repos/"+repo+"/branches/feature%2Fx", 200, "name=feature/x", "protected=true")
	required := got.body["protection"].(map[string]any)["required_status_checks"].(map[string]any)
	if fmt.Sprint(required["contexts"]) != "[ci/test build]" || len(required["checks"].([]any)) != 2 {
		t.Errorf("got %v", required)
	}

	s.SetRulesetChecks(repo, "main", "lint")
	if got := wantFields(t, s, "/repos/"+repo+"/rules/branches/main", 200); len(got.list) != 2 ||
		!strings.Contains(fmt.Sprint(got.list), "lint") {
		t.Errorf("got rules %v", got.list)
	}
	if got := wantFields(t, s, "/repos/"+repo+"/rules/branches/feature%2Fx", 200); len(got.list) != 0 {
		t.Errorf("got rules %v", got.list)
	}

	s.SetRequiredChecks(repo, "feature/x")
	wantFields(t, s, "/repos/"+repo+"/branches/feature%2Fx", 200, "protected=false")
	wantNoViolations(t, s)
}

// TestCompare_FollowsHistory compares commits by their history, and by SetComparison.
func TestCompare_FollowsHistory(t *testing.T) {
	s := setup(t, github.Options{})
	first := github.Commit(repo, "main")
	second := s.Push(repo, "main", "")
	third := s.Push(repo, "main", "")
	side := s.Push(repo, "side", strings.Repeat("ab", 20))
	s.Push(repo, "main", first)
	fourth := s.Push(repo, "main", strings.Repeat("cd", 20))
	set := strings.Repeat("ef", 20)
	s.SetComparison(repo, first, set, "diverged", 2, 1)
	tests := []struct{ name, base, head, status, ahead, behind string }{
		{name: "same commit", base: first, head: first, status: "identical", ahead: "0", behind: "0"},
		{name: "ahead", base: first, head: third, status: "ahead", ahead: "2", behind: "0"},
		{name: "behind", base: third, head: first, status: "behind", ahead: "0", behind: "2"},
		{name: "other branch", base: third, head: side, status: "ahead", ahead: "1", behind: "0"},
		{name: "diverged", base: side, head: fourth, status: "diverged", ahead: "1", behind: "3"},
		{name: "branch names", base: "main", head: "side", status: "diverged", ahead: "3", behind: "1"},
		{name: "set", base: first, head: set, status: "diverged", ahead: "2", behind: "1"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := "/repos/" + repo + "/compare/" + test.base + "..." + test.head
			wantFields(t, s, path, 200, "status="+test.status, "ahead_by="+test.ahead, "behind_by="+test.behind)
		})
	}

	wantFields(t, s, "/repos/"+repo+"/compare/"+second+"..."+strings.Repeat("00", 20), 404)
	wantNoViolations(t, s)
}

// TestCreateDeployment_Creator creates deployments as several users and through an app.
func TestCreateDeployment_Creator(t *testing.T) {
	s := setup(t, github.Options{
		Wrap: func(next http.Handler) http.Handler { return shapes.Check(next, func(v string) { t.Error(v) }) },
	})
	s.AddToken("bobs", "bob", nil)
	created := do(t, s, "POST", "/repos/"+repo+"/deployments", "bobs", `{"ref":"main","auto_merge":false}`)
	if created.status != 201 {
		t.Fatalf("got %d %v, want 201", created.status, created.body)
	}

	deploy(t, s, github.NewDeployment{Creator: "alice"})
	deploy(t, s, github.NewDeployment{Creator: "hubot[bot]", App: "hubot"})
	var creators []string
	for _, d := range s.Deployments() {
		creators = append(creators, d.Creator)
	}

	if want := "[bob alice hubot[bot]]"; fmt.Sprint(creators) != want {
		t.Errorf("got creators %v, want %s", creators, want)
	}
}
