package server

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestGitHub_TakesWhatWasSent(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 5, 0, time.UTC)
	s := newTestServer(t, func(o *Options) { o.Now = func() time.Time { return now } })
	s.deliver(t, deploymentEvent(42, "Production"))

	want := deployment.Request{
		ID:          42,
		Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: "Production",
		Ref:         "main",
		SHA:         testSHA,
		Task:        "deploy",
		Payload:     []byte(`{"a":1}`),
		CreatedAt:   now.Add(-5 * time.Second),
	}
	if d := diff(want, s.routes.last); d != "" {
		t.Errorf("request differs:\n%s", d)
	}
	if got := s.store.byGUID["guid-1"].AcceptedAt; !got.Equal(now) {
		t.Errorf("got accepted at %s, want %s", got, now)
	}
}

func TestGitHub_Redelivery(t *testing.T) {
	s := newTestServer(t)
	unrouted, routed := deploymentEvent(41, "elsewhere"), deploymentEvent(42, "production")

	// Each step sees what the steps before it stored.
	for _, step := range []struct {
		name string
		guid string
		body string
		err  error
		want string // the result
	}{
		{name: "not stored, so not remembered", guid: "a", body: routed, err: errDatabase, want: "unavailable"},
		{name: "delivered again", guid: "a", body: routed, want: "accepted"},
		{name: "same GUID", guid: "a", body: routed, want: "duplicate"},
		{name: "same GUID that no route matches now", guid: "a", body: unrouted, want: "duplicate"},
		{name: "same deployment under another GUID", guid: "b", body: routed, want: "duplicate"},
		{name: "no route", guid: "c", body: unrouted, want: "ignored"},
		{
			name: "same GUID that a route matches now",
			guid: "c",
			body: deploymentEvent(41, "production"),
			want: "accepted",
		},
		{name: "no route, and not stored", guid: "d", body: unrouted, err: errDatabase, want: "unavailable"},
	} {
		t.Run(step.name, func(t *testing.T) {
			s.store.err, s.counted = step.err, nil
			got := s.deliver(t, step.body, "X-GitHub-Delivery", step.guid)
			if !strings.Contains(got.body, `"`+step.want+`"`) {
				t.Errorf("got %d %s, want %s", got.code, got.body, step.want)
			}
			if want := []string{"github deployment " + step.want}; !slices.Equal(s.counted, want) {
				t.Errorf("got counted %v, want %v", s.counted, want)
			}
		})
	}

	if got := len(s.store.byGUID); got != 2 {
		t.Errorf("got %d deployments, want 2", got)
	}
}

// A body without a Content-Length is found to be too large only while it is read.
func TestGitHub_BodyOfUnknownLength(t *testing.T) {
	body := deploymentEvent(42, "production")
	for _, test := range []struct {
		name  string
		limit int
		code  int
	}{
		{name: "exactly the largest size", limit: len(body), code: 202},
		{name: "one byte too large", limit: len(body) - 1, code: 413},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestServer(t, maxBody(int64(test.limit)))
			unknown := io.MultiReader(strings.NewReader(body))
			if got := s.deliverTo(t, "/webhooks/github", body, unknown); got.code != test.code {
				t.Errorf("got %d %s, want %d", got.code, got.body, test.code)
			}
		})
	}
}

func TestGitHub_StoreTooSlow(t *testing.T) {
	var taken Intake
	s := newTestServer(t, func(o *Options) { taken, o.StoreTimeout = o.Intake, 20*time.Millisecond })
	s.store.mayAccept = make(chan struct{})
	got := s.deliver(t, deploymentEvent(42, "production"))
	if got.code != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d %v, want 503 with Retry-After", got.code, got.header)
	}

	close(s.store.mayAccept)
	patient := newTestServer(t, func(o *Options) { o.Intake = taken })
	if got := patient.deliver(t, deploymentEvent(42, "production")); got.code != 202 {
		t.Errorf("delivered again: got %d %s, want 202", got.code, got.body)
	}
}

func TestGitHub_PathOfHeaven(t *testing.T) {
	body := deploymentEvent(42, "production")
	if got := newTestServer(t).deliverTo(t, "/events", body, strings.NewReader(body)); got.code != 202 {
		t.Errorf("got %d %s, want 202", got.code, got.body)
	}
}

// Anybody could sign with an empty secret.
func TestGitHub_EmptySecretVerifiesNothing(t *testing.T) {
	body := deploymentEvent(42, "production")
	for _, test := range []struct {
		name    string
		secrets [][]byte
	}{
		{name: "no secret"},
		{name: "an empty secret", secrets: [][]byte{{}}},
		{name: "an empty secret beside a good one", secrets: [][]byte{[]byte(githubSecret), {}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestServer(t, func(o *Options) { o.GitHubSecrets = test.secrets })
			if got := s.deliver(t, body, "X-Hub-Signature-256", "sha256="+sign("", body)); got.code != 401 {
				t.Errorf("got %d %s, want 401", got.code, got.body)
			}
		})
	}
}
