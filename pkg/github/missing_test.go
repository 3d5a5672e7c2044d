package github

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Only a 404 says that there is no repository or person of a name. A token that is refused and an
// outage leave that open.
func TestByName_MissingOnlyAfter404(t *testing.T) {
	repository := deployment.Repository{ID: 7, Owner: "acme", Name: "api"}

	for status, want := range map[int]bool{404: true, 401: false, 403: false, 500: false, 503: false} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
			}))
			t.Cleanup(s.Close)

			base, err := url.Parse(s.URL + "/")
			if err != nil {
				t.Fatal(err)
			}

			transport := outbound.New(outbound.Options{Timeout: time.Minute})
			t.Cleanup(transport.CloseIdle)
			c, err := New(Options{BaseURL: base, Token: "token", HTTP: transport.Client()})
			if err != nil {
				t.Fatal(err)
			}

			_, err = c.ResolveRepository(t.Context(), "acme", "api")
			if err == nil || errors.Is(err, policy.ErrMissing) != want {
				t.Errorf("repository: got %v, want policy.ErrMissing: %v", err, want)
			}

			_, err = c.PersonByLogin(t.Context(), "alice", repository, 0)
			if err == nil || errors.Is(err, policy.ErrMissing) != want {
				t.Errorf("person: got %v, want policy.ErrMissing: %v", err, want)
			}
		})
	}
}
