package server

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

const formType = "application/x-www-form-urlencoded"

func sources(cidr string) func(*Options) {
	return func(o *Options) {
		o.Sources = func() (func(netip.Addr) bool, bool) { return netip.MustParsePrefix(cidr).Contains, true }
	}
}

func maxBody(n int64) func(*Options) { return func(o *Options) { o.MaxBody = n } }

// githubCase is one webhook and what it is answered with.
type githubCase struct {
	name    string
	change  func(*Options)
	body    string
	headers []string
	code    int
	want    string // part of the answer
}

func (c githubCase) run(t *testing.T) {
	t.Helper()
	t.Run(c.name, func(t *testing.T) {
		change := c.change
		if change == nil {
			change = func(*Options) {}
		}

		s := newTestServer(t, change)
		got := s.deliver(t, c.body, c.headers...)
		if got.code != c.code || !strings.Contains(got.body, c.want) {
			t.Fatalf("got %d %s, want %d with %s", got.code, got.body, c.code, c.want)
		}
		if c.code == 503 && got.header.Get("Retry-After") == "" {
			t.Error("got 503 without Retry-After")
		}
		if stored := len(s.store.byGUID); (c.code == 202) != (stored == 1) {
			t.Errorf("got %d deliveries stored with answer %d", stored, c.code)
		}
		if len(s.counted) != 1 {
			t.Errorf("got counted %v, want one webhook", s.counted)
		}
		s.wantNoMemory(t)
	})
}

func TestGitHub_Taken(t *testing.T) {
	good := deploymentEvent(42, "production")
	for _, test := range []githubCase{
		{name: "accepted", body: good, code: 202, want: `{"result":"accepted","delivery":"guid-1"}`},
		{
			name:    "form",
			body:    "x=1&payload=" + url.QueryEscape(good),
			headers: []string{"Content-Type", formType},
			code:    202,
			want:    `"accepted"`,
		},
		{
			name:    "charset",
			body:    good,
			headers: []string{"Content-Type", "application/json; charset=utf-8"},
			code:    202,
			want:    `"accepted"`,
		},
		{
			name: "no action",
			body: strings.Replace(good, `"action":"created",`, "", 1),
			code: 202,
			want: `"accepted"`,
		},
		{name: "exactly the largest size", change: maxBody(int64(len(good))), body: good, code: 202, want: `"accepted"`},
		{
			name:    "ping",
			body:    `{"zen":"…","hook_id":1}`,
			headers: []string{"X-GitHub-Event", "ping"},
			code:    200,
			want:    `{"result":"pong"}`,
		},
		{
			name:    "other event",
			body:    `{"deployment":{"id":"x"}}`,
			headers: []string{"X-GitHub-Event", "deployment_status"},
			code:    200,
			want:    `{"result":"ignored","reason":"event deployment_status is not used"}`,
		},
		{
			name:    "unknown event",
			body:    `{}`,
			headers: []string{"X-GitHub-Event", "brand_new"},
			code:    200,
			want:    `"ignored"`,
		},
		{
			name: "other action",
			body: `{"action":"deleted"}`,
			code: 200,
			want: `{"result":"ignored","reason":"the event's action is not \"created\""}`,
		},
		{
			name: "no route",
			body: deploymentEvent(42, "elsewhere"),
			code: 200,
			want: `{"result":"ignored","reason":"no route matches"}`,
		},
	} {
		test.run(t)
	}
}

