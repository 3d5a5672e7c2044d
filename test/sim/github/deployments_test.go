package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// TestCreateStatus_Rules posts one status of each kind to a new deployment.
func TestCreateStatus_Rules(t *testing.T) {
	cases := map[string]struct {
		body      string
		status    int
		says      string // in the response
		violation string // part of it; empty: none
	}{
		"queued": {body: `{"state":"queued"}`, status: 201},
		"everything": {
			body: `{"state":"success","description":"done","log_url":"https://ci/1","environment_url":"http://x",
				"environment":"qa","auto_inactive":false}`,
			status: 201,
		},
		"140 code points": {body: `{"state":"error","description":"` + strings.Repeat("é", 140) + `"}`, status: 201},
		"141 code points": {
			body:      `{"state":"error","description":"` + strings.Repeat("é", 141) + `"}`,
			status:    422,
			says:      "description is too long (maximum is 140 characters)",
			violation: "141 characters",
		},
		"no state": {body: `{}`, status: 422, says: `"state\" wasn't supplied`, violation: "state is missing"},
		"unknown state": {
			body:      `{"state":"done"}`,
			status:    422,
			says:      "state is not included in the list",
			violation: `state is "done"`,
		},
		"other scheme": {
			body:      `{"state":"queued","log_url":"ftp://x"}`,
			status:    422,
			says:      "log_url must use http(s) scheme",
			violation: "log_url is not http",
		},
		"unknown field": {body: `{"state":"queued","nice":1}`, status: 201, violation: `unknown field "nice"`},
		"wrong type": {
			body:      `{"state":1}`,
			status:    422,
			says:      "For 'properties/state', number is not a string",
			violation: "cannot unmarshal number",
		},
		"not JSON":           {body: `{`, status: 400, says: "Problems parsing JSON", violation: "unexpected"},
		"null auto_inactive": {body: `{"state":"queued","auto_inactive":null}`, status: 201},
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := setup(t, github.Options{Wrap: unchecked})
			got := call(t, s, "POST", statusesPath(deploy(t, s, github.NewDeployment{})), c.body)
			raw, _ := json.Marshal(got.body)
			if got.status != c.status || !strings.Contains(string(raw), c.says) {
				t.Errorf("got %d %s, want %d with %q", got.status, raw, c.status, c.says)
			}

			joined := strings.Join(s.Violations(), "; ")
			if (c.violation == "") != (joined == "") || !strings.Contains(joined, c.violation) {
				t.Errorf("violations %q, want %q", joined, c.violation)
			}
		})
	}
}

func unchecked(next http.Handler) http.Handler { return next }

func TestCreateStatus_Limit(t *testing.T) {
	s := setup(t, github.Options{StatusLimit: 2})
	path := statusesPath(deploy(t, s, github.NewDeployment{}))
	for i, want := range []int{201, 201, 422} {
		got := call(t, s, "POST", path, `{"state":"in_progress"}`)
		if got.status != want {
			t.Fatalf("got %d for status %d, want %d", got.status, i, want)
		}
		if want == 422 && !strings.Contains(fmt.Sprint(got.body["errors"]), "maximum number of statuses") {
			t.Errorf("got %v", got.body)
		}
	}

	wantNoViolations(t, s)
}

