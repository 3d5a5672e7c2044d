package server

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/command"
)

// aliceActor is the actor field of a request for alice.
const aliceActor = `"actor":{"id":1,"login":"alice"}`

// apiCase is one request to the API and what it does. The answers are compared with
// api/openapi.yaml on the way.
type apiCase struct {
	name   string
	token  string
	method string
	path   string
	body   string
	code   int
	called string // what the service was called with; empty: it was not called
}

func runAPI(t *testing.T, cases []apiCase) {
	t.Helper()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	s := newTestServer(t, func(o *Options) { o.Now = func() time.Time { return now } })
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			s.commands.called = ""
			got := s.api(t, test.token, test.method, test.path, test.body)
			if got.code != test.code {
				t.Errorf("got %d %s, want %d", got.code, got.body, test.code)
			}
			if s.commands.called != test.called {
				t.Errorf("got call %q, want %q", s.commands.called, test.called)
			}
		})
	}
}

func TestCommand_Caller(t *testing.T) {
	const approve = "/deployments/42/approve"
	runAPI(t, []apiCase{
		{
			name:   "the token itself",
			token:  deployToken,
			method: "POST",
			path:   approve,
			body:   `{"comment":"fine"}`,
			code:   200,
			called: "approve api:0::deployer:false 42 fine",
		},
		{
			name:   "a person",
			token:  behalfToken,
			method: "POST",
			path:   approve,
			body:   "{" + aliceActor + "}",
			code:   200,
			called: "approve api:1:alice:behalfer:false 42 ",
		},
		{
			name:   "deploy may not name a person",
			token:  deployToken,
			method: "POST",
			path:   approve,
			body:   "{" + aliceActor + "}",
			code:   403,
		},
		{
			name:   "admin may not name a person",
			token:  adminToken,
			method: "POST",
			path:   approve,
			body:   "{" + aliceActor + "}",
			code:   403,
		},
		{name: "behalf must name a person", token: behalfToken, method: "POST", path: approve, body: "{}", code: 400},
		{
			name:   "a person needs an id",
			token:  behalfToken,
			method: "POST",
			path:   approve,
			body:   `{"actor":{"login":"alice"}}`,
			code:   400,
		},
		{
			name:   "a person needs a login",
			token:  behalfToken,
			method: "POST",
			path:   approve,
			body:   `{"actor":{"id":1}}`,
			code:   400,
		},
		{
			name:   "a login that nobody can have",
			token:  behalfToken,
			method: "POST",
			path:   approve,
			body:   `{"actor":{"id":1,"login":"alice\u202e"}}`,
			code:   400,
		},
		{
			name:   "a login that is too long",
			token:  behalfToken,
			method: "POST",
			path:   approve,
			body:   `{"actor":{"id":1,"login":"` + strings.Repeat("a", maxLogin+1) + `"}}`,
			code:   400,
		},
		{name: "read may not run commands", token: readToken, method: "POST", path: approve, body: "{}", code: 403},
	})
}

func TestCommand_Body(t *testing.T) {
	const force = "/deployments/42/force"
	runAPI(t, []apiCase{
		{
			name:   "empty",
			token:  deployToken,
			method: "POST",
			path:   "/deployments/42/approve",
			code:   200,
			called: "approve api:0::deployer:false 42 ",
		},
		{
			name:   "null",
			token:  adminToken,
			method: "POST",
			path:   force,
			body:   `null`,
			code:   202,
			called: "force api:0::adminer:true 42 ",
		},
		{name: "misspelt field", token: adminToken, method: "POST", path: force, body: `{"reson":"fire"}`, code: 400},
		{
			name:   "field of another command",
			token:  deployToken,
			method: "POST",
			path:   "/deployments/42/approve",
			body:   `{"reason":"fine"}`,
			code:   400,
		},
		{
			name:   "two documents",
			token:  adminToken,
			method: "POST",
			path:   force,
			body:   `{"reason":"fire"}{}`,
			code:   400,
		},
		{name: "wrong type", token: adminToken, method: "POST", path: force, body: `{"reason":1}`, code: 400},
		{name: "list", token: adminToken, method: "POST", path: force, body: `[]`, code: 400},
		{name: "NUL", token: adminToken, method: "POST", path: force, body: `{"reason":"a\u0000b"}`, code: 400},
		{
			name:   "NUL in a nested text",
			token:  deployToken,
			method: "POST",
			path:   "/locks/3/hand-over",
			body:   `{"to":{"id":1,"login":"a\u0000"}}`,
			code:   400,
		},
		{
			name:   "not UTF-8",
			token:  deployToken,
			method: "POST",
			path:   "/locks",
			body:   `{"repository":"acme/api","environment":"a` + "\xff" + `","reason":"x"}`,
			code:   400,
		},
		{
			name:   "escaped backslash, which is no NUL",
			token:  adminToken,
			method: "POST",
			path:   force,
			body:   `{"reason":"a\\u0000b"}`,
			code:   202,
			called: `force api:0::adminer:true 42 a\u0000b`,
		},
		{
			name:   "too large",
			token:  adminToken,
			method: "POST",
			path:   force,
			body:   `{"reason":"` + strings.Repeat("x", maxCommandBody) + `"}`,
			code:   413,
		},
	})
}

// A refused command keeps its code and message. Our own faults are not shown.
func TestCommand_Errors(t *testing.T) {
	refused := func(kind command.Kind) error {
		return &command.Error{Kind: kind, Code: "because", Message: "just so"}
	}
	const shown = `{"error":{"code":"because","message":"just so"}}`

	for _, test := range []struct {
		name string
		err  error
		code int
		want string
	}{
		{name: "invalid", err: refused(command.KindInvalid), code: 422, want: shown},
		{name: "forbidden", err: refused(command.KindForbidden), code: 403, want: shown},
		{name: "not found", err: refused(command.KindNotFound), code: 404, want: shown},
		{name: "conflict", err: refused(command.KindConflict), code: 409, want: shown},
		{
			name: "our own fault",
			err:  errors.New("the database's password is hunter2"),
			code: 503,
			want: `{"error":{"code":"unavailable","message":"this could not be done now; try again"}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestServer(t)
			s.commands.err = test.err
			got := s.api(t, deployToken, http.MethodPost, "/deployments/42/cancel", "")
			if got.code != test.code || got.body != test.want {
				t.Errorf("got %d %s, want %d %s", got.code, got.body, test.code, test.want)
			}
		})
	}
}

func FuzzReadCommand(f *testing.F) {
	for _, s := range []string{
		"",
		"{}",
		`{"actor":{"id":1,"login":"a"},"reason":"x","expires_in":"1h"}`,
		`{"repository":null,"steal":true}`,
		`{"reason":"\u0000"}`,
	} {
		f.Add(s)
	}

	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.NewRequest(http.MethodPost, "/", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}

		req, err := readDocument[api.TakeLockRequest](nil, r, maxCommandBody)
		var e *apiError
		if err != nil && (!errors.As(err, &e) || e.status != http.StatusBadRequest && e.status != http.StatusRequestEntityTooLarge) {
			t.Errorf("%q: got %v, want 400 or 413", text, err)
		}

		for _, field := range []string{req.Repository, req.Environment, req.Reason, req.ExpiresIn} {
			if strings.ContainsRune(field, 0) {
				t.Errorf("%q: a field has a NUL", text)
			}
		}

		now := time.Unix(0, 0)
		until, err := expiry(req.Expiry, now)
		if err == nil && req.ExpiresIn != "" && !until.After(now) {
			t.Errorf("%q: got end %s, want a later one", text, until)
		}
	})
}
