package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const formType = "application/x-www-form-urlencoded"

func TestGitHubOrderOfChecks(t *testing.T) {
	good, bad := event(42, "production"), "sha256="+strings.Repeat("0", 64)
	// Each case breaks the check it is named for and, where it can, all that come later.
	cases := map[string]struct {
		change  func(*Options)
		body    string
		headers []string
		code    int
		want    string // part of the body
	}{
		"accepted": {body: good, code: 202, want: `{"result":"accepted","delivery":"guid-1"}`},
		"form": {
			body:    "x=1&payload=" + url.QueryEscape(good),
			headers: []string{"Content-Type", formType},
			code:    202,
			want:    `"accepted"`,
		},
		"charset": {
			body:    good,
			headers: []string{"Content-Type", "application/json; charset=utf-8"},
			code:    202,
			want:    `"accepted"`,
		},
		"no action": {
			body: strings.Replace(good, `"action":"created",`, "", 1),
			code: 202,
			want: `"accepted"`,
		},
		"ping": {
			body:    `{"zen":"…","hook_id":1}`,
			headers: []string{"X-GitHub-Event", "ping"},
			code:    200,
			want:    `{"result":"pong"}`,
		},
		"other event": {
			body:    `{"deployment":{"id":"x"}}`,
			headers: []string{"X-GitHub-Event", "deployment_status"},
			code:    200,
			want:    `{"result":"ignored","reason":"event deployment_status is not used"}`,
		},
		"unheard-of event": {
			body:    `{}`,
			headers: []string{"X-GitHub-Event", "brand_new"},
			code:    200,
			want:    `"ignored"`,
		},
		"other action": {body: `{"action":"deleted"}`, code: 200, want: `"ignored"`},
		"no route": {
			body: event(42, "elsewhere"),
			code: 200,
			want: `{"result":"ignored","reason":"no route matches"}`,
		},
		"source": {
			change:  sources("192.0.2.0/24"),
			body:    "{",
			headers: []string{"Content-Type", "-", "X-Hub-Signature-256", bad},
			code:    403,
			want:    `"forbidden"`,
		},
		"source unknown yet": {
			change: func(o *Options) { o.Sources = func() (func(netip.Addr) bool, bool) { return nil, false } },
			body:   good,
			code:   503,
			want:   `"unavailable"`,
		},
		"content type": {
			body:    "{",
			headers: []string{"Content-Type", "text/plain", "X-Hub-Signature-256", "-"},
			code:    415,
			want:    `"unsupported_media_type"`,
		},
		"no content type": {
			body:    good,
			headers: []string{"Content-Type", "-"},
			code:    415,
			want:    `"unsupported_media_type"`,
		},
		"no signature": {
			change:  maxBody(1),
			body:    good,
			headers: []string{"X-Hub-Signature-256", "-"},
			code:    401,
			want:    `"unauthorized"`,
		},
		"sha1 signature": {
			body:    good,
			headers: []string{"X-Hub-Signature-256", "sha1=" + strings.Repeat("0", 40)},
			code:    401,
			want:    `"unauthorized"`,
		},
		"too large": {
			change:  maxBody(int64(len(good) - 1)),
			body:    good,
			headers: []string{"X-Hub-Signature-256", bad},
			code:    413,
			want:    `"too_large"`,
		},
		"as large as may be": {change: maxBody(int64(len(good))), body: good, code: 202, want: `"accepted"`},
		"wrong signature": {
			body:    "{",
			headers: []string{"X-Hub-Signature-256", bad},
			code:    401,
			want:    `"unauthorized"`,
		},
		"body changed": {
			body:    good + " ",
			headers: []string{"X-Hub-Signature-256", "sha256=" + sign(githubSecret, good)},
			code:    401,
			want:    `"unauthorized"`,
		},
		"not JSON":           {body: "{", code: 400, want: "not JSON"},
		"not UTF-8":          {body: strings.Replace(good, "production", "prod\xff", 1), code: 400, want: "UTF-8"},
		"null":               {body: "null", code: 400, want: "null"},
		"list":               {body: "[]", code: 400, want: "array"},
		"empty":              {body: "", code: 400, want: "not JSON"},
		"nested":             {body: strings.Repeat("[", 20000), code: 400, want: "deep"},
		"deployment missing": {body: `{}`, code: 400, want: "deployment is missing"},
		"id missing": {
			body: strings.Replace(good, `"id":42`, `"id":null`, 1),
			code: 400,
			want: "deployment.id",
		},
		"form without it": {body: "x=1", headers: []string{"Content-Type", formType}, code: 400, want: `payload`},
		"no event":        {body: good, headers: []string{"X-GitHub-Event", "-"}, code: 400, want: "X-GitHub-Event"},
		"no GUID": {
			body:    good,
			headers: []string{"X-GitHub-Delivery", "-"},
			code:    400,
			want:    "X-GitHub-Delivery",
		},
		"our own kind of id": {
			body:    good,
			headers: []string{"X-GitHub-Delivery", "listing:7:42"},
			code:    400,
			want:    "X-GitHub-Delivery",
		},
		"status as event": {
			body: strings.Replace(good, `"action"`, `"deployment_status":{},"action"`, 1),
			code: 400,
			want: "deployment_status",
		},
		"event as ping": {
			body:    good,
			headers: []string{"X-GitHub-Event", "ping"},
			code:    400,
			want:    "not that of a ping",
		},
		"no room": {
			change: func(o *Options) { o.MaxInFlight = 1 },
			body:   good,
			code:   503,
			want:   `"unavailable"`,
		},
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			change := c.change
			if change == nil {
				change = func(*Options) {}
			}

			b := newBench(t, change)
			got := b.deliver(t, c.body, c.headers...)
			if got.code != c.code || !strings.Contains(got.body, c.want) {
				t.Fatalf("got %d %s, want %d with %s", got.code, got.body, c.code, c.want)
			}
			if c.code == 503 && got.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			if stored := len(b.inbox.byGUID); (c.code == 202) != (stored == 1) {
				t.Errorf("%d deliveries stored", stored)
			}
			if used := b.server.memory.used.Load(); used != 0 {
				t.Errorf("%d bytes still counted", used)
			}
			if len(b.world.results) != 1 {
				t.Errorf("counted as %v", b.world.results)
			}
		})
	}
}

