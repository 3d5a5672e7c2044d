package circleci_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

func TestServer_RefusesUndocumentedRequests(t *testing.T) {
	many := map[string]any{}
	for i := range 101 {
		many[strings.Repeat("a", i+1)] = 1
	}

	const classic, run = "/project/gh/acme/api/pipeline", "/project/gh/acme/api/pipeline/run"
	tests := map[string]struct {
		path string
		body map[string]any
	}{
		"unknown field":  {path: classic, body: map[string]any{"revision": "abc"}},
		"wrong type":     {path: classic, body: map[string]any{"branch": 1}},
		"branch and tag": {path: classic, body: map[string]any{"branch": "a", "tag": "b"}},
		"in checkout":    {path: run, body: map[string]any{"checkout": map[string]any{"branch": "a", "tag": "b"}}},
		"classic in run": {path: run, body: map[string]any{"branch": "main"}},
		"too many":       {path: classic, body: map[string]any{"parameters": many}},
		"long name": {
			path: classic,
			body: map[string]any{"parameters": map[string]any{strings.Repeat("n", 129): 1}},
		},
		"long value": {
			path: run,
			body: map[string]any{"parameters": map[string]any{"a": strings.Repeat("v", 513)}},
		},
		"null parameter": {path: classic, body: map[string]any{"parameters": map[string]any{"a": nil}}},
		"object parameter": {
			path: classic,
			body: map[string]any{"parameters": map[string]any{"a": map[string]any{}}},
		},
		"fraction":      {path: run, body: map[string]any{"parameters": map[string]any{"a": 1.5}}},
		"unknown query": {path: classic + "?ref=main"},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := start(t, circleci.Options{AnyProject: true})
			c.do(http.StatusBadRequest, http.MethodPost, test.path, test.body)
			if len(c.Violations()) != 1 || len(c.Pipelines()) != 0 {
				t.Errorf("got violations %q and %d pipelines, want one and none", c.Violations(), len(c.Pipelines()))
			}
		})
	}

	c := start(t, circleci.Options{AnyProject: true})
	c.do(http.StatusNotFound, http.MethodGet, "/pipelines", nil)
	c.run(map[string]any{"a": strings.Repeat("v", 512), strings.Repeat("n", 128): true, "i": 7})
	if len(c.Violations()) != 1 || c.Triggers()[0].Parameters["i"] != int64(7) {
		t.Errorf("got violations %q and triggers %+v, want one violation and i = 7", c.Violations(), c.Triggers())
	}
}

// TestServer_DateIsItsOwnClock reads the Date header, by which callers may correct their clocks.
func TestServer_DateIsItsOwnClock(t *testing.T) {
	ahead := time.Now().Add(10 * time.Minute).Truncate(time.Second)
	c := start(t, circleci.Options{Now: func() time.Time { return ahead }})
	for path, status := range map[string]int{"/me": http.StatusOK, "/nowhere": http.StatusNotFound} {
		t.Run(path, func(t *testing.T) {
			date, err := http.ParseTime(c.in(t).do(status, http.MethodGet, path, nil).header.Get("Date"))
			if err != nil || !date.Equal(ahead) {
				t.Errorf("got date %v (%v), want %v", date, err, ahead)
			}
		})
	}
}

// TestServer_ProjectsAndRefs covers slugs, definitions, the routes of a project, branches and tags.
func TestServer_ProjectsAndRefs(t *testing.T) {
	c := start(t, circleci.Options{})
	oauth, app := c.AddProject("github/acme/api", "main"), c.AddProject("circleci/Org1/Proj1", "main")
	if c.AddProject("gh/acme/api", "main") != oauth || oauth.Slug != "gh/acme/api" {
		t.Errorf("got %+v for the other spelling of the slug, want the same project", oauth)
	}
	if got := c.get("/project/github/acme/api"); got["id"] != oauth.ID || got["slug"] != "gh/acme/api" {
		t.Errorf("got %v", got)
	}

	items, _ := c.all("/projects/" + app.ID + "/pipeline-definitions")
	if len(items) != 1 || items[0]["id"] != app.DefinitionID {
		t.Errorf("got %v", items)
	}

	c.do(http.StatusNotFound, http.MethodPost, "/project/circleci/Org1/Proj1/pipeline", nil)
	at := map[string]any{"branch": "main"}
	body := map[string]any{"definition_id": app.DefinitionID, "config": at, "checkout": at}
	r := c.do(http.StatusCreated, http.MethodPost, "/project/circleci/Org1/Proj1/pipeline/run", body)
	got := c.get("/pipeline/" + r.body["id"].(string))
	git := got["trigger_parameters"].(map[string]any)["git"].(map[string]any)
	if git["checkout_sha"] != circleci.RevisionOf("main") || git["branch"] != "main" || got["vcs"] != nil {
		t.Errorf("got %v", got)
	}

	c.SetBranch("gh/acme/api", "main", "abc")
	c.SetTag("gh/acme/api", "v1", "def")
	c.BranchLag("gh/acme/api", 1)
	tests := []struct {
		name   string
		status int
		body   map[string]any
	}{
		{name: "branch during the lag", status: 400, body: at},
		{name: "branch", status: 201, body: at},
		{name: "unknown branch", status: 400, body: map[string]any{"branch": "other"}},
		{name: "tag", status: 201, body: map[string]any{"tag": "v1"}},
		{name: "unknown tag", status: 400, body: map[string]any{"tag": "v2"}},
		{name: "default branch", status: 201},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := c.in(t).do(test.status, http.MethodPost, "/project/gh/acme/api/pipeline", test.body)
			if test.status == http.StatusBadRequest && r.body["message"] != "Branch not found" {
				t.Errorf("got %s, want Branch not found", r.text)
			}
		})
	}

	var revisions []string
	for _, p := range c.Pipelines()[1:] {
		revisions = append(revisions, p.Revision)
	}

	if want := []string{"abc", "def", "abc"}; !slices.Equal(revisions, want) {
		t.Errorf("got revisions %q, want %q", revisions, want)
	}
}