// TestCreateStatus_AutoInactive: success makes older successful deployments of the environment inactive,
// except production and transient ones, and except when auto_inactive is false.
func TestCreateStatus_AutoInactive(t *testing.T) {
	s := setup(t, github.Options{})
	success := func(d github.Deployment, extra string) {
		call(t, s, "POST", statusesPath(d), `{"state":"success"`+extra+`}`)
	}
	staging := deploy(t, s, github.NewDeployment{Environment: "staging"})
	other := deploy(t, s, github.NewDeployment{Environment: "qa"})
	production := deploy(t, s, github.NewDeployment{})
	transient := deploy(t, s, github.NewDeployment{Environment: "staging", Transient: true})
	failed := deploy(t, s, github.NewDeployment{Environment: "staging"})
	for _, d := range []github.Deployment{staging, other, production, transient} {
		success(d, `,"auto_inactive":false`)
	}

	call(t, s, "POST", statusesPath(failed), `{"state":"failure"}`)
	success(deploy(t, s, github.NewDeployment{Environment: "staging"}), "")
	success(deploy(t, s, github.NewDeployment{}), "")

	got := map[string]string{}
	for name, d := range map[string]github.Deployment{
		"staging":    staging,
		"other":      other,
		"production": production,
		"transient":  transient,
		"failed":     failed,
	} {
		all := s.Statuses(repo, d.ID)
		got[name] = all[len(all)-1].State
	}

	want := map[string]string{
		"staging":    "inactive",
		"other":      "success",
		"production": "success",
		"transient":  "success",
		"failed":     "failure",
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	wantNoViolations(t, s)
}

// TestCreateDeployment_Rules covers the refusals and the defaults of "Create a deployment".
func TestCreateDeployment_Rules(t *testing.T) {
	s := setup(t, github.Options{Wrap: unchecked})
	s.Tag(repo, "v1", "")
	s.Push(repo, "old", "")
	s.SetBehind(repo, "old", true)
	red := s.Push(repo, "red", "")
	s.SetCommitStatus(red, "ci", "failure")
	s.Push(repo, "torn", "")
	s.SetConflicting(repo, "torn", true)
	skipped := s.Push(repo, "skipped", "")
	s.AddCheck(skipped, github.CheckRun{Name: "docs", Conclusion: "skipped"})
	cases := map[string]struct {
		body   string
		status int
		says   string
	}{
		"branch": {
			body:   `{"ref":"main","auto_merge":false,"required_contexts":[]}`,
			status: 201,
			says:   `"environment":"production"`,
		},
		"production": {body: `{"ref":"main"}`, status: 201, says: `"production_environment":true`},
		"staging": {
			body:   `{"ref":"main","environment":"staging"}`,
			status: 201,
			says:   `"production_environment":false`,
		},
		"no payload": {body: `{"ref":"main"}`, status: 201, says: `"payload":{}`},
		"object payload": {
			body:   `{"ref":"main","payload":{"a":[1,"x"]}}`,
			status: 201,
			says:   `"payload":{"a":[1,"x"]}`,
		},
		"string payload": {body: `{"ref":"main","payload":"{\"a\":1}"}`, status: 201, says: `"payload":"{\"a\":1}"`},
		"list payload":   {body: `{"ref":"main","payload":[1]}`, status: 422, says: "properties/payload"},
		"tag":            {body: `{"ref":"v1"}`, status: 201, says: `"task":"deploy"`},
		"sha": {
			body:   `{"ref":"` + strings.Repeat("a1", 20) + `"}`,
			status: 201,
			says:   `"sha":"` + strings.Repeat("a1", 20),
		},
		"unknown ref":         {body: `{"ref":"nope"}`, status: 422, says: "No ref found for: nope"},
		"no ref":              {body: `{}`, status: 422, says: "wasn't supplied"},
		"merged":              {body: `{"ref":"old"}`, status: 202, says: "Auto-merged main into old"},
		"not merged":          {body: `{"ref":"old","auto_merge":false}`, status: 201, says: `"ref":"old"`},
		"conflict":            {body: `{"ref":"torn"}`, status: 409, says: "Conflict merging main into torn"},
		"conflict not merged": {body: `{"ref":"torn","auto_merge":false}`, status: 201, says: `"ref":"torn"`},
		"skipped check run": {
			body:   `{"ref":"skipped"}`,
			status: 409,
			says:   `"contexts":[{"context":"docs","state":"skipped"}]`,
		},
		"red":                  {body: `{"ref":"red"}`, status: 409, says: "Commit status checks failed for red"},
		"red but not required": {body: `{"ref":"red","required_contexts":[]}`, status: 201, says: `"sha":"` + red},
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := len(s.Deployments())
			got := call(t, s, "POST", "/repos/"+repo+"/deployments", c.body)
			raw, _ := json.Marshal(got.body)
			if got.status != c.status || !strings.Contains(string(raw), c.says) {
				t.Errorf("got %d %s, want %d with %s", got.status, raw, c.status, c.says)
			}
			if made := len(s.Deployments()) - before; made != map[bool]int{true: 1}[c.status == 201] {
				t.Errorf("got %d new deployments with status %d", made, c.status)
			}
		})
	}
}