func sources(cidr string) func(*Options) {
	return func(o *Options) {
		o.Sources = func() (func(netip.Addr) bool, bool) { return netip.MustParsePrefix(cidr).Contains, true }
	}
}

func maxBody(n int64) func(*Options) { return func(o *Options) { o.MaxBody = n } }

// TestGitHubTakesWhatWasSent follows one deployment through the handler.
func TestGitHubTakesWhatWasSent(t *testing.T) {
	at := time.Date(2026, 1, 31, 12, 0, 5, 0, time.UTC)
	b := newBench(t, func(o *Options) { o.Now = func() time.Time { return at } })
	b.deliver(t, event(42, "Production"))
	d := b.inbox.byGUID["guid-1"]
	want := deployment.Request{
		ID:          42,
		Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: "Production",
		Ref:         "main",
		SHA:         aSHA,
		Task:        "deploy",
		Payload:     []byte(`{"a":1}`),
		CreatedAt:   at.Add(-5 * time.Second),
	}

	if diff := diff(want, b.routes.last); diff != "" || !d.AcceptedAt.Equal(at) {
		t.Errorf("accepted at %s, request differs:\n%s", d.AcceptedAt, diff)
	}
}

func TestGitHubRedelivery(t *testing.T) {
	b := newBench(t)
	ignored, taken := event(41, "elsewhere"), event(42, "production")
	steps := []struct {
		guid, body, want string
		broken           error
	}{
		{"a", taken, `"unavailable"`, errBroken}, // not remembered
		{"a", taken, `"accepted"`, nil},
		{"a", taken, `"duplicate"`, nil},
		{"a", ignored, `"duplicate"`, nil}, // the GUID led to a deployment, whatever the routes would say now
		{"b", taken, `"duplicate"`, nil},   // replayed under another GUID
		{"c", ignored, `"ignored"`, nil},
		{"c", event(41, "production"), `"accepted"`, nil}, // judged afresh
		{"d", ignored, `"unavailable"`, errBroken},
	}

	for i, s := range steps {
		b.inbox.broken = s.broken
		if got := b.deliver(t, s.body, "X-GitHub-Delivery", s.guid); !strings.Contains(got.body, s.want) {
			t.Errorf("step %d: got %d %s, want %s", i, got.code, got.body, s.want)
		}
	}

	if len(b.inbox.byGUID) != 2 {
		t.Errorf("%d deployments, want 2", len(b.inbox.byGUID))
	}

	want := []string{
		"github deployment unavailable", "github deployment accepted", "github deployment duplicate", "github deployment duplicate",
		"github deployment duplicate", "github deployment ignored", "github deployment accepted", "github deployment unavailable",
	}

	if !slices.Equal(b.world.results, want) {
		t.Errorf("counted as %v", b.world.results)
	}
}

