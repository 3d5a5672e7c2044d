package webhook

import (
	"strings"
	"testing"
)

func TestSummarize(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want Summary
		err  string // part of it; empty: none
	}{
		"deployment": {
			body: full,
			want: Summary{Deployment: true},
		},
		"ping": {
			body: `{"zen":"…","hook_id":3,"repository":null}`,
			want: Summary{HookID: 3},
		},
		"deployment_status": {
			body: `{"deployment":{"id":42},"deployment_status":{}}`,
			want: Summary{Deployment: true},
		},
		"other types": {
			body: `{"action":[],"hook_id":"x","deployment":"y","repository":[1]}`,
			want: Summary{Deployment: true},
		},
		"other types of ids": {
			body: `{"deployment":{"id":{}},"repository":{"id":1.5}}`,
			want: Summary{Deployment: true},
		},
		"other fields": {
			body: `{"status":"ok"}`,
		},
		"not UTF-8": {
			body: "{\"action\":\"\xff\"}",
		},
		"not JSON": {
			body: `{`,
			err:  "not JSON",
		},
		"null": {
			body: "\n null",
			err:  "null",
		},
		"array": {
			body: `[]`,
			err:  "array",
		},
		"nested too deeply": {
			body: strings.Repeat(`{"deployment":`, 20000),
			err:  "deep",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Summarize([]byte(c.body))
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error: got %v, want %q", err, c.err)
			}
		})
	}
}
