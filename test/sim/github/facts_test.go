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

// want asks a path and looks for fields, each given as name=value.
func wantFields(t *testing.T, s *github.Server, path string, status int, fields ...string) reply {
	t.Helper()
	got := call(t, s, "GET", path, "")
	if got.status != status {
		t.Errorf("%s: %d %v, want %d", path, got.status, got.body, status)
	}

	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		if got.text(name) != value {
			t.Errorf("%s: %s is %s, want %s", path, name, got.text(name), value)
		}
	}

	return got
}

// TestPeople: an id outlives its login, and a login that is given up may be somebody else's.
func TestPeople(t *testing.T) {
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
		t.Errorf("the deployment is shown under %s", got.Creator)
	}
	if taken := s.AddUser("alice"); taken == alice {
		t.Error("the stranger has alice's id")
	}

	wantFields(t, s, "/repos/"+repo+"/collaborators/alice/permission", 200, "permission=none", "role_name=none")
	s.RemoveUser("alice-b")
	wantFields(t, s, byID, 404)
	s.AddUser("deploy[bot]")
	wantFields(t, s, "/users/deploy%5Bbot%5D", 200, "type=Bot")
	wantNoViolations(t, s)
}

func TestRoles(t *testing.T) {
	s := setup(t, github.Options{})
	for role, c := range map[string]struct{ permission, may string }{
		"":         {permission: "none", may: "map[admin:false maintain:false pull:false push:false triage:false]"},
		"read":     {permission: "read", may: "map[admin:false maintain:false pull:true push:false triage:false]"},
		"triage":   {permission: "read", may: "map[admin:false maintain:false pull:true push:false triage:true]"},
		"write":    {permission: "write", may: "map[admin:false maintain:false pull:true push:true triage:true]"},
		"maintain": {permission: "write", may: "map[admin:false maintain:true pull:true push:true triage:true]"},
		"admin":    {permission: "admin", may: "map[admin:true maintain:true pull:true push:true triage:true]"},
	} {
		s.SetCustomRole(repo, "alice", role, role)
		got := wantFields(t, s, "/repos/"+repo+"/collaborators/alice/permission", 200, "permission="+c.permission)
		if user := got.body["user"].(map[string]any); fmt.Sprint(user["permissions"]) != c.may {
			t.Errorf("%s may %v", role, user["permissions"])
		}
	}

	s.SetCustomRole(repo, "alice", "release-captain", "maintain")
	wantFields(t, s, "/repos/"+repo+"/collaborators/alice/permission", 200, "permission=write", "role_name=release-captain")
	s.Rename(repo, "acme/moved", false) // a role is the repository's, not its name's
	wantFields(t, s, "/repos/acme/moved/collaborators/alice/permission", 200, "permission=write")
	wantNoViolations(t, s)
}

func TestTeams(t *testing.T) {
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
		t.Errorf("without the permission: %d %v", got.status, got.header)
	}

	wantNoViolations(t, s)
}

func TestCommitFactsPage(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := setup(t, github.Options{Now: func() time.Time { return at }})
	head := s.Push(repo, "main", "")
	for i := range 5 {
		s.SetCommitStatus(head, fmt.Sprintf("ci/%d", i), "success")
		s.AddCheckRun(head, fmt.Sprintf("job-%d", i), "completed", "success")
	}

	s.SetCommitStatus(head, "ci/0", "failure") // in the place of the first
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
		got := wantFields(t, s, base+path, 200, fmt.Sprintf("total_count=%d", c.all))
		if items := got.body[c.list].([]any); len(items) != c.items {
			t.Errorf("%s: %d items", path, len(items))
		}
		if more := strings.Contains(got.header.Get("Link"), `rel="next"`); more != c.more {
			t.Errorf("%s: Link %s", path, got.header.Get("Link"))
		}
	}

	wantFields(t, s, base+"/status", 200, "state=failure")
	wantNoViolations(t, s)
}