// TestServer_AuthenticationAndContentType covers a bad token and a missing Content-Type.
func TestServer_AuthenticationAndContentType(t *testing.T) {
	c := start(t, circleci.Options{AnyProject: true})
	id := c.run(nil)
	send := func(method, path, header, token, body string) reply {
		request, err := http.NewRequestWithContext(t.Context(), method, c.URL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}

		request.Header.Set(header, token)
		r, err := c.send(request)
		if err != nil {
			t.Fatal(err)
		}

		return r
	}

	r := send("GET", "/me", "Authorization", "Bearer "+circleci.DefaultToken, "")
	if r.body["login"] != "seraph-bot" {
		t.Errorf("got %s for a bearer token, want the login seraph-bot", r.text)
	}

	for request, status := range map[string]int{
		"GET /me":                                401,
		"POST /project/gh/acme/api/pipeline/run": 401,
		"GET /pipeline/" + id + "/workflow":      401,
		"GET /project/gh/acme/api":               404,
		"POST /project/gh/acme/api/pipeline":     404,
	} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			if r := send(method, path, "Circle-Token", "wrong", ""); r.status != status {
				t.Errorf("got %d, want %d", r.status, status)
			}
		})
	}

	send(
		"POST",
		"/project/gh/acme/api/pipeline",
		"Circle-Token",
		circleci.DefaultToken,
		`{"branch":"x","parameters":{"a":1}}`,
	)

	if got := c.Triggers()[1]; got.Branch != "main" || len(got.Parameters) != 0 {
		t.Errorf("got %+v without a Content-Type, want the default branch and no parameters", got)
	}
}

// TestServer_CancelRerunApprove cancels, reruns and approves over HTTP.
func TestServer_CancelRerunApprove(t *testing.T) {
	c := start(t, circleci.Options{AnyProject: true})
	held := c.run(map[string]any{circleci.ScenarioParameter: "hold-forever"})
	p := c.await(held, func(p circleci.Pipeline) bool { return len(p.Workflows) == 1 })
	workflow := "/workflow/" + p.Workflows[0].ID
	jobs, _ := c.all(workflow + "/job")
	if len(jobs) != 2 || jobs[0]["type"] != "approval" || jobs[1]["status"] != "blocked" {
		t.Errorf("got %v", jobs)
	}

	c.do(http.StatusBadRequest, http.MethodPost, workflow+"/rerun", nil)
	c.do(http.StatusAccepted, http.MethodPost, workflow+"/approve/"+jobs[0]["approval_request_id"].(string), nil)
	c.await(held, func(p circleci.Pipeline) bool { return p.Workflows[0].Status == "success" })
	again := c.do(http.StatusAccepted, http.MethodPost, workflow+"/rerun", map[string]any{"from_failed": true})
	p = c.await(
		held,
		func(p circleci.Pipeline) bool { return len(p.Workflows) == 2 && p.Workflows[1].Status == "success" },
	)

	if p.Workflows[1].ID != again.body["workflow_id"] || !p.Workflows[1].CreatedAt.After(p.Workflows[0].CreatedAt) {
		t.Errorf("got %+v", p.Workflows)
	}

	for _, name := range []string{"forever", "cancel-slow"} {
		t.Run(name, func(t *testing.T) {
			c := c.in(t)
			id := c.run(map[string]any{circleci.ScenarioParameter: name})
			p := c.await(id, func(p circleci.Pipeline) bool { return len(p.Workflows) == 1 })
			c.do(http.StatusAccepted, http.MethodPost, "/workflow/"+p.Workflows[0].ID+"/cancel", nil)
			c.await(id, func(p circleci.Pipeline) bool { return p.Workflows[0].Status == "canceled" })
		})
	}

	if len(c.Cancels()) != 2 || len(c.Violations()) != 0 || c.Calls()[circleci.OpCancel] != 2 {
		t.Errorf("got cancels %v, violations %v, calls %v", c.Cancels(), c.Violations(), c.Calls())
	}
}

