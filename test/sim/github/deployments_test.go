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

// TestStatusRules posts one status of each kind to a fresh deployment.
func TestStatusRules(t *testing.T) {
	cases := map[string]struct {
		body      string
		status    int
		says      string // in the answer
		violation string // part of it; empty: none
	}{
		"queued": {body: `{"state":"queued"}`, status: 201},
		"everything": {
			body:   `{"state":"success","description":"done","log_url":"https://ci/1","environment_url":"http://x","environment":"qa","auto_inactive":false}`,
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

func TestStatusLimit(t *testing.T) {
	s := setup(t, github.Options{StatusLimit: 2})
	path := statusesPath(deploy(t, s, github.NewDeployment{}))
	for i, want := range []int{201, 201, 422} {
		got := call(t, s, "POST", path, `{"state":"in_progress"}`)
		if got.status != want {
			t.Fatalf("status %d: got %d, want %d", i, got.status, want)
		}
		if want == 422 && !strings.Contains(fmt.Sprint(got.body["errors"]), "maximum number of statuses") {
			t.Errorf("got %v", got.body)
		}
	}

	wantNoViolations(t, s)
}

// TestAutoInactive: success makes older successful ones of the environment inactive, but neither
// production nor transient ones, and not when the caller says so.
func TestAutoInactive(t *testing.T) {
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

// TestCreateDeployment goes through the refusals and the defaults of "Create a deployment".
func TestCreateDeployment(t *testing.T) {
	s := setup(t, github.Options{Wrap: unchecked})
	s.Tag(repo, "v1", "")
	s.Push(repo, "old", "")
	s.SetBehind(repo, "old", true)
	red := s.Push(repo, "red", "")
	s.SetCommitStatus(red, "ci", "failure")
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
		"unknown ref":          {body: `{"ref":"nope"}`, status: 422, says: "No ref found for: nope"},
		"no ref":               {body: `{}`, status: 422, says: "wasn't supplied"},
		"merged":               {body: `{"ref":"old"}`, status: 202, says: "Auto-merged main into old"},
		"not merged":           {body: `{"ref":"old","auto_merge":false}`, status: 201, says: `"ref":"old"`},
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
				t.Errorf("%d deployments were made", made)
			}
		})
	}
}

// TestListsPageNewestFirst walks the Link headers of deployments and statuses and tries each
// filter.
func TestListsPageNewestFirst(t *testing.T) {
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
		if page := call(t, s, "GET", "/repos/"+repo+"/deployments?"+filter, ""); len(page.list) != count ||
			page.list == nil {
			t.Errorf("%s: got %d, want %d", filter, len(page.list), count)
		}
	}

	wantNoViolations(t, s)
	call(t, s, "GET", "/repos/"+repo+"/deployments?colour=red", "")
	if len(s.Violations()) == 0 {
		t.Error("an unknown query parameter is no violation")
	}
}

// next is the path of the next page.
func next(s *github.Server, r reply) string {
	for _, link := range strings.Split(r.header.Get("Link"), ", ") {
		if address, ok := strings.CutSuffix(link, `>; rel="next"`); ok {
			return strings.TrimPrefix(strings.TrimPrefix(address, "<"), s.URL())
		}
	}
	return ""
}

// TestRenameAndDelete follows one repository through its names.
func TestRenameAndDelete(t *testing.T) {
	s := setup(t, github.Options{})
	id := s.AddRepository(repo)
	d := deploy(t, s, github.NewDeployment{})
	s.Rename(repo, "acme/backend", true)
	byID := fmt.Sprintf("%s/repositories/%d", s.URL(), id)

	read := call(t, s, "GET", "/repos/"+repo+"/deployments?per_page=1", "")
	if read.status != 301 || read.header.Get("Location") != byID+"/deployments?per_page=1" {
		t.Errorf("read: %d %s", read.status, read.header.Get("Location"))
	}

	write := call(t, s, "POST", statusesPath(d), `{"state":"queued"}`)
	if want := fmt.Sprintf("%s/deployments/%d/statuses", byID, d.ID); write.status != 307 ||
		write.header.Get("Location") != want {
		t.Errorf("write: %d %s", write.status, write.header.Get("Location"))
	}
	if got := call(t, s, "GET", fmt.Sprintf("/repositories/%d", id), ""); got.text("full_name") != "acme/backend" {
		t.Errorf("by id: %v", got.body["full_name"])
	}
	if got := call(t, s, "POST", fmt.Sprintf("/repositories/%d/deployments/%d/statuses", id, d.ID), `{"state":"queued"}`); got.status != 201 {
		t.Errorf("status by id: %d", got.status)
	}
	if got := s.Statuses(repo, d.ID); len(got) != 1 {
		t.Errorf("statuses: %v", got)
	}

	wantNoViolations(t, s)

	s.Rename("acme/backend", "acme/core", false)
	if got := call(t, s, "GET", "/repos/acme/backend", ""); got.status != 404 {
		t.Errorf("a name that does not redirect: %d", got.status)
	}

	s.Delete("acme/core")
	for _, path := range []string{"/repos/acme/core", "/repos/" + repo, fmt.Sprintf("/repositories/%d", id)} {
		if got := call(t, s, "GET", path, ""); got.status != 404 {
			t.Errorf("%s after deletion: %d", path, got.status)
		}
	}
}
