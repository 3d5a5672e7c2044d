package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
)

func TestReadyz(t *testing.T) {
	var failing error
	s := newTestServer(t, func(o *Options) {
		o.Ready = func(context.Context) map[string]error { return map[string]error{"database": failing, "queue": nil} }
	})

	got := s.get(t, "/readyz")
	if want := `{"status":"ready","checks":{"database":"ok","queue":"ok"}}`; got.code != 200 || got.body != want {
		t.Errorf("ready: got %d %s, want 200 %s", got.code, got.body, want)
	}

	failing = errors.New("dial db.internal:5432: refused")
	got = s.get(t, "/readyz")
	if got.code != 503 || !strings.Contains(got.body, `"database":"unavailable"`) {
		t.Errorf("database away: got %d %s, want 503 with the check that fails", got.code, got.body)
	}
	if strings.Contains(got.body, "db.internal") {
		t.Errorf("database away: the answer shows the cause: %s", got.body)
	}

	failing = nil
	s.server.Drain()
	if got := s.get(t, "/readyz"); got.code != 503 || !strings.Contains(got.body, "draining") {
		t.Errorf("draining: got %d %s, want 503", got.code, got.body)
	}
	if got := s.deliver(t, deploymentEvent(42, "production")); got.code != 202 {
		t.Errorf("webhook while draining: got %d %s, want 202", got.code, got.body)
	}
	if got := s.get(t, "/healthz"); got.code != 200 || got.body != `{"status":"ok"}` {
		t.Errorf("healthz while draining: got %d %s, want 200", got.code, got.body)
	}
}

// What is not configured, and what never existed, is answered alike.
func TestServer_NotServed(t *testing.T) {
	s := newTestServer(t, func(o *Options) {
		o.CircleCISecrets, o.Slack, o.Tokens, o.ServeMetrics = nil, nil, nil, false
	})
	for _, test := range []struct {
		method string
		path   string
		code   int
		want   string
		allow  string
	}{
		{method: "POST", path: "/webhooks/circleci", code: 404, want: "not_found"},
		{method: "POST", path: "/webhooks/slack", code: 404, want: "not_found"},
		{method: "GET", path: "/api/v1/deployments", code: 404, want: "not_found"},
		{method: "GET", path: "/metrics", code: 404, want: "not_found"},
		{method: "GET", path: "/", code: 404, want: "not_found"},
		{method: "GET", path: "/webhooks/github", code: 405, want: "method_not_allowed", allow: "POST"},
		{method: "DELETE", path: "/healthz", code: 405, want: "method_not_allowed", allow: "GET"},
		{method: "HEAD", path: "/healthz", code: 200},
		{method: "HEAD", path: "/webhooks/github", code: 405, allow: "POST"},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			got := s.send(t, test.method, test.path, nil)
			if got.code != test.code || !strings.Contains(got.body, test.want) {
				t.Errorf("got %d %s, want %d with %s", got.code, got.body, test.code, test.want)
			}
			if allow := got.header.Get("Allow"); allow != test.allow {
				t.Errorf("got Allow %q, want %q", allow, test.allow)
			}
			if got.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("got headers %v, want nosniff", got.header)
			}
		})
	}
}

func TestMetricsHandler(t *testing.T) {
	handler := newTestServer(t, func(o *Options) { o.ServeMetrics = false }).server.MetricsHandler()
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 404} {
		t.Run(path, func(t *testing.T) {
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
			if rec.Code != want {
				t.Errorf("got %d, want %d", rec.Code, want)
			}
		})
	}
}

// panickingRoutes stand for any handler that panics.
type panickingRoutes struct{}

func (panickingRoutes) Admit(deployment.Request, string) deployment.Admission {
	panic("a template went wrong")
}

func TestServer_AnswersAfterPanic(t *testing.T) {
	var log bytes.Buffer
	s := newTestServer(t, func(o *Options) {
		o.Intake = &intake.Intake{Routes: panickingRoutes{}}
		o.Log = zerolog.New(&log)
	})

	body := deploymentEvent(42, "production")
	r := httptest.NewRequest(http.MethodPost, "/webhooks/github", strings.NewReader(body))
	r.Header = http.Header{
		"Content-Type":        {"application/json"},
		"X-Github-Event":      {"deployment"},
		"X-Github-Delivery":   {"g"},
		"X-Hub-Signature-256": {"sha256=" + sign(githubSecret, body)},
	}
	rec := httptest.NewRecorder()
	s.server.Handler().ServeHTTP(rec, r)

	var got api.ErrorResponse
	if err := json.NewDecoder(rec.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if rec.Code != 500 || got.Error.Code != "internal" {
		t.Errorf("got %d %+v, want 500 internal", rec.Code, got)
	}
	for _, want := range []string{"a template went wrong", rec.Header().Get("X-Request-Id")} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	s.wantNoMemory(t)
}

// A handler that panics after its answer has begun cannot change the status any more.
func TestServeRecovered_KeepsBegunAnswer(t *testing.T) {
	rec := httptest.NewRecorder()
	w := &statusWriter{ResponseWriter: rec}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half of it")
		panic("the other half went wrong")
	})

	serveRecovered(handler, w, httptest.NewRequest(http.MethodGet, "/", nil))
	if rec.Code != 200 || w.status != 200 || rec.Body.String() != "half of it" {
		t.Errorf("got %d %q and status %d, want 200 %q", rec.Code, rec.Body, w.status, "half of it")
	}
}

// http.ErrAbortHandler is how a handler closes the connection without an answer.
func TestServeRecovered_PassesAbortOn(t *testing.T) {
	rec := httptest.NewRecorder()
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })

	defer func() {
		if got := recover(); got != http.ErrAbortHandler || rec.Body.Len() != 0 {
			t.Errorf("got %v and %q, want http.ErrAbortHandler and no answer", got, rec.Body)
		}
	}()
	serveRecovered(handler, &statusWriter{ResponseWriter: rec}, httptest.NewRequest(http.MethodGet, "/", nil))
}

// The log of refused and accepted webhooks says what happened, and holds no secret.
func TestServer_LogHoldsNoSecret(t *testing.T) {
	var log bytes.Buffer
	s := newTestServer(t, func(o *Options) { o.Log = zerolog.New(zerolog.SyncWriter(&log)) })
	body := strings.Replace(deploymentEvent(42, "production"), `{"a":1}`, `{"password":"hunter2"}`, 1)

	s.deliver(t, body, "X-Hub-Signature-256", "sha256="+sign("guess", body))
	s.deliver(t, body)
	s.deliver(t, strings.Replace(body, testSHA, "hunter2", 1), "X-GitHub-Delivery", "guid-2")
	s.api(t, "hunter2", http.MethodGet, "/deployments", "")
	s.stop()

	for _, secret := range []string{"hunter2", githubSecret, sign(githubSecret, body), readToken} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, log.String())
		}
	}
	for _, field := range []string{
		`"deployment":42`,
		`"repository":"acme/api"`,
		`"environment":"production"`,
		`"status":401`,
	} {
		if !strings.Contains(log.String(), field) {
			t.Errorf("the log lacks %s:\n%s", field, log.String())
		}
	}
}
