package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestCircleCI(t *testing.T) {
	cases := map[string]struct {
		body, signature string
		broken          error
		code            int
		want            string
		nudged          []string
	}{
		"known": {
			body:   `{"type":"workflow-completed","pipeline":{"id":"known"}}`,
			code:   200,
			want:   `{"result":"accepted"}`,
			nudged: []string{"known"},
		},
		"unknown": {
			body:   `{"pipeline":{"id":"other"}}`,
			code:   200,
			want:   `"ignored"`,
			nudged: []string{"other"},
		},
		"test ping":        {body: `{"type":"ping"}`, code: 200, want: `"ignored"`},
		"strange id":       {body: `{"pipeline":{"id":"../me"}}`, code: 200, want: `"ignored"`},
		"strange pipeline": {body: `{"pipeline":[1]}`, code: 200, want: `"ignored"`},
		"hint fails": {
			body:   `{"pipeline":{"id":"known"}}`,
			broken: errBroken,
			code:   200,
			want:   `"result"`,
			nudged: []string{"known"},
		},
		"newer version": {
			body:      `{}`,
			signature: "v2=00, v1=" + sign(circleciSecret, `{}`),
			code:      200,
			want:      `"ignored"`,
		},
		"not JSON": {body: `{`, code: 400, want: "not JSON"},
		"null":     {body: `null`, code: 400, want: "null"},
		"no v1": {
			body:      `{}`,
			signature: "v2=" + sign(circleciSecret, `{}`),
			code:      401,
			want:      `"unauthorized"`,
		},
		"wrong": {
			body:      `{}`,
			signature: "v1=" + sign(githubSecret, `{}`),
			code:      401,
			want:      `"unauthorized"`,
		},
		"too large": {body: strings.Repeat(" ", 100), code: 413, want: `"too_large"`},
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, maxBody(99))
			b.world.broken = c.broken
			if c.signature == "" {
				c.signature = "v1=" + sign(circleciSecret, c.body)
			}

			got := b.ask(
				t,
				http.MethodPost,
				"/webhooks/circleci",
				strings.NewReader(c.body),
				"circleci-signature",
				c.signature,
			)

			if got.code != c.code || !strings.Contains(got.body, c.want) || !slices.Equal(b.world.nudged, c.nudged) {
				t.Errorf("got %d %s, nudged %v", got.code, got.body, b.world.nudged)
			}
		})
	}
}
