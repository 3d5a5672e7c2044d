package github

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/webhook"
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

// A request that fails because of the delivery is distinguished from one that may succeed later.
func TestRedeliver_RefusedForGood(t *testing.T) {
	for _, c := range []struct {
		status int
		want   bool
	}{
		{status: http.StatusBadRequest, want: true},
		{status: http.StatusUnauthorized, want: false},
		{status: http.StatusForbidden, want: false},
		{status: http.StatusNotFound, want: true},
		{status: http.StatusRequestTimeout, want: false},
		{status: http.StatusUnprocessableEntity, want: true},
		{status: http.StatusTooManyRequests, want: false},
		{status: http.StatusBadGateway, want: false},
	} {
		t.Run(http.StatusText(c.status), func(t *testing.T) {
			client := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status) })
			err := client.Redeliver(t.Context(), "repos/acme/api/hooks/1", 5)
			if got := errors.Is(err, webhook.ErrRedeliveryRefused); err == nil || got != c.want {
				t.Errorf("refused for good: got %v (%v), want %v", got, err, c.want)
			}
		})
	}
}
