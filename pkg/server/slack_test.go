package server

import (
	"net/http"
	"strings"
	"testing"
)

func TestSlack_HandsOverTheBody(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		change func(*Options)
		header []string // nil: one that looks signed
		code   int
		want   string
		count  string
	}{
		"unsigned, as the probe of the certificate": {
			body:   "ssl_check=1",
			header: []string{"X-Slack-Signature", "-"},
			code:   http.StatusOK,
			want:   "ssl_check=1",
		},
		"unsigned and longer than the probe": {
			body:   strings.Repeat("x", maxUnsigned+1),
			header: []string{"X-Slack-Signature", "-"},
			code:   http.StatusUnauthorized,
			want:   "X-Slack-Signature is missing",
			count:  "slack other unauthorized",
		},
		"malformed signature": {
			body:   strings.Repeat("x", maxUnsigned+1),
			header: []string{"X-Slack-Signature", "v0=12"},
			code:   http.StatusUnauthorized,
			want:   "X-Slack-Signature is missing",
			count:  "slack other unauthorized",
		},
		"usual":          {body: "payload=x", code: http.StatusOK, want: "payload=x"},
		"several chunks": {body: strings.Repeat("x", 3*chunkSize+1), code: http.StatusOK, want: strings.Repeat("x", 3*chunkSize+1)},
		"empty":          {body: "", code: http.StatusOK},
		"too large": {
			body:  strings.Repeat("x", maxSlackBody+1),
			code:  http.StatusRequestEntityTooLarge,
			want:  "too_large",
			count: "slack other too_large",
		},
		"no memory left": {
			body:   "payload=x",
			change: func(o *Options) { o.MaxInFlight = 1 },
			code:   http.StatusServiceUnavailable,
			want:   "unavailable",
			count:  "slack other unavailable",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestServer(t, func(o *Options) {
				if c.change != nil {
					c.change(o)
				}
			})

			header := c.header
			if header == nil {
				header = []string{"X-Slack-Signature", "v0=" + strings.Repeat("0a", 32)}
			}
			got := s.send(t, http.MethodPost, "/webhooks/slack", strings.NewReader(c.body), header...)
			if got.code != c.code || !strings.Contains(got.body, c.want) {
				t.Errorf("got %d %.100q, want %d with %.100q", got.code, got.body, c.code, c.want)
			}
			if counted := strings.Join(s.counted, ", "); counted != c.count {
				t.Errorf("got %q counted, want %q", counted, c.count)
			}
			s.wantNoMemory(t)
		})
	}
}
