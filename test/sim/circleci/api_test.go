package circleci_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// TestStrict refuses what the reference does not allow, and notes it.
func TestStrict(t *testing.T) {
	many := map[string]any{}
	for i := range 101 {
		many[strings.Repeat("a", i+1)] = 1
	}

	const classic, run = "/project/gh/acme/api/pipeline", "/project/gh/acme/api/pipeline/run"
	for name, call := range map[string]struct {
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
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, circleci.Options{AnyProject: true})
			c.do(http.StatusBadRequest, http.MethodPost, call.path, call.body)
			if len(c.Violations()) != 1 || len(c.Pipelines()) != 0 {
				t.Errorf("got %q and %d pipelines", c.Violations(), len(c.Pipelines()))
			}
		})
	}

	c := start(t, circleci.Options{AnyProject: true})
	c.do(http.StatusNotFound, http.MethodGet, "/pipelines", nil)
	c.run(map[string]any{"a": strings.Repeat("v", 512), strings.Repeat("n", 128): true, "i": 7})
	if len(c.Violations()) != 1 || c.Triggers()[0].Parameters["i"] != int64(7) {
		t.Errorf("got %q and %+v", c.Violations(), c.Triggers())
	}
}

// TestDate is the Date of CircleCI's own clock, which callers may set theirs by.
func TestDate(t *testing.T) {
	ahead := time.Now().Add(10 * time.Minute).Truncate(time.Second)
	c := start(t, circleci.Options{Now: func() time.Time { return ahead }})
	for path, status := range map[string]int{"/me": http.StatusOK, "/nowhere": http.StatusNotFound} {
		date, err := http.ParseTime(c.do(status, http.MethodGet, path, nil).header.Get("Date"))
		if err != nil || !date.Equal(ahead) {
			t.Errorf("%s: the date is %v (%v), want %v", path, date, err, ahead)
		}
	}
}

// TestProjects covers spellings, definitions, the routes a project has, branches and tags.
func TestProjects(t *testing.T) {
	c := start(t, circleci.Options{})
	oauth, app := c.AddProject("github/acme/api", "main"), c.AddProject("circleci/Org1/Proj1", "main")
	if c.AddProject("gh/acme/api", "main") != oauth || oauth.Slug != "gh/acme/api" {
		t.Errorf("two spellings, two projects: %+v", oauth)
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
	for _, try := range []struct {
		status int
		body   map[string]any
	}{
		{status: 400, body: at},
		{status: 201, body: at},
		{status: 400, body: map[string]any{"branch": "other"}},
		{status: 201, body: map[string]any{"tag": "v1"}},
		{status: 400, body: map[string]any{"tag": "v2"}},
		{status: 201},
	} {
		r := c.do(try.status, http.MethodPost, "/project/gh/acme/api/pipeline", try.body)
		if try.status == http.StatusBadRequest && r.body["message"] != "Branch not found" {
			t.Errorf("got %s", r.text)
		}
	}

	var revisions []string
	for _, p := range c.Pipelines()[1:] {
		revisions = append(revisions, p.Revision)
	}

	if !slices.Equal(revisions, []string{"abc", "def", "abc"}) {
		t.Errorf("got %q", revisions)
	}
}

// TestAuthAndContentType covers what a bad token and a missing Content-Type do.
func TestAuthAndContentType(t *testing.T) {
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

	if r := send("GET", "/me", "Authorization", "Bearer "+circleci.DefaultToken, ""); r.body["login"] != "seraph-bot" {
		t.Errorf("bearer: %s", r.text)
	}

	for path, status := range map[string]int{
		"GET /me":                                401,
		"POST /project/gh/acme/api/pipeline/run": 401,
		"GET /pipeline/" + id + "/workflow":      401,
		"GET /project/gh/acme/api":               404,
		"POST /project/gh/acme/api/pipeline":     404,
	} {
		method, path, _ := strings.Cut(path, " ")
		if r := send(method, path, "Circle-Token", "wrong", ""); r.status != status {
			t.Errorf("%s %s: %d", method, path, r.status)
		}
	}

	send(
		"POST",
		"/project/gh/acme/api/pipeline",
		"Circle-Token",
		circleci.DefaultToken,
		`{"branch":"x","parameters":{"a":1}}`,
	)

	if got := c.Triggers()[1]; got.Branch != "main" || len(got.Parameters) != 0 {
		t.Errorf("without a Content-Type: %+v", got)
	}
}

// TestActions cancels, reruns and approves over HTTP.
func TestActions(t *testing.T) {
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
		id := c.run(map[string]any{circleci.ScenarioParameter: name})
		p := c.await(id, func(p circleci.Pipeline) bool { return len(p.Workflows) == 1 })
		c.do(http.StatusAccepted, http.MethodPost, "/workflow/"+p.Workflows[0].ID+"/cancel", nil)
		c.await(id, func(p circleci.Pipeline) bool { return p.Workflows[0].Status == "canceled" })
	}

	if len(c.Cancels()) != 2 || len(c.Violations()) != 0 || c.Calls()[circleci.OpCancel] != 2 {
		t.Errorf("got %v, %v, %v", c.Cancels(), c.Violations(), c.Calls())
	}
}

// TestLookups covers how a lost trigger can be found again, and how not.
func TestLookups(t *testing.T) {
	c := start(t, circleci.Options{AnyProject: true})
	const slug = "gh/acme/api"
	mine := c.run(map[string]any{"seraph_key": "k-1"})
	stranger, foreign := c.AddUnrelatedPipeline(slug, "main"), c.AddPipelineOfUser(slug, "dev", "octocat")
	ids := func(path string) (out []string) {
		items, _ := c.all("/project/" + slug + path)
		for _, item := range items {
			out = append(out, item["id"].(string))
		}

		return out
	}

	if got := ids("/pipeline"); !slices.Equal(got, []string{foreign, stranger, mine}) {
		t.Errorf("all: %q", got)
	}
	if got := ids("/pipeline/mine"); !slices.Equal(got, []string{stranger, mine}) {
		t.Errorf("mine: %q", got)
	}
	if got := c.get("/project/" + slug + "/pipeline?branch=dev")["items"].([]any); len(got) != 1 {
		t.Errorf("dev: %v", got)
	}
	if got := c.get("/project/" + slug + "/pipeline/1")["id"]; got != mine {
		t.Errorf("first: %v", got)
	}

	shows := func(what string) bool {
		return strings.Contains(c.do(http.StatusOK, http.MethodGet, "/pipeline/"+mine+what, nil).text, "k-1")
	}
	if shows("") || shows("/values") || !shows("/config") {
		t.Error("at first, only the config shows parameters")
	}

	c.ValuesShowParameters(true)
	c.ConfigShowsParameters(false)
	if !shows("/values") || shows("/config") {
		t.Error("then only the values do")
	}

	c.ConfigUnreadable(slug)
	c.do(http.StatusForbidden, http.MethodGet, "/pipeline/"+mine+"/config", nil)
	if got := c.ByParameter("seraph_key"); len(got) != 1 || !slices.Equal(got["k-1"], []string{mine}) {
		t.Errorf("got %v", got)
	}

	c.MineEmpty(slug)
	if len(ids("/pipeline/mine")) != 0 || len(ids("/pipeline")) != 3 {
		t.Error("only mine is to be empty")
	}

	c.ListsEmpty(slug)
	if len(ids("/pipeline")) != 0 {
		t.Error("all lists are to be empty")
	}
}
