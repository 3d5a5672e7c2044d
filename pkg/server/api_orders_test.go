package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

const testOrder = `"repository":"acme/api","ref":"main","environment":"production"`

func TestDeploy_Call(t *testing.T) {
	const order = "{Repository:acme/api Ref:main Environment:production Task: Payload:[] Reason: Force:false SHA: "
	runAPI(t, []apiCase{
		{
			name:   "the token itself",
			token:  deployToken,
			method: "POST",
			path:   "/deployments",
			body:   "{" + testOrder + "}",
			code:   201,
			called: "deploy api:0::deployer:false " + order + "Origin:{Key: Via: Place: Text:}}",
		},
		{
			name:   "a person",
			token:  behalfToken,
			method: "POST",
			path:   "/deployments",
			body:   "{" + aliceActor + "," + testOrder + "}",
			code:   201,
			called: "deploy api:1:alice:behalfer:false " + order + "Origin:{Key: Via:behalfer Place: Text:}}",
		},
		{name: "nobody", token: behalfToken, method: "POST", path: "/deployments", body: "{" + testOrder + "}", code: 400},
		{name: "may only read", token: readToken, method: "POST", path: "/deployments", body: "{" + testOrder + "}", code: 403},
		{
			name:   "unknown field",
			token:  deployToken,
			method: "POST",
			path:   "/deployments",
			body:   `{"enviroment":"production"}`,
			code:   400,
		},
		{
			name:   "a payload of 70 KiB",
			token:  deployToken,
			method: "POST",
			path:   "/deployments",
			body:   `{"payload":{"a":"` + strings.Repeat("x", 70<<10) + `"}}`,
			code:   413,
		},
		{
			name:   "rollback",
			token:  behalfToken,
			method: "POST",
			path:   "/rollbacks",
			body:   "{" + aliceActor + `,"repository":"acme/api","environment":"production","to":"#41","current":42}`,
			code:   201,
			called: "rollback api:1:alice:behalfer:false {Repository:acme/api Environment:production To:#41 " +
				"Reason: Force:false Current:42 Failed:0 Origin:{Key: Via:behalfer Place: Text:}}",
		},
		{
			name:   "what became of it",
			token:  readToken,
			method: "GET",
			path:   "/requests/message%2F1",
			code:   200,
			called: "request api:0::reader:false message/1",
		},
		{name: "a key that is no text", token: readToken, method: "GET", path: "/requests/%ff", code: 400},
	})
}

func TestDeploy_IdempotencyKey(t *testing.T) {
	s := newTestServer(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/deployments",
		strings.NewReader("{"+testOrder+"}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+deployToken)
	req.Header.Set("Idempotency-Key", "message 1")

	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if !strings.Contains(s.commands.called, "Origin:{Key:message 1 ") {
		t.Errorf("got call %q, want it to have the key", s.commands.called)
	}
}

func TestDeploy_Answer(t *testing.T) {
	rejected := policy.Verdict{
		Decision: policy.DecisionReject,
		Outcomes: []policy.Outcome{{
			Rule:     policy.RuleAllow,
			Decision: policy.DecisionReject,
			Code:     policy.CodeNotAllowed,
			Message:  "alice is not allowed to deploy",
		}},
	}
	for _, test := range []struct {
		name       string
		unanswered bool
		err        error
		code       int
		deployment bool
		verdict    string // its decision
		problem    string // its code
	}{
		{name: "created", code: 201, deployment: true, verdict: "wait"},
		{name: "not known yet", unanswered: true, code: 202, verdict: "wait"},
		{
			name:    "rejected",
			err:     &command.Error{Kind: command.KindConflict, Code: "rejected", Message: "no", Verdict: &rejected},
			code:    409,
			verdict: "reject",
			problem: "rejected",
		},
		{
			name:    "moved",
			err:     &command.Error{Kind: command.KindConflict, Code: "ref_moved", Message: "main is elsewhere"},
			code:    409,
			problem: "ref_moved",
		},
		{
			name:    "no such ref",
			err:     &command.Error{Kind: command.KindInvalid, Code: "no_such_ref", Message: "no branch x"},
			code:    422,
			problem: "no_such_ref",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var refused []string
			s := newTestServer(t, func(o *Options) {
				o.ObserveRefused = func(code string) { refused = append(refused, code) }
			})
			s.commands.unanswered, s.commands.err = test.unanswered, test.err

			got := s.api(t, deployToken, "POST", "/deployments", "{"+testOrder+"}")
			if got.code != test.code {
				t.Fatalf("got %d %s, want %d", got.code, got.body, test.code)
			}

			var answer struct {
				api.DeployResponse
				Error api.Error `json:"error"`
			}
			if err := json.Unmarshal([]byte(got.body), &answer); err != nil {
				t.Fatal(err)
			}
			if (answer.Deployment != nil) != test.deployment || answer.Error.Code != test.problem {
				t.Errorf("got deployment %v, problem %q, want %v, %q",
					answer.Deployment, answer.Error.Code, test.deployment, test.problem)
			}
			if test.err == nil && answer.Request != "key-1" {
				t.Errorf("got request %q, want key-1", answer.Request)
			}
			if decision := answer.Verdict; (decision == nil) != (test.verdict == "") ||
				decision != nil && decision.Decision != test.verdict {
				t.Errorf("got verdict %+v, want %q", decision, test.verdict)
			}
			if counted := len(refused) == 1; counted != (test.verdict == "reject") {
				t.Errorf("got %v counted as refused, want that of rules alone", refused)
			}
		})
	}
}
