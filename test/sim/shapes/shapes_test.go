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
		"right": {method: "POST", path: statuses, body: `{"state":"queued"}`, status: 500, answer: `{}`},
		"below a base path": {
			method: "POST",
			path:   "/api/v3" + statuses,
			body:   `{"state":"queued"}`,
			status: 500,
			answer: `{}`,
		},
		"repository by id": {
			method: "POST",
			path:   "/repositories/7/deployments/42/statuses",
			body:   `{"state":"queued"}`,
			status: 500,
			answer: `{}`,
		},
		"unknown state": {
			method:    "POST",
			path:      statuses,
			body:      `{"state":"done"}`,
			status:    500,
			answer:    `{}`,
			violation: "/state: value is not one of the allowed values",
		},
		"missing state": {
			method:    "POST",
			path:      statuses,
			body:      `{}`,
			status:    500,
			answer:    `{}`,
			violation: `property "state" is missing`,
		},
		"no body": {
			method:    "POST",
			path:      statuses,
			status:    500,
			answer:    `{}`,
			violation: "value is required but missing",
		},
		"wrong type": {
			method:    "POST",
			path:      statuses,
			body:      `{"state":"queued","auto_inactive":"yes"}`,
			status:    500,
			answer:    `{}`,
			violation: "/auto_inactive: value must be a boolean",
		},
		"unknown path": {
			method:    "GET",
			path:      "/repos/acme/api/deploy",
			status:    404,
			answer:    `{}`,
			violation: "no matching operation was found",
		},
		"unknown method": {
			method:    "PATCH",
			path:      statuses,
			body:      `{}`,
			status:    404,
			answer:    `{}`,
			violation: "method not allowed",
		},
		"id that is none": {
			method:    "GET",
			path:      "/repos/acme/api/deployments/x",
			status:    404,
			answer:    `{"message":"Not Found"}`,
			violation: "deployment_id",
		},
		"right list": {method: "GET", path: statuses, status: 200, answer: `[]`},
		"wrong list": {
			method:    "GET",
			path:      statuses,
			status:    200,
			answer:    `{}`,
			violation: "answer 200: response body doesn't match schema: /: value must be an array",
		},
		"list of something else": {
			method:    "GET",
			path:      statuses,
			status:    200,
			answer:    `[{"id":1}]`,
			violation: `property "state" is missing`,
		},
		"error that is right": {
			method: "POST",
			path:   statuses,
			body:   `{"state":"queued"}`,
			status: 422,
			answer: `{"message":"m","documentation_url":"d"}`,
		},
		"error that is wrong": {
			method:    "POST",
			path:      statuses,
			body:      `{"state":"queued"}`,
			status:    422,
			answer:    `{"error":"m"}`,
			violation: `property "message" is missing`,
		},
		"an optional body of null": {
			method: "POST",
			path:   "/app/installations/1/access_tokens",
			body:   `null`,
			status: 201,
			answer: `{"token":"t","expires_at":"e"}`,
		},
		"an optional body is wrong": {
			method:    "POST",
			path:      "/app/installations/1/access_tokens",
			body:      `[]`,
			status:    500,
			answer:    `{}`,
			violation: "value must be an object",
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
