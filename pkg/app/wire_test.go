package app

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/github"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Only a 404 about the thing itself says that there is none: a token that was refused, or an
// outage, does not.
func TestMissingByName(t *testing.T) {
	for status, want := range map[int]bool{404: true, 401: false, 403: false, 500: false, 503: false} {
		s := httptest.NewServer(
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }),
		)
		t.Cleanup(s.Close)
		base, err := url.Parse(s.URL + "/")
		if err != nil {
			t.Fatal(err)
		}

		c, err := github.New(github.Options{
			BaseURL: base,
			Token:   "token",
			HTTP:    outbound.New(outbound.Options{Timeout: githubTimeout}).Client(),
		})

		if err != nil {
			t.Fatal(err)
		}

		_, repository := byName{c}.ResolveRepository(t.Context(), "acme", "api")
		_, person := byName{c}.PersonByLogin(t.Context(), "alice", deployment.Repository{
			ID:    7,
			Owner: "acme",
			Name:  "api",
		}, 0)

		for _, err := range []error{repository, person} {
			if err == nil || errors.Is(err, policy.ErrMissing) != want {
				t.Errorf("%d: %v", status, err)
			}
		}
	}
}
