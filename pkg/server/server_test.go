package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
)

func diff(want, got any) string { return cmp.Diff(want, got) }

func TestReady(t *testing.T) {
	var failing error
	b := newBench(t, func(o *Options) {
		o.Ready = func(context.Context) map[string]error { return map[string]error{"database": failing, "queue": nil} }
	})
	if got := b.ask(t, http.MethodGet, "/readyz", nil); got.code != 200 ||
		got.body != `{"status":"ready","checks":{"database":"ok","queue":"ok"}}` {
		t.Errorf("got %d %s", got.code, got.body)
	}

	failing = errors.New("dial db.internal:5432: refused")
	if got := b.ask(t, http.MethodGet, "/readyz", nil); got.code != 503 || strings.Contains(got.body, "internal") {
		t.Errorf("got %d %s", got.code, got.body)
	}

	failing = nil
	b.server.Drain()
	if got := b.ask(t, http.MethodGet, "/readyz", nil); got.code != 503 || !strings.Contains(got.body, "draining") {
		t.Errorf("got %d %s", got.code, got.body)
	}
	if got := b.deliver(t, event(42, "production")); got.code != 202 {
		t.Errorf("while draining: got %d %s", got.code, got.body)
	}
	if got := b.ask(t, http.MethodGet, "/healthz", nil); got.code != 200 || got.body != `{"status":"ok"}` {
		t.Errorf("got %d %s", got.code, got.body)
	}
}

// TestOff asks for what is not configured, and for what there never was.
func TestOff(t *testing.T) {
	off := newBench(t, func(o *Options) { o.CircleCISecrets, o.Tokens, o.ServeMetrics = nil, nil, false })
	for _, c := range []struct {
		method, path string
		code         int
		want         string
	}{
		{"POST", "/webhooks/circleci", 404, "not_found"},
		{"GET", "/api/v1/deployments", 404, "not_found"},
		{"GET", "/metrics", 404, "not_found"},
		{"GET", "/", 404, "not_found"},
		{"GET", "/webhooks/github", 405, "method_not_allowed"},
		{"DELETE", "/healthz", 405, "method_not_allowed"},
		{"HEAD", "/healthz", 200, ""},
	} {
		got := off.ask(t, c.method, c.path, nil)
		if got.code != c.code || !strings.Contains(got.body, c.want) ||
			got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: got %d %s %v", c.method, c.path, got.code, got.body, got.header)
		}
		if c.code == 405 && got.header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow header", c.method, c.path)
		}
	}

	rec := httptest.NewRecorder()
	off.server.MetricsHandler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if rec.Code != 200 {
		t.Errorf("metrics on their own listener: got %d", rec.Code)
	}

	rec = httptest.NewRecorder()
	off.server.MetricsHandler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if rec.Code != 404 {
		t.Errorf("something else on the metrics listener: got %d", rec.Code)
	}
}

// broken panics where the test wants it to.
type broken struct{}

func (broken) Admit(deployment.Request, string) deployment.Admission {
	panic("a template went wrong")
}

func TestPanicIsAnswered(t *testing.T) {
	var log bytes.Buffer
	s := newBench(t, func(o *Options) { o.Intake, o.Log = &intake.Intake{Routes: broken{}}, zerolog.New(&log) }).server
	body := event(42, "production")
	r := httptest.NewRequest(http.MethodPost, "/webhooks/github", strings.NewReader(body))
	r.Header = http.Header{
		"Content-Type":        {"application/json"},
		"X-Github-Event":      {"deployment"},
		"X-Github-Delivery":   {"g"},
		"X-Hub-Signature-256": {"sha256=" + sign(githubSecret, body)},
	}

	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, r)
	var e api.ErrorResponse
	if err := json.NewDecoder(rec.Body).Decode(&e); err != nil || rec.Code != 500 || e.Error.Code != "internal" {
		t.Errorf("got %d %+v, %v", rec.Code, e, err)
	}
	if !strings.Contains(log.String(), "a template went wrong") ||
		!strings.Contains(log.String(), rec.Header().Get("X-Request-Id")) {
		t.Errorf("log: %s", log.String())
	}
	if used := s.memory.used.Load(); used != 0 {
		t.Errorf("%d bytes still counted", used)
	}
}

// TestLogHoldsNoSecret looks through the whole log of refused and accepted webhooks.
func TestLogHoldsNoSecret(t *testing.T) {
	var log bytes.Buffer
	b := newBench(t, func(o *Options) { o.Log = zerolog.New(zerolog.SyncWriter(&log)) })
	body := strings.Replace(event(42, "production"), `{"a":1}`, `{"password":"hunter2"}`, 1)
	b.deliver(t, body, "X-Hub-Signature-256", "sha256="+sign("guess", body))
	b.deliver(t, body)
	b.deliver(t, strings.Replace(body, aSHA, "hunter2", 1), "X-GitHub-Delivery", "guid-2")
	b.ask(t, http.MethodGet, "/api/v1/deployments", nil, "Authorization", "Bearer hunter2")
	b.stop()
	for _, secret := range []string{"hunter2", githubSecret, sign(githubSecret, body), readToken} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, log.String())
		}
	}

	for _, field := range []string{`"deployment":42`, `"repository":"acme/api"`, `"environment":"production"`, `"status":401`} {
		if !strings.Contains(log.String(), field) {
			t.Errorf("the log lacks %s:\n%s", field, log.String())
		}
	}
}

// TestHTTPServerIsBounded: none of these may become endless by a slip.
func TestHTTPServerIsBounded(t *testing.T) {
	s := HTTPServer(":1", http.NotFoundHandler())
	got := []any{
		s.Addr,
		s.ReadHeaderTimeout,
		s.ReadTimeout,
		s.IdleTimeout,
		s.MaxHeaderBytes,
		s.WriteTimeout > s.ReadTimeout+DefaultStoreTimeout,
	}

	if d := diff([]any{":1", 5 * time.Second, 20 * time.Second, time.Minute, 64 << 10, true}, got); d != "" {
		t.Error(d)
	}
}
