package github

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Only a missing right means that a list has no webhooks for us: callers keep the result for a day,
// so it must not come from a rate limit.
func TestHooks_UnreadableList(t *testing.T) {
	const orgHooks = `[{"id":3,"active":true,"config":{"url":"https://us"}},` +
		`{"id":4,"active":true,"config":{"url":"https://them"}}]`
	tests := []struct {
		name     string
		status   int // of the repository's list
		header   map[string]string
		body     string
		wantKind Kind // of the error; empty: the webhooks of the organization are returned
	}{
		{
			name:   "missing right",
			status: 403,
			body:   `{"message":"Resource not accessible by personal access token"}`,
		},
		{
			name:   "not visible",
			status: 404,
			body:   `{"message":"Not Found"}`,
		},
		{
			name:     "primary limit",
			status:   403,
			header:   map[string]string{"X-RateLimit-Remaining": "0"},
			body:     `{"message":"API rate limit exceeded"}`,
			wantKind: KindLimited,
		},
		{
			name:     "secondary limit",
			status:   403,
			header:   map[string]string{"Retry-After": "60"},
			body:     `{"message":"You have exceeded a secondary rate limit"}`,
			wantKind: KindLimited,
		},
		{
			name:     "too many requests",
			status:   429,
			body:     `{}`,
			wantKind: KindLimited,
		},
		{
			name:     "rejected credentials",
			status:   401,
			body:     `{"message":"Bad credentials"}`,
			wantKind: KindDenied,
		},
		{
			name:     "bad gateway",
			status:   502,
			wantKind: KindUnknown,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/orgs/") {
					_, _ = io.WriteString(w, orgHooks)
					return
				}

				for k, v := range tt.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})

			got, err := c.Hooks(t.Context(), request.Repository, []string{"https://us"})
			if tt.wantKind == "" {
				if err != nil || fmt.Sprint(got) != "[orgs/acme/hooks/3]" {
					t.Errorf("got %v (%v), want orgs/acme/hooks/3", got, err)
				}
				return
			}

			var failed *Error
			if !errors.As(err, &failed) || failed.Kind != tt.wantKind {
				t.Errorf("got %v (%v), want an error of kind %s", got, err, tt.wantKind)
			}
		})
	}
}
