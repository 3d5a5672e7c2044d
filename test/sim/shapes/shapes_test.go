package shapes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

// TestCheck_Violations sends correct and wrong calls through Check to a server with a fixed response.
func TestCheck_Violations(t *testing.T) {
	shapes.Need(t)
	const statuses = "/repos/acme/api/deployments/42/statuses"
	cases := map[string]struct {
		method, path, body string
		status             int
		answer             string
		violation          string // part of the message; empty: none
	}{
		"correct": {method: "POST", path: statuses, body: `{"state":"queued"}`, status: 500, answer: `{}`},
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
		"invalid id": {
			method:    "GET",
			path:      "/repos/acme/api/deployments/x",
			status:    404,
			answer:    `{"message":"Not Found"}`,
			violation: "deployment_id",
		},
		"correct list": {method: "GET", path: statuses, status: 200, answer: `[]`},
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
		"correct error": {
			method: "POST",
			path:   statuses,
			body:   `{"state":"queued"}`,
			status: 422,
			answer: `{"message":"m","documentation_url":"d"}`,
		},
		"wrong error": {
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
					t.Errorf("got body %q in the handler, want %q", body, c.body)
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
				t.Errorf("got %d %q, want %d %q", got.Code, got.Body, c.status, c.answer)
			}

			joined := strings.Join(violations, "; ")
			if (c.violation == "") != (joined == "") || !strings.Contains(joined, c.violation) {
				t.Errorf("got violations %q, want %q", joined, c.violation)
			}
		})
	}
}

// TestWebhook_OfficialSamples checks GitHub's samples against GitHub's schema. Three of the eight are older
// than the schema.
func TestWebhook_OfficialSamples(t *testing.T) {
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
		t.Errorf("got %d samples that do not match the schema, want 3", old)
	}

	for _, event := range []string{"ping", "status", "check_run", "workflow_job"} {
		t.Run(event, func(t *testing.T) {
			if len(examples[event]) == 0 {
				t.Error("got no sample")
			}
		})
	}

	if err := shapes.Webhook("deployment", []byte(`{"action":"created"}`)); err == nil {
		t.Error("got no error for a payload without deployment")
	}
}
