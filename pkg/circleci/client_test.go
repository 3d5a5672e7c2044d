package circleci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "very-secret-token"

var branch = deployment.Ref{Kind: deployment.RefBranch, Name: "main"}

// newClient returns a client of a CircleCI that answers with h.
func newClient(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	base, err := url.Parse(s.URL + "/api/v2/")
	if err != nil {
		t.Fatal(err)
	}

	transport := outbound.New(outbound.Options{Timeout: time.Minute})
	t.Cleanup(transport.CloseIdle)
	return New(Options{BaseURL: base, Token: token, HTTP: transport.Client(), UserAgent: "seraph/test"})
}

// answerWith answers every request with a status and a body.
func answerWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestError_HoldsNoSecret(t *testing.T) {
	c := newClient(t, answerWith(http.StatusUnauthorized, `{"message":"You must log in first."}`))
	_, err := c.Me(t.Context())
	if err == nil {
		t.Fatal("got no error for a 401")
	}
	if got := fmt.Sprintf("%v %+v", err, err); strings.Contains(got, token) {
		t.Errorf("got %q, which holds the token", got)
	}
}

func TestError_SaysWhatWasAnswered(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"with a message": {
			status: 404,
			body:   `{"message":"Project not found"}`,
			want:   "CircleCI project: answer 404: Project not found",
		},
		"with a long message": {
			status: 400,
			body:   `{"message":"` + strings.Repeat("é", 501) + `"}`,
			want:   "CircleCI project: answer 400: " + strings.Repeat("é", 500) + "…",
		},
		"of a proxy": {
			status: 502,
			body:   "<html>",
			want:   "CircleCI project: answer 502",
		},
		"cut short": {
			status: 200,
			body:   `{"id":"p`,
			want:   "CircleCI project: read answer 200: unexpected end of JSON input",
		},
		"without an id": {
			status: 200,
			body:   `{"slug":"gh/acme/api"}`,
			want:   "CircleCI project: read answer 200: project has no id or no slug",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, answerWith(tt.status, tt.body)).FindProject(t.Context(), "gh/acme/api")
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}

			var e *Error
			if !errors.As(err, &e) || e.Status != tt.status {
				t.Errorf("got %#v, want an Error with status %d", err, tt.status)
			}
		})
	}
}

// Whatever a body holds, reading it does not panic.
func FuzzPipeline(f *testing.F) {
	f.Add([]byte(`{"id":"p","vcs":{"revision":"x"},"trigger_parameters":[],"errors":[{}]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var p pipeline
		if json.Unmarshal(data, &p) == nil {
			p.facts()
		}

		var w page[workflow]
		if json.Unmarshal(data, &w) == nil {
			for _, item := range w.Items {
				item.facts()
			}
		}

		message(data)
		startedEvent(data)
		isCompiled(data)
	})
}
