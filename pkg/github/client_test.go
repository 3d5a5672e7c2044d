package github

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestClient_TokenWritesAndReads(t *testing.T) {
	tests := []struct {
		name, basePath string
	}{
		{name: "github.com", basePath: ""},
		{name: "enterprise", basePath: "/api/v3"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, o, req := newSimulation(t, sim.Options{BasePath: tt.basePath})
			c := newClient(t, o)
			for _, report := range []deployment.Report{running, success} {
				if got := c.WriteStatus(t.Context(), req, report); got.Kind != deployment.WriteDone {
					t.Fatalf("write %s: got %+v, want done", report.State, got)
				}
			}

			got, err := c.Statuses(t.Context(), req)
			if err != nil || len(got) != 2 {
				t.Fatalf("statuses: got %+v (%v), want 2", got, err)
			}

			first := got[0]
			if first.State != deployment.GitHubInProgress || first.LogURL != running.LogURL ||
				first.CreatorLogin != "seraph-bot" {
				t.Errorf("first status: got %+v, want %+v by seraph-bot", first, running)
			}

			if n := s.Writes(); n != 2 {
				t.Errorf("got %d writes, want 2", n)
			}
		})
	}
}

// A 200 without a list must not be taken for "no status yet": the deployment would run twice.
func TestClient_EmptyResponseIsNotAnEmptyList(t *testing.T) {
	for _, text := range []string{"", "null", "{}", "[", "<html>"} {
		t.Run(text, func(t *testing.T) {
			c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/repositories/") {
					_, _ = io.WriteString(w, `{"id":7,"full_name":"acme/api"}`)
					return
				}

				_, _ = io.WriteString(w, text)
			})

			src := deployment.Source{Repository: request.Repository}
			if got, err := c.Statuses(t.Context(), request); err == nil {
				t.Errorf("statuses: got %v, want an error", got)
			}
			if got, err := c.Deployments(t.Context(), src, now, 5); err == nil {
				t.Errorf("deployments: got %v, want an error", got)
			}
			if got, err := c.ResolveRepository(t.Context(), "acme", "api"); err == nil {
				t.Errorf("repository: got %v, want an error", got)
			}
		})
	}
}

func TestNew_RejectsIncompleteOptions(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*Options)
	}{
		{name: "no URL", spoil: func(o *Options) { o.BaseURL = nil }},
		{name: "no credential", spoil: func(o *Options) { o.Token = "" }},
		{name: "two credentials", spoil: func(o *Options) { o.AppID = 1 }},
		{name: "App without key", spoil: func(o *Options) { o.Token, o.AppID = "", 1 }},
		{name: "no HTTP client", spoil: func(o *Options) { o.HTTP = nil }},
		{
			name:  "HTTP client that follows redirects",
			spoil: func(o *Options) { o.HTTP = &http.Client{Transport: http.DefaultTransport} },
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := testOptions(t, "https://api.github.com")
			tt.spoil(&o)
			if _, err := New(o); err == nil {
				t.Error("got no error")
			}
		})
	}
}

// go-github blocks a client after one limited call, in its own way. Here writes and reads are made again
// when this package's own pause is over.
func TestClient_NoCallIsBlockedAfterPause(t *testing.T) {
	const secondary = `{"message":"secondary rate limit",` +
		`"documentation_url":"https://docs.github.com/rest#about-secondary-rate-limits"}`
	tests := []struct {
		name      string
		status    int
		remaining string
		body      string
	}{
		{name: "primary 403", status: 403, remaining: "0", body: "{}"},
		{name: "primary 429", status: 429, remaining: "0", body: "{}"},
		{name: "secondary 403", status: 403, remaining: "9", body: secondary},
		{name: "last call of the window", status: 201, remaining: "0", body: `{"id":3}`},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				switch {
				case calls == 1:
					w.Header().Set("X-RateLimit-Limit", "5000")
					w.Header().Set("X-RateLimit-Remaining", tt.remaining)
					w.Header().Set("X-RateLimit-Reset", "4102444800") // in the year 2100
					w.WriteHeader(tt.status)
					_, _ = io.WriteString(w, tt.body)
				case r.Method == http.MethodPost:
					w.WriteHeader(http.StatusCreated)
					_, _ = io.WriteString(w, `{"id":3}`)
				default:
					_, _ = io.WriteString(w, `[]`)
				}
			})

			c.WriteStatus(t.Context(), request, success)
			endPause(c)
			wantWrite(t, c, request, deployment.WriteDone)
			if _, err := c.Statuses(t.Context(), request); err != nil {
				t.Errorf("statuses: got error %v", err)
			}
		})
	}
}

// go-github would follow a redirected POST as a GET and take its 200 for success.
func TestClient_RedirectedWriteIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{"/elsewhere", "http://127.0.0.1:1/elsewhere", "http://%zz", ""} {
			t.Run(fmt.Sprintf("%d to %q", status, location), func(t *testing.T) {
				followed, written := 0, 0
				c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
					switch {
					case r.URL.Path == "/elsewhere":
						followed++
					case r.Method == http.MethodPost:
						written++
						w.Header().Set("Location", location)
						w.WriteHeader(status)
					default:
						_, _ = io.WriteString(w, `{"id":7,"full_name":"acme/api"}`)
					}
				})

				wantWrite(t, c, request, deployment.WriteRetry)
				if followed != 0 || written != 1 {
					t.Errorf("got %d redirects followed and %d writes, want 0 and 1", followed, written)
				}
			})
		}
	}
}
