package github

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

func TestError_SaysWhatToDo(t *testing.T) {
	needs := http.Header{"X-Accepted-Github-Permissions": {"deployments=write"}}
	const objects = `{"message":"Validation Failed","errors":[` +
		`{"field":"description","code":"custom","message":"too long"},{"field":"state","code":"invalid"}]}`
	tests := []struct {
		name      string
		operation string
		recorded  response
		want      string
	}{
		{
			name:      "missing permission",
			operation: opWrite,
			recorded:  response{status: 403, header: needs, body: []byte(`{"message":"no"}`)},
			want:      "GitHub write_status: 403 no (needs deployments=write)",
		},
		{
			name:      "details as objects",
			operation: opWrite,
			recorded:  response{status: 422, body: []byte(objects)},
			want:      "GitHub write_status: 422 Validation Failed: too long: state invalid",
		},
		{
			name:      "details as strings",
			operation: opWrite,
			recorded:  response{status: 422, body: []byte(`{"message":"no","errors":["a","b"]}`)},
			want:      "GitHub write_status: 422 no: a: b",
		},
		{
			name:      "details as one string",
			operation: opWrite,
			recorded:  response{status: 422, body: []byte(`{"message":"no","errors":"a"}`)},
			want:      "GitHub write_status: 422 no: a",
		},
		{
			name:      "HTML page of a proxy",
			operation: opWrite,
			recorded:  response{status: 502, body: []byte("<html>")},
			want:      "GitHub write_status: 502 Bad Gateway",
		},
		{
			name:      "rejected token",
			operation: opWrite,
			recorded:  response{status: 401, header: needs},
			want:      "GitHub write_status: 401 Unauthorized (the token has expired or was revoked)",
		},
		{
			name:      "App not installed",
			operation: opInstallation,
			recorded:  response{status: 404},
			want:      "GitHub installation: 404 Not Found (install the GitHub App on the repository)",
		},
		{
			name:      "rejected App",
			operation: opToken,
			recorded:  response{status: 401},
			want: "GitHub token: 401 Unauthorized " +
				"(check the App's id, its private key and this machine's clock)",
		},
		{
			name:      "not found",
			operation: opStatuses,
			recorded:  response{status: 404},
			want: "GitHub list_statuses: 404 Not Found " +
				"(it does not exist, or the credentials may not see it)",
		},
		{
			name:      "invalid body",
			operation: opStatuses,
			recorded:  response{status: 200},
			want:      "GitHub list_statuses: 200 invalid response: unexpected EOF",
		},
		{
			name:      "no response",
			operation: opStatuses,
			recorded:  response{},
			want:      "GitHub list_statuses: unexpected EOF",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := classify(tt.operation, tt.recorded, io.ErrUnexpectedEOF, now)
			if e.Error() != tt.want {
				t.Errorf("got  %s\nwant %s", e, tt.want)
			}
			if !errors.Is(e, io.ErrUnexpectedEOF) {
				t.Errorf("got cause %v, want %v", e.Err, io.ErrUnexpectedEOF)
			}
		})
	}
}

// Whatever an error response holds, its wait is bounded and its text fits on one line.
func FuzzClassify(f *testing.F) {
	f.Add(403, "9", "0", "1", []byte(`{"message":"no","errors":[{"code":"invalid"}]}`))
	f.Add(429, "soon", "", "99999999999999999999", []byte(`{"message":"no","errors":["a"]}`))
	f.Add(201, "-1", "x", "-5", []byte("<html>\n"))
	f.Fuzz(func(t *testing.T, status int, retryAfter, remaining, reset string, body []byte) {
		h := http.Header{
			"Retry-After":           {retryAfter},
			"X-Ratelimit-Remaining": {remaining},
			"X-Ratelimit-Reset":     {reset},
		}

		e := classify(opWrite, response{status: status, header: h, body: body}, io.EOF, now)
		if e.Kind == "" || e.RetryAfter < 0 || e.RetryAfter > outbound.MaxRetryAfter {
			t.Errorf("got %+v, want a kind and a wait within bounds", e)
		}
		if e.Kind == KindLimited && e.RetryAfter < time.Second {
			t.Errorf("got %+v, want a wait of at least 1s after a limit", e)
		}
		if text := e.Error(); len([]rune(text)) > 2*maxMessage || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("got text %q, want one short line", text)
		}
		if o := failedWrite(e); o.Kind == deployment.WriteDone || o.Kind == "" {
			t.Errorf("got outcome %+v, want a failed one", o)
		}
	})
}
