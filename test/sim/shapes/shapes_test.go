package shapes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

// TestCheck sends right and wrong calls through Check to a server that answers what the case says.
func TestCheck(t *testing.T) {
	shapes.Need(t)
	const statuses = "/repos/acme/api/deployments/42/statuses"
	cases := map[string]struct {
		method, path, body string
		status             int
		answer             string
		violation          string // part of it; empty: none
	}{
		"right":             {"POST", statuses, `{"state":"queued"}`, 500, `{}`, ""},
		"below a base path": {"POST", "/api/v3" + statuses, `{"state":"queued"}`, 500, `{}`, ""},
		"repository by id": {
			"POST",
			"/repositories/7/deployments/42/statuses",
			`{"state":"queued"}`,
			500,
			`{}`,
			"",
		},
		"unknown state": {
			"POST",
			statuses,
			`{"state":"done"}`,
			500,
			`{}`,
			"/state: value is not one of the allowed values",
		},
		"missing state": {"POST", statuses, `{}`, 500, `{}`, `property "state" is missing`},
		"no body":       {"POST", statuses, ``, 500, `{}`, "value is required but missing"},
		"wrong type": {
			"POST",
			statuses,
			`{"state":"queued","auto_inactive":"yes"}`,
			500,
			`{}`,
			"/auto_inactive: value must be a boolean",
		},
		"unknown path": {
			"GET",
			"/repos/acme/api/deploy",
			``,
			404,
			`{}`,
			"no matching operation was found",
		},
		"unknown method": {"PATCH", statuses, `{}`, 404, `{}`, "method not allowed"},
		"id that is none": {
			"GET",
			"/repos/acme/api/deployments/x",
			``,
			404,
			`{"message":"Not Found"}`,
			"deployment_id",
		},
		"right list": {"GET", statuses, ``, 200, `[]`, ""},
		"wrong list": {
			"GET",
			statuses,
			``,
			200,
			`{}`,
			"answer 200: response body doesn't match schema: /: value must be an array",
		},
		"list of something else": {"GET", statuses, ``, 200, `[{"id":1}]`, `property "state" is missing`},
		"error that is right": {
			"POST",
			statuses,
			`{"state":"queued"}`,
			422,
			`{"message":"m","documentation_url":"d"}`,
			"",
		},
		"error that is wrong": {
			"POST",
			statuses,
			`{"state":"queued"}`,
			422,
			`{"error":"m"}`,
			`property "message" is missing`,
		},
		"an optional body of null": {
			"POST",
			"/app/installations/1/access_tokens",
			`null`,
			201,
			`{"token":"t","expires_at":"e"}`,
			"",
		},
		"an optional body is wrong": {
			"POST",
			"/app/installations/1/access_tokens",
			`[]`,
			500,
			`{}`,
			"value must be an object",
		},
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var violations []string
			inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if body, _ := io.ReadAll(r.Body); string(body) != c.body {
					t.Errorf("the handler got the body %q", body)
				}

				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				w.WriteHeader(c.status)
				io.WriteString(w, c.answer)
			})

			req := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			if c.body != "" {
				req.Header.Set("Content-Type", "application/json")
			}

			got := httptest.NewRecorder()
			shapes.Check(inner, func(v string) { violations = append(violations, v) }).ServeHTTP(got, req)
			if got.Code != c.status || got.Body.String() != c.answer {
				t.Errorf("passed on %d %q", got.Code, got.Body)
			}

			joined := strings.Join(violations, "; ")
			if (c.violation == "") != (joined == "") || !strings.Contains(joined, c.violation) {
				t.Errorf("violations %q, want %q", joined, c.violation)
			}
		})
	}
}

// TestOfficialSamples holds GitHub's samples against GitHub's schema: of the eight, three are older
// than the schema.
func TestOfficialSamples(t *testing.T) {
	shapes.Need(t)
	examples, old := shapes.Examples(t), 0
	for _, event := range []string{"deployment", "deployment_status"} {
		for _, sample := range examples[event] {
			if err := shapes.Webhook(event, sample); err != nil {
				old++
			}
		}
	}

	if old != 3 {
		t.Errorf("%d samples do not fit the schema, want 3", old)
	}

	for _, event := range []string{"ping", "status", "check_run", "workflow_job"} {
		if len(examples[event]) == 0 {
			t.Errorf("no sample of %s", event)
		}
	}

	if err := shapes.Webhook("deployment", []byte(`{"action":"created"}`)); err == nil {
		t.Error("a payload without deployment fits the schema")
	}
}