// Each case breaks the check that it is named for and, where it can, all later ones.
func TestGitHub_OrderOfChecks(t *testing.T) {
	good, bad := deploymentEvent(42, "production"), "sha256="+strings.Repeat("0", 64)
	for _, test := range []githubCase{
		{
			name:    "source",
			change:  sources("192.0.2.0/24"),
			body:    "{",
			headers: []string{"Content-Type", "-", "X-Hub-Signature-256", bad},
			code:    403,
			want:    `"forbidden"`,
		},
		{
			name:   "source not known yet",
			change: func(o *Options) { o.Sources = func() (func(netip.Addr) bool, bool) { return nil, false } },
			body:   good,
			code:   503,
			want:   `"unavailable"`,
		},
		{
			name:    "content type",
			body:    "{",
			headers: []string{"Content-Type", "text/plain", "X-Hub-Signature-256", "-"},
			code:    415,
			want:    `"unsupported_media_type"`,
		},
		{
			name:    "no content type",
			body:    good,
			headers: []string{"Content-Type", "-"},
			code:    415,
			want:    `"unsupported_media_type"`,
		},
		{
			name:    "no signature",
			change:  maxBody(1),
			body:    good,
			headers: []string{"X-Hub-Signature-256", "-"},
			code:    401,
			want:    `"unauthorized"`,
		},
		{
			name:    "sha1 signature",
			body:    good,
			headers: []string{"X-Hub-Signature-256", "sha1=" + strings.Repeat("0", 40)},
			code:    401,
			want:    `"unauthorized"`,
		},
		{
			name:    "too large",
			change:  maxBody(int64(len(good) - 1)),
			body:    good,
			headers: []string{"X-Hub-Signature-256", bad},
			code:    413,
			want:    `"too_large"`,
		},
		{
			name:   "no memory left",
			change: func(o *Options) { o.MaxInFlight = 1 },
			body:   good,
			code:   503,
			want:   `"unavailable"`,
		},
		{
			name:    "wrong signature",
			body:    "{",
			headers: []string{"X-Hub-Signature-256", bad},
			code:    401,
			want:    `"unauthorized"`,
		},
		{
			name:    "body changed",
			body:    good + " ",
			headers: []string{"X-Hub-Signature-256", "sha256=" + sign(githubSecret, good)},
			code:    401,
			want:    `"unauthorized"`,
		},
	} {
		test.run(t)
	}
}

func TestGitHub_BadContent(t *testing.T) {
	good := deploymentEvent(42, "production")
	for _, test := range []githubCase{
		{name: "not JSON", body: "{", code: 400, want: "not JSON"},
		{name: "not UTF-8", body: strings.Replace(good, "production", "prod\xff", 1), code: 400, want: "UTF-8"},
		{name: "null", body: "null", code: 400, want: "null"},
		{name: "list", body: "[]", code: 400, want: "array"},
		{name: "empty", body: "", code: 400, want: "not JSON"},
		{name: "nested", body: strings.Repeat("[", 20000), code: 400, want: "deep"},
		{name: "no deployment", body: `{}`, code: 400, want: "deployment is missing"},
		{
			name: "no deployment id",
			body: strings.Replace(good, `"id":42`, `"id":null`, 1),
			code: 400,
			want: "deployment.id",
		},
		{
			name:    "form without payload",
			body:    "x=1",
			headers: []string{"Content-Type", formType},
			code:    400,
			want:    `payload`,
		},
		{name: "no event", body: good, headers: []string{"X-GitHub-Event", "-"}, code: 400, want: "X-GitHub-Event"},
		{
			name:    "malformed event",
			body:    good,
			headers: []string{"X-GitHub-Event", "Deployment"},
			code:    400,
			want:    "X-GitHub-Event",
		},
		{
			name:    "event of 65 letters",
			body:    good,
			headers: []string{"X-GitHub-Event", strings.Repeat("x", 65)},
			code:    400,
			want:    "X-GitHub-Event",
		},
		{
			name:    "no GUID",
			body:    good,
			headers: []string{"X-GitHub-Delivery", "-"},
			code:    400,
			want:    "X-GitHub-Delivery",
		},
		{
			name:    "GUID of 129 letters",
			body:    good,
			headers: []string{"X-GitHub-Delivery", strings.Repeat("x", 129)},
			code:    400,
			want:    "X-GitHub-Delivery",
		},
		{
			name:    "GUID as recovery makes them",
			body:    good,
			headers: []string{"X-GitHub-Delivery", "listing:7:42"},
			code:    400,
			want:    "X-GitHub-Delivery",
		},
		{
			name: "deployment status as deployment",
			body: strings.Replace(good, `"action"`, `"deployment_status":{},"action"`, 1),
			code: 400,
			want: "deployment_status",
		},
		{
			name:    "deployment as ping",
			body:    good,
			headers: []string{"X-GitHub-Event", "ping"},
			code:    400,
			want:    "the event is a ping, but its body holds a deployment",
		},
		{
			name:    "other event that is not JSON",
			body:    "{",
			headers: []string{"X-GitHub-Event", "push"},
			code:    400,
			want:    "not JSON",
		},
	} {
		test.run(t)
	}
}
