package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestCircleCI(t *testing.T) {
	signed := func(body string) string { return "v1=" + sign(circleciSecret, body) }

	for _, test := range []struct {
		name      string
		body      string
		signature string // empty: a good one
		wakeErr   error
		code      int
		want      string // part of the answer
		woken     []string
	}{
		{
			name:  "known pipeline",
			body:  `{"type":"workflow-completed","pipeline":{"id":"known"}}`,
			code:  200,
			want:  `{"result":"accepted"}`,
			woken: []string{"known"},
		},
		{
			name:  "unknown pipeline",
			body:  `{"pipeline":{"id":"other"}}`,
			code:  200,
			want:  `{"result":"ignored","reason":"the pipeline belongs to no deployment"}`,
			woken: []string{"other"},
		},
		{name: "test ping", body: `{"type":"ping"}`, code: 200, want: `"ignored"`},
		{name: "malformed id", body: `{"pipeline":{"id":"../me"}}`, code: 200, want: `"ignored"`},
		{name: "malformed pipeline", body: `{"pipeline":[1]}`, code: 200, want: `"ignored"`},
		{
			name:    "wake fails",
			body:    `{"pipeline":{"id":"known"}}`,
			wakeErr: errDatabase,
			code:    200,
			want:    `"result"`,
			woken:   []string{"known"},
		},
		{
			name:      "newer signature version beside v1",
			body:      `{}`,
			signature: "v2=00, " + signed(`{}`),
			code:      200,
			want:      `"ignored"`,
		},
		{name: "not JSON", body: `{`, code: 400, want: "not JSON"},
		{name: "null", body: `null`, code: 400, want: "null"},
		{
			name:      "no v1 signature",
			body:      `{}`,
			signature: "v2=" + sign(circleciSecret, `{}`),
			code:      401,
			want:      `"unauthorized"`,
		},
		{
			name:      "wrong secret",
			body:      `{}`,
			signature: "v1=" + sign(githubSecret, `{}`),
			code:      401,
			want:      `"unauthorized"`,
		},
		{name: "too large", body: strings.Repeat(" ", 100), code: 413, want: `"too_large"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestServer(t, maxBody(99))
			s.waker.err = test.wakeErr
			signature := test.signature
			if signature == "" {
				signature = signed(test.body)
			}

			body := strings.NewReader(test.body)
			got := s.send(t, http.MethodPost, "/webhooks/circleci", body, "circleci-signature", signature)
			if got.code != test.code || !strings.Contains(got.body, test.want) {
				t.Errorf("got %d %s, want %d with %s", got.code, got.body, test.code, test.want)
			}
			if !slices.Equal(s.waker.woken, test.woken) {
				t.Errorf("got woken %v, want %v", s.waker.woken, test.woken)
			}
			s.wantNoMemory(t)
		})
	}
}
