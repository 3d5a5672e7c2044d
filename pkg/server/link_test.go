package server

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// fakeLink answers as the pages of links do.
func fakeLink(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if strings.HasPrefix(r.URL.Path, "/link/") {
		w.Header().Set("Location", "https://github.com/login/oauth/authorize")
		w.WriteHeader(http.StatusFound)
		return
	}
	_, _ = w.Write([]byte("<p>the code</p>"))
}

// getPath gets a path, follows no redirect, and returns the status.
func (s *testServer) getPath(t *testing.T, path string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestServer_Link(t *testing.T) {
	on := newTestServer(t)
	off := newTestServer(t, func(o *Options) { o.Link = nil })
	for path, want := range map[string]int{"/link/abc": http.StatusFound, "/login/callback?code=x&state=y": http.StatusOK} {
		if got := on.getPath(t, path); got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
		if got := off.getPath(t, path); got != http.StatusNotFound {
			t.Errorf("%s without links: got %d, want 404", path, got)
		}
	}
}

// TestServer_LogHoldsNoLink wants that no log line lets its reader go on with somebody's link.
func TestServer_LogHoldsNoLink(t *testing.T) {
	var log bytes.Buffer
	s := newTestServer(t, func(o *Options) { o.Log = zerolog.New(&log) })
	s.getPath(t, "/link/the-last-part-of-an-address")
	s.getPath(t, "/login/callback?code=the-code-of-github&state=the-state")
	s.stop() // after the last line
	if !strings.Contains(log.String(), `"path":"/link/{code}"`) || !strings.Contains(log.String(), `"/login/callback"`) {
		t.Errorf("got the log %s, want lines of both requests", &log)
	}
	for _, secret := range []string{"the-last-part", "the-code", "the-state"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q: %s", secret, &log)
		}
	}
}

// TestCallerOf_NotLinked wants that people of Slack learn how to link themselves where they can, and only they.
func TestCallerOf_NotLinked(t *testing.T) {
	const self = `type \"/seraph link\" in Slack, or ask the operator`
	on := newTestServer(t)
	off := newTestServer(t, func(o *Options) { o.Link = nil })
	for _, c := range []struct {
		name   string
		server *testServer
		person string
		want   bool
	}{
		{name: "Slack", server: on, person: person("slack", "T0ACME001", "U0MALLORY"), want: true},
		{name: "Hubot in Slack", server: on, person: person("hubot-slack", "T0ACME001", "U0MALLORY"), want: true},
		{name: "another chat", server: on, person: person("hubot-irc", "libera", "mallory")},
		{name: "no links", server: off, person: person("slack", "T0ACME001", "U0MALLORY")},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := c.server.api(t, behalfToken, http.MethodPost, "/deployments/42/approve", "{"+c.person+"}")
			if got := strings.Contains(answer.body, self); answer.code != http.StatusForbidden || got != c.want {
				t.Errorf("got %d %s, want 403 and %q: %v", answer.code, answer.body, self, c.want)
			}
		})
	}
}