// TestGitHubBodyOfUnknownLength finds out that a body is too large only while it reads it.
func TestGitHubBodyOfUnknownLength(t *testing.T) {
	body := event(42, "production")
	for limit, want := range map[int]int{len(body): 202, len(body) - 1: 413} {
		b := newBench(t, maxBody(int64(limit)))
		got := b.ask(
			t,
			http.MethodPost,
			"/webhooks/github",
			io.MultiReader(strings.NewReader(body)),
			"Content-Type",
			"application/json",
			"X-GitHub-Event",
			"deployment",
			"X-GitHub-Delivery",
			"g",
			"X-Hub-Signature-256",
			"sha256="+sign(githubSecret, body),
		)

		if got.code != want {
			t.Errorf("limit %d: got %d %s", limit, got.code, got.body)
		}
	}
}

func TestGitHubStoreTooSlow(t *testing.T) {
	b := newBench(t, func(o *Options) { o.StoreTimeout = 20 * time.Millisecond })
	b.inbox.accepted = make(chan struct{})
	if got := b.deliver(t, event(42, "production")); got.code != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d %v", got.code, got.header)
	}

	close(b.inbox.accepted)
	if got := b.deliver(t, event(42, "production")); got.code != 202 {
		t.Errorf("redelivered: got %d %s", got.code, got.body)
	}
}

func TestGitHubAtHeavensPath(t *testing.T) {
	b := newBench(t)
	body := event(42, "production")
	got := b.ask(
		t,
		http.MethodPost,
		"/events",
		strings.NewReader(body),
		"Content-Type",
		"application/json",
		"X-GitHub-Event",
		"deployment",
		"X-GitHub-Delivery",
		"g",
		"X-Hub-Signature-256",
		"sha256="+sign(githubSecret, body),
	)

	if got.code != 202 {
		t.Errorf("got %d %s", got.code, got.body)
	}
}

// TestNoSecretVerifiesNothing: an empty key would make a signature that anybody can make.
func TestNoSecretVerifiesNothing(t *testing.T) {
	body := event(42, "production")
	for name, secrets := range map[string][][]byte{
		"none":              nil,
		"empty":             {{}},
		"one of them empty": {[]byte(githubSecret), {}},
	} {
		b := newBench(t, func(o *Options) { o.GitHubSecrets = secrets })
		if got := b.deliver(t, body, "X-Hub-Signature-256", "sha256="+sign("", body)); got.code != 401 {
			t.Errorf("%s: got %d %s", name, got.code, got.body)
		}
	}
}

// TestRefusedBeforeTheBody announces a body, sends none of it, and expects the answer all the same.
func TestRefusedBeforeTheBody(t *testing.T) {
	common := "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct{ headers, want string }{
		"no signature":          {"Content-Length: 1000\r\n", "401"},
		"no signature, chunked": {"Transfer-Encoding: chunked\r\n", "401"},
		"too large":             {"Content-Length: 26214401\r\nX-Hub-Signature-256: sha256=" + strings.Repeat("0", 64) + "\r\n", "413"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			conn := listen(t, b.server)
			if _, err := conn.Write([]byte(common + c.headers + "\r\n")); err != nil {
				t.Fatal(err)
			}

			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+c.want) {
				t.Errorf("got %q, %v", line, err)
			}
		})
	}
}

// TestTruncatedBody sends less than was announced.
func TestTruncatedBody(t *testing.T) {
	b := newBench(t)
	conn := listen(t, b.server)
	request := "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n" +
		"X-Hub-Signature-256: sha256=" + strings.Repeat(
		"0",
		64,
	) + "\r\n\r\n{"

	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}

	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 400") {
		t.Errorf("got %q, %v", line, err)
	}
}

// listen serves with the bounds of production and connects; the deadline only keeps a failing test
// from hanging.
func listen(t *testing.T, s *Server) net.Conn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	h := HTTPServer("", s.Handler())
	done := make(chan error)
	go func() { done <- h.Serve(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		_ = conn.Close()
		_ = h.Close()
		<-done
	})

	if err := conn.SetDeadline(time.Now().Add(4 * time.Second)); err != nil {
		t.Fatal(err)
	}

	return conn
}