// TestLists_PagesNewestFirst follows the Link headers of the list of deployments and tries each filter.
func TestLists_PagesNewestFirst(t *testing.T) {
	s := setup(t, github.Options{})
	var want []string
	for i := range 5 {
		d := deploy(t, s, github.NewDeployment{Environment: fmt.Sprint("env-", i%2), Task: "deploy"})
		want = append([]string{fmt.Sprint(d.ID)}, want...)
	}

	var got []string
	path := "/repos/" + repo + "/deployments?per_page=2"
	for path != "" {
		page := call(t, s, "GET", path, "")
		for _, d := range page.list {
			got = append(got, fmt.Sprint(d["id"]))
		}

		path = next(s, page)
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	for filter, count := range map[string]int{
		"environment=env-0":                  3,
		"ref=main":                           5,
		"ref=x":                              0,
		"task=deploy":                        5,
		"task=other":                         0,
		"sha=" + github.Commit(repo, "main"): 5,
		"sha=none":                           5,
	} {
		t.Run(filter, func(t *testing.T) {
			page := call(t, s, "GET", "/repos/"+repo+"/deployments?"+filter, "")
			if page.list == nil || len(page.list) != count {
				t.Errorf("got %d deployments, want %d", len(page.list), count)
			}
		})
	}

	wantNoViolations(t, s)
	call(t, s, "GET", "/repos/"+repo+"/deployments?colour=red", "")
	if len(s.Violations()) == 0 {
		t.Error("want a violation for an unknown query parameter")
	}
}

// next returns the path of the next page, or "".
func next(s *github.Server, r reply) string {
	for link := range strings.SplitSeq(r.header.Get("Link"), ", ") {
		if address, ok := strings.CutSuffix(link, `>; rel="next"`); ok {
			return strings.TrimPrefix(strings.TrimPrefix(address, "<"), s.URL())
		}
	}
	return ""
}

// TestRepository_RenameAndDelete follows one repository through its names.
func TestRepository_RenameAndDelete(t *testing.T) {
	s := setup(t, github.Options{})
	id := s.AddRepository(repo)
	d := deploy(t, s, github.NewDeployment{})
	s.Rename(repo, "acme/backend", true)
	byID := fmt.Sprintf("%s/repositories/%d", s.URL(), id)

	read := call(t, s, "GET", "/repos/"+repo+"/deployments?per_page=1", "")
	if read.status != 301 || read.header.Get("Location") != byID+"/deployments?per_page=1" {
		t.Errorf("got %d %s for a read", read.status, read.header.Get("Location"))
	}

	write := call(t, s, "POST", statusesPath(d), `{"state":"queued"}`)
	if want := fmt.Sprintf("%s/deployments/%d/statuses", byID, d.ID); write.status != 307 ||
		write.header.Get("Location") != want {
		t.Errorf("got %d %s for a write", write.status, write.header.Get("Location"))
	}
	if got := call(t, s, "GET", fmt.Sprintf("/repositories/%d", id), ""); got.text("full_name") != "acme/backend" {
		t.Errorf("got %v by id, want acme/backend", got.body["full_name"])
	}
	statusByID := fmt.Sprintf("/repositories/%d/deployments/%d/statuses", id, d.ID)
	if got := call(t, s, "POST", statusByID, `{"state":"queued"}`); got.status != 201 {
		t.Errorf("got %d for a status by id, want 201", got.status)
	}
	if got := s.Statuses(repo, d.ID); len(got) != 1 {
		t.Errorf("got statuses %v, want one", got)
	}

	wantNoViolations(t, s)

	s.Rename("acme/backend", "acme/core", false)
	if got := call(t, s, "GET", "/repos/acme/backend", ""); got.status != 404 {
		t.Errorf("got %d for a name without redirect, want 404", got.status)
	}

	s.Delete("acme/core")
	for _, path := range []string{"/repos/acme/core", "/repos/" + repo, fmt.Sprintf("/repositories/%d", id)} {
		if got := call(t, s, "GET", path, ""); got.status != 404 {
			t.Errorf("got %d for %s after the deletion, want 404", got.status, path)
		}
	}
}