func TestProtection(t *testing.T) {
	s := setup(t, github.Options{})
	s.Push(repo, "feature/x", "")
	wantFields(t, s, "/repos/"+repo+"/branches/main", 200, "protected=false")
	wantFields(t, s, "/repos/"+repo+"/branches/none", 404)
	s.SetRequiredChecks(repo, "feature/x", "ci/test", "build")
	got := wantFields(t, s, "/repos/"+repo+"/branches/feature%2Fx", 200, "name=feature/x", "protected=true")
	required := got.body["protection"].(map[string]any)["required_status_checks"].(map[string]any)
	if fmt.Sprint(required["contexts"]) != "[ci/test build]" || len(required["checks"].([]any)) != 2 {
		t.Errorf("%v", required)
	}

	s.SetRulesetChecks(repo, "main", "lint")
	if got := wantFields(t, s, "/repos/"+repo+"/rules/branches/main", 200); len(got.list) != 2 ||
		!strings.Contains(fmt.Sprint(got.list), "lint") {
		t.Errorf("%v", got.list)
	}
	if got := wantFields(t, s, "/repos/"+repo+"/rules/branches/feature%2Fx", 200); len(got.list) != 0 {
		t.Errorf("%v", got.list)
	}

	s.SetRequiredChecks(repo, "feature/x")
	wantFields(t, s, "/repos/"+repo+"/branches/feature%2Fx", 200, "protected=false")
	wantNoViolations(t, s)
}

// TestCompare: history tells how commits stand, unless a test says otherwise.
func TestCompare(t *testing.T) {
	s := setup(t, github.Options{})
	first := github.Commit(repo, "main")
	second := s.Push(repo, "main", "")
	third := s.Push(repo, "main", "")
	side := s.Push(repo, "side", strings.Repeat("ab", 20))
	s.Push(repo, "main", first)
	fourth := s.Push(repo, "main", strings.Repeat("cd", 20))
	told := strings.Repeat("ef", 20)
	s.SetComparison(repo, first, told, "diverged", 2, 1)
	for _, c := range []struct{ base, head, status, ahead, behind string }{
		{
			base:   first,
			head:   first,
			status: "identical",
			ahead:  "0",
			behind: "0",
		},
		{
			base:   first,
			head:   third,
			status: "ahead",
			ahead:  "2",
			behind: "0",
		},
		{
			base:   third,
			head:   first,
			status: "behind",
			ahead:  "0",
			behind: "2",
		},
		{
			base:   third,
			head:   side,
			status: "ahead",
			ahead:  "1",
			behind: "0",
		},
		{
			base:   side,
			head:   fourth,
			status: "diverged",
			ahead:  "1",
			behind: "3",
		},
		{
			base:   "main",
			head:   "side",
			status: "diverged",
			ahead:  "3",
			behind: "1",
		},
		{
			base:   first,
			head:   told,
			status: "diverged",
			ahead:  "2",
			behind: "1",
		},
	} {
		wantFields(
			t,
			s,
			"/repos/"+repo+"/compare/"+c.base+"..."+c.head,
			200,
			"status="+c.status,
			"ahead_by="+c.ahead,
			"behind_by="+c.behind,
		)
	}

	wantFields(t, s, "/repos/"+repo+"/compare/"+second+"..."+strings.Repeat("00", 20), 404)
	wantNoViolations(t, s)
}

// TestDeployAs makes a deployment as somebody, and through an app.
func TestDeployAs(t *testing.T) {
	s := setup(t, github.Options{
		Wrap: func(next http.Handler) http.Handler { return shapes.Check(next, func(v string) { t.Error(v) }) },
	})
	s.AddToken("bobs", "bob", nil)
	if got := do(t, s, "POST", "/repos/"+repo+"/deployments", "bobs", `{"ref":"main","auto_merge":false}`); got.status != 201 {
		t.Fatalf("%d %v", got.status, got.body)
	}

	deploy(t, s, github.NewDeployment{Creator: "alice"})
	deploy(t, s, github.NewDeployment{Creator: "hubot[bot]", App: "hubot"})
	var who []string
	for _, d := range s.Deployments() {
		who = append(who, d.Creator)
	}

	if fmt.Sprint(who) != "[bob alice hubot[bot]]" {
		t.Errorf("%v", who)
	}
}
