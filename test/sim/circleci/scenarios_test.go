package circleci_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// finalStatuses are the workflows at the end of each scenario that creates a pipeline, or where it stops.
var finalStatuses = map[string][]string{
	"success":                {"deploy success"},
	"fail":                   {"deploy failed"},
	"slow-success":           {"deploy success"},
	"empty-then-success":     {"deploy success"},
	"two-workflows":          {"deploy success", "verify failed"},
	"setup-success":          {"setup success", "deploy success"},
	"setup-no-continuation":  {"setup success"},
	"hold-then-success":      {"deploy success"},
	"hold-then-fail":         {"deploy failed"},
	"hold-forever":           {"deploy on_hold"},
	"approve-then-fail":      {"deploy on_hold"},
	"two-holds":              {"deploy on_hold"},
	"queued":                 {"deploy success"},
	"unknown-status":         {"deploy success"},
	"null-status":            {"deploy success"},
	"error":                  {"deploy error"},
	"unauthorized":           {"deploy unauthorized"},
	"canceled":               {"deploy canceled"},
	"not-run":                {"deploy not_run"},
	"not-run-beside-success": {"deploy success", "notify not_run"},
	"failing":                {"deploy failed"},
	"auto-rerun":             {"deploy failed", "deploy success"},
	"auto-rerun-never":       {"deploy failed"},
	"forever":                {"deploy running"},
	"cancel-slow":            {"deploy running"},
	"cancel-ignored":         {"deploy running"},
	"moved":                  {"deploy success"},
	"odd-name":               {"\ufeffde\x00ploy failed"},
	"config-error":           nil,
	"odd-error":              nil,
	"undeclared-parameter":   nil,
	"no-workflows":           nil,
	"manual":                 nil,
}

// refusals are the responses of the scenarios that create no pipeline.
var refusals = map[string]int{
	"refused-parameter": http.StatusBadRequest,
	"ci-skip":           http.StatusOK,
	"blocked":           http.StatusBadRequest,
	"odd-refusal":       http.StatusBadRequest,
	"rate-limited":      http.StatusTooManyRequests,
}

// TestScenarios_EndAsExpected plays every scenario by its parameter and reads the result over HTTP.
func TestScenarios_EndAsExpected(t *testing.T) {
	c := start(t, circleci.Options{})
	c.AddProject("gh/acme/api", "main")
	for _, s := range circleci.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			c := c.in(t)
			if status, ok := refusals[s.Name]; ok {
				c.wantRefused(s.Name, status)
				return
			}

			want, known := finalStatuses[s.Name]
			if !known && s.Name != "many-workflows" {
				t.Fatal("the scenario is not in finalStatuses")
			}

			id := c.run(map[string]any{circleci.ScenarioParameter: s.Name})
			c.await(id, func(p circleci.Pipeline) bool {
				if s.Name == "many-workflows" {
					return len(p.Workflows) == 45 && p.Workflows[44].Status == "success"
				}

				return slices.Equal(statuses(p), want) && (p.State != "pending" || s.Name == "manual")
			})

			items, pages := c.all("/pipeline/" + id + "/workflow")
			if s.Name == "many-workflows" {
				want = make([]string, 45)
			}
			if len(items) != len(want) || pages != 1+len(items)/circleci.PageSize {
				t.Errorf("got %d workflows on %d pages, want %d workflows", len(items), pages, len(want))
			}
		})
	}

	if v := c.Violations(); len(v) > 0 {
		t.Errorf("got violations %q, want none", v)
	}
}

func (c client) wantRefused(scenario string, status int) {
	c.t.Helper()
	before := len(c.Pipelines())
	body := map[string]any{"parameters": map[string]any{circleci.ScenarioParameter: scenario}}
	r := c.do(status, http.MethodPost, "/project/gh/acme/api/pipeline", body)
	if scenario != "rate-limited" {
		if r.body["message"] == "" || len(c.Pipelines()) != before {
			c.t.Errorf("got %s and %d more pipelines", r.text, len(c.Pipelines())-before)
		}

		return
	}

	if r.text != "Rate limited." || r.header.Get("Retry-After") != "1" {
		c.t.Errorf("got %q and %v", r.text, r.header)
	}

	c.do(http.StatusCreated, http.MethodPost, "/project/gh/acme/api/pipeline", body)
}

// TestScenarios_ErroredAndMoved covers what scenarios change in the pipeline itself.
func TestScenarios_ErroredAndMoved(t *testing.T) {
	c := start(t, circleci.Options{})
	c.AddProject("gh/acme/api", "main")
	for _, name := range []string{"undeclared-parameter", "moved"} {
		if err := c.Expect("github/acme/api", name); err != nil {
			t.Fatal(err)
		}
	}

	id := c.run(map[string]any{"hosts": "web-1"})
	c.await(id, func(p circleci.Pipeline) bool { return p.State == "errored" })
	errors := c.get("/pipeline/" + id)["errors"].([]any)
	if got := errors[0].(map[string]any)["message"]; got != "Unexpected argument(s): hosts" {
		t.Errorf("got %v", got)
	}

	moved := c.get("/pipeline/" + c.run(nil))
	if got := moved["vcs"].(map[string]any)["revision"]; got == circleci.RevisionOf("main") || got == "" {
		t.Errorf("got %v, want another commit than the branch's", got)
	}
	if c.Expect("gh/acme/api", "no such") == nil {
		t.Error("want an error for an unknown scenario")
	}
}
