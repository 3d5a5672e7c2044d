package github

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Only a missing right means that there are no hooks for us: what is cached for a day must not come
// from a rate limit.
func TestHooksThatMayNotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header map[string]string
		body   string
		kind   Kind // of the error; empty: none
	}{
		"no rights":      {403, nil, `{"message":"Resource not accessible by personal access token"}`, ""},
		"not to be seen": {404, nil, `{"message":"Not Found"}`, ""},
		"a primary limit": {
			403,
			map[string]string{"X-RateLimit-Remaining": "0"},
			`{"message":"API rate limit exceeded"}`,
			KindLimited,
		},
		"a secondary limit": {
			403,
			map[string]string{"Retry-After": "60"},
			`{"message":"You have exceeded a secondary rate limit"}`,
			KindLimited,
		},
		"too many":              {429, nil, `{}`, KindLimited},
		"credentials that died": {401, nil, `{"message":"Bad credentials"}`, KindDenied},
		"down":                  {502, nil, ``, KindUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/orgs/") {
					_, _ = fmt.Fprint(
						w,
						`[{"id":3,"active":true,"config":{"url":"https://us"}},{"id":4,"active":true,"config":{"url":"https://them"}}]`,
					)

					return
				}

				for k, v := range c.header {
					w.Header().Set(k, v)
				}

				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})

			hooks, err := client.Hooks(t.Context(), request.Repository, []string{"https://us"})
			var failed *Error
			if errors.As(err, &failed) != (c.kind != "") || failed != nil && failed.Kind != c.kind {
				t.Fatalf("%v, %v", hooks, err)
			}
			if c.kind == "" && fmt.Sprint(hooks) != "[orgs/acme/hooks/3]" {
				t.Errorf("%v", hooks)
			}
		})
	}
}