// TestServer_ApproveOneOfTwo approves the jobs of a workflow one by one.
func TestServer_ApproveOneOfTwo(t *testing.T) {
	c := start(t, circleci.Options{AnyProject: true})
	id := c.run(map[string]any{circleci.ScenarioParameter: "two-holds"})
	p := c.await(id, func(p circleci.Pipeline) bool { return len(p.Workflows) == 1 })
	workflow := "/workflow/" + p.Workflows[0].ID
	jobs, _ := c.all(workflow + "/job")
	if len(jobs) != 3 || jobs[0]["name"] != "check-plan" || jobs[1]["name"] != "go-live" {
		t.Fatalf("got %v, want two approval jobs and a build job", jobs)
	}

	approve := func(want, job int) {
		c.do(want, http.MethodPost, workflow+"/approve/"+jobs[job]["approval_request_id"].(string), nil)
	}
	approve(http.StatusAccepted, 1)
	approve(http.StatusBadRequest, 1)
	if jobs, _ := c.all(workflow + "/job"); jobs[0]["status"] != "on_hold" || jobs[1]["status"] != "success" {
		t.Errorf("got %v, want the first job on hold and the second approved", jobs)
	}

	c.do(http.StatusNotFound, http.MethodPost, workflow+"/approve/"+jobs[0]["id"].(string), nil)
	approve(http.StatusAccepted, 0)
	c.await(id, func(p circleci.Pipeline) bool { return p.Workflows[0].Status == "success" })
	if v := c.Violations(); len(v) != 0 {
		t.Errorf("got violations %v", v)
	}
}

// TestServer_LooksUpPipelines covers the ways to find the pipeline of a trigger without a response.
func TestServer_LooksUpPipelines(t *testing.T) {
	c := start(t, circleci.Options{AnyProject: true})
	const slug = "gh/acme/api"
	mine := c.run(map[string]any{"seraph_key": "k-1"})
	unrelated, other := c.AddUnrelatedPipeline(slug, "main"), c.AddPipelineOfUser(slug, "dev", "octocat")
	ids := func(path string) (out []string) {
		items, _ := c.all("/project/" + slug + path)
		for _, item := range items {
			out = append(out, item["id"].(string))
		}

		return out
	}

	if got := ids("/pipeline"); !slices.Equal(got, []string{other, unrelated, mine}) {
		t.Errorf("got pipelines %q", got)
	}
	if got := ids("/pipeline/mine"); !slices.Equal(got, []string{unrelated, mine}) {
		t.Errorf("got own pipelines %q", got)
	}
	if got := c.get("/project/" + slug + "/pipeline?branch=dev")["items"].([]any); len(got) != 1 {
		t.Errorf("got %v on branch dev, want one pipeline", got)
	}
	if got := c.get("/project/" + slug + "/pipeline/1")["id"]; got != mine {
		t.Errorf("got %v as number 1, want %v", got, mine)
	}

	shows := func(what string) bool {
		return strings.Contains(c.do(http.StatusOK, http.MethodGet, "/pipeline/"+mine+what, nil).text, "k-1")
	}
	if shows("") || shows("/values") || !shows("/config") {
		t.Error("want parameters only in the config by default")
	}

	c.ValuesShowParameters(true)
	c.ConfigShowsParameters(false)
	if !shows("/values") || shows("/config") {
		t.Error("want parameters only in the values after the change")
	}

	c.ConfigUnreadable(slug)
	c.do(http.StatusForbidden, http.MethodGet, "/pipeline/"+mine+"/config", nil)
	if got := c.ByParameter("seraph_key"); len(got) != 1 || !slices.Equal(got["k-1"], []string{mine}) {
		t.Errorf("got %v", got)
	}

	c.MineEmpty(slug)
	if len(ids("/pipeline/mine")) != 0 || len(ids("/pipeline")) != 3 {
		t.Error("want only the list of own pipelines empty")
	}

	c.ListsEmpty(slug)
	if len(ids("/pipeline")) != 0 {
		t.Error("want all lists empty")
	}
}
