package github

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

// wanted is what most tests ask GitHub for.
var wanted = deployment.NewDeployment{
	Ref:         "main",
	Task:        "deploy",
	Environment: "staging",
	Description: "alice via API: try it",
	Payload:     json.RawMessage(`{"seraph":{"nonce":"n1","by":{"id":12345678901234567890}}}`),
}

var source = deployment.Source{Repository: request.Repository}

// The request asks GitHub to merge nothing and to require no commit status.
func TestCreateDeployment_Body(t *testing.T) {
	var path string
	var got map[string]any
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		path, got = r.Method+" "+r.URL.Path, nil
		_ = json.NewDecoder(r.Body).Decode(&got)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":3,"sha":"abc","ref":"main","environment":"staging"}`)
	})

	tests := []struct {
		name   string
		in     deployment.Source
		wanted deployment.NewDeployment
		path   string
		want   map[string]any
	}{
		{
			name: "all fields, by id",
			in:   source,
			wanted: deployment.NewDeployment{
				Ref:         "topic",
				Task:        "deploy:db",
				Environment: "production",
				Description: "alice",
				Payload:     json.RawMessage(`{"a":"<b>"}`),
				Production:  true,
			},
			path: "POST /repositories/7/deployments",
			want: map[string]any{
				"ref":                    "topic",
				"task":                   "deploy:db",
				"environment":            "production",
				"description":            "alice",
				"payload":                map[string]any{"a": "<b>"},
				"production_environment": true,
				"auto_merge":             false,
				"required_contexts":      []any{},
			},
		},
		{
			name:   "few fields, by name",
			in:     deployment.Source{Repository: deployment.Repository{Owner: "acme", Name: "api"}},
			wanted: deployment.NewDeployment{Ref: "main", Task: "deploy", Environment: "production"},
			path:   "POST /repos/acme/api/deployments",
			want: map[string]any{
				"ref":                    "main",
				"task":                   "deploy",
				"environment":            "production",
				"description":            "",
				"production_environment": false,
				"auto_merge":             false,
				"required_contexts":      []any{},
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := c.CreateDeployment(t.Context(), tt.in, tt.wanted, time.Time{})
			if out.Kind != deployment.CreateDone {
				t.Fatalf("got %+v, want done", out)
			}
			if path != tt.path {
				t.Errorf("got %s, want %s", path, tt.path)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("body: got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCreateDeployment_Simulated(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		in := deployment.Source{Repository: s.repo, Installation: s.installation}
		out := s.CreateDeployment(t.Context(), in, wanted, time.Time{})
		if out.Kind != deployment.CreateDone || out.Cause != "" {
			t.Fatalf("got %+v, want done", out)
		}

		all := s.sim.Deployments()
		made := all[len(all)-1]
		want := sim.Deployment{
			ID:           made.ID,
			Repository:   "acme/api",
			RepositoryID: s.repo.ID,
			SHA:          sim.Commit("acme/api", "main"),
			Ref:          "main",
			Task:         "deploy",
			Environment:  "staging",
			Description:  wanted.Description,
			Payload:      wanted.Payload,
			Creator:      made.Creator,
			CreatorID:    made.CreatorID,
			App:          made.App,
			At:           made.At,
		}
		if len(all) != 2 || !reflect.DeepEqual(made, want) {
			t.Errorf("got %d deployments, with %+v, want %+v", len(all), made, want)
		}

		item, err := parseDeploymentItem(out.Body)
		if err != nil || item.ID != made.ID {
			t.Errorf("got body %s (%v), want deployment %d", out.Body, err, made.ID)
		}

		found, err := s.FindDeployments(t.Context(), in, want.SHA, "staging")
		if err != nil || len(found) != 1 {
			t.Fatalf("got %+v (%v), want one deployment", found, err)
		}

		again, err := parseDeploymentItem(found[0])
		if err != nil || !reflect.DeepEqual(again, item) {
			t.Errorf("found %+v (%v), want %+v", again, err, item)
		}

		r := item.request(in)
		if string(r.Payload) != string(wanted.Payload) || r.Creator.Login != made.Creator || r.App.Slug != made.App ||
			r.CreatedAt.IsZero() {
			t.Errorf("got %+v, want what was created", r)
		}
	})
}

// Every answer of GitHub's, and of a proxy in between, leads to one request and one outcome.
func TestCreateDeployment_OutcomeByAnswer(t *testing.T) {
	for _, tt := range createAnswers {
		t.Run(tt.name, func(t *testing.T) {
			var posts atomic.Int64
			c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
				posts.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				if tt.status == 0 {
					panic(http.ErrAbortHandler)
				}

				w.Header().Set("Date", now.Format(http.TimeFormat))
				for name, value := range tt.header {
					w.Header().Set(name, value)
				}
				if tt.cut {
					w.Header().Set("Content-Length", fmt.Sprint(len(tt.body)+10))
				}

				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
				if tt.cut {
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				}
			})

			got := c.CreateDeployment(t.Context(), source, wanted, time.Time{})
			if got.Kind != tt.want || got.After != tt.after {
				t.Errorf("got %s after %v (%s), want %s after %v", got.Kind, got.After, got.Cause, tt.want, tt.after)
			}
			if !strings.Contains(got.Cause, tt.cause) || (got.Cause == "") != (tt.want == deployment.CreateDone) {
				t.Errorf("got cause %q, want %q in it", got.Cause, tt.cause)
			}
			if strings.Contains(got.Cause, sim.DefaultToken) {
				t.Errorf("the cause holds the token: %s", got.Cause)
			}
			if got := posts.Load(); got != 1 {
				t.Errorf("got %d requests, want 1", got)
			}
		})
	}
}

// Nothing is sent: to a host that does not listen, after the time in which it may be sent, or to a path
// that a name would change.
func TestCreateDeployment_NotSent(t *testing.T) {
	calls := 0
	c := newClientWith(t, func(http.ResponseWriter, *http.Request) { calls++ })

	late := now.Add(-time.Nanosecond)
	if got := c.CreateDeployment(t.Context(), source, wanted, late); got.Kind != deployment.CreateNotSent || calls != 0 {
		t.Errorf("too late: got %+v and %d requests, want not sent", got, calls)
	}

	unreachable := newClient(t, testOptions(t, "http://127.0.0.1:1"))
	got := unreachable.CreateDeployment(t.Context(), source, wanted, time.Time{})
	if got.Kind != deployment.CreateNotSent {
		t.Errorf("no connection: got %+v, want not sent", got)
	}

	_, app, _ := newAppSimulation(t, sim.Options{})
	other := deployment.Source{Repository: deployment.Repository{Owner: "acme", Name: "other"}}
	got = app.CreateDeployment(t.Context(), other, wanted, time.Time{})
	if got.Kind != deployment.CreateRefused || !strings.Contains(got.Cause, "install the GitHub App") {
		t.Errorf("App not installed: got %+v, want refused", got)
	}

	invalid := deployment.Source{Repository: deployment.Repository{Owner: "acme", Name: ".."}}
	got = c.CreateDeployment(t.Context(), invalid, wanted, time.Time{})
	if got.Kind != deployment.CreateRefused || calls != 0 {
		t.Errorf("invalid name: got %+v and %d requests, want invalid", got, calls)
	}
}

// A request that may be sent until a time is sent before it.
func TestCreateDeployment_InTime(t *testing.T) {
	_, o, req := newSimulation(t, sim.Options{})
	c := newClient(t, o)
	in := deployment.Source{Repository: req.Repository}
	got := c.CreateDeployment(t.Context(), in, wanted, time.Now().Add(time.Minute))
	if got.Kind != deployment.CreateDone {
		t.Errorf("got %+v, want done", got)
	}
}

// Without a token nothing is sent to create a deployment.
func TestCreateDeployment_NoToken(t *testing.T) {
	tests := []struct {
		fault string
		want  deployment.CreateKind
	}{
		{fault: "not-found", want: deployment.CreateNotSent}, // the App was uninstalled, and perhaps installed again
		{fault: "bad-credentials", want: deployment.CreateNotSent},
		{fault: "primary-403", want: deployment.CreateNotSent},
		{fault: "server-error", want: deployment.CreateNotSent},
		{fault: "no-answer", want: deployment.CreateNotSent},
		{fault: "lost-answer", want: deployment.CreateNotSent},
	}

	for _, tt := range tests {
		t.Run(tt.fault, func(t *testing.T) {
			s, c, req := newAppSimulation(t, sim.Options{})
			if err := s.NextNamed(sim.OpCreateToken, tt.fault, 1); err != nil {
				t.Fatal(err)
			}

			in := deployment.Source{Repository: req.Repository, Installation: 4}
			got := c.CreateDeployment(t.Context(), in, wanted, time.Time{})
			if got.Kind != tt.want || s.Calls()[sim.OpCreateDeployment] != 0 {
				t.Errorf("got %+v with %d requests, want %s with none", got, s.Calls()[sim.OpCreateDeployment], tt.want)
			}

			endPauseOf(c, 4)
			c.app.limit.until = time.Time{} // the App itself asks for tokens
			if got := c.CreateDeployment(t.Context(), in, wanted, time.Time{}); got.Kind != deployment.CreateDone {
				t.Errorf("again: got %+v, want done", got)
			}
		})
	}
}

// What had its effect without an answer is found again, by its nonce.
func TestCreateDeployment_LostAnswerIsFound(t *testing.T) {
	for _, fault := range []string{"lost-answer", "half-answer", "late-error"} {
		t.Run(fault, func(t *testing.T) {
			forEachCredential(t, func(t *testing.T, s simulated) {
				in := deployment.Source{Repository: s.repo, Installation: s.installation}
				if err := s.sim.NextNamed(sim.OpCreateDeployment, fault, 1); err != nil {
					t.Fatal(err)
				}

				if got := s.CreateDeployment(t.Context(), in, wanted, time.Time{}); got.Kind != deployment.CreateUnknown {
					t.Errorf("got %+v, want unknown", got)
				}

				found, err := s.FindDeployments(t.Context(), in, sim.Commit("acme/api", "main"), "staging")
				if err != nil || len(found) != 1 || !strings.Contains(string(found[0]), `"nonce":"n1"`) {
					t.Errorf("got %s (%v), want the deployment", found, err)
				}
			})
		})
	}
}

// The pace of the account counts deployments as it counts statuses, and a rate limit holds both back.
func TestCreateDeployment_Paced(t *testing.T) {
	s, o, req := newSimulation(t, sim.Options{})
	o.WritesPerMinute = 4 // three of them for what is not final
	c, in := newClient(t, o), deployment.Source{Repository: req.Repository}
	for i := range 3 {
		if got := c.CreateDeployment(t.Context(), in, wanted, time.Time{}); got.Kind != deployment.CreateDone {
			t.Fatalf("deployment %d: got %+v, want done", i, got)
		}
	}

	got := c.CreateDeployment(t.Context(), in, wanted, time.Time{})
	if got.Kind != deployment.CreateNotSent || got.After <= 0 || !got.Paced || len(s.Deployments()) != 4 {
		t.Errorf("got %+v, want to wait for our own pace", got)
	}

	urgent := wanted
	urgent.Urgent = true
	if got := c.CreateDeployment(t.Context(), in, urgent, time.Time{}); got.Kind != deployment.CreateDone {
		t.Errorf("urgent: got %+v, want done", got)
	}
}

// A final report may be written when other writes may not.
func TestCreateDeployment_LeavesRoomForFinalReports(t *testing.T) {
	_, o, req := newSimulation(t, sim.Options{})
	o.WritesPerMinute = 4
	c, in := newClient(t, o), deployment.Source{Repository: req.Repository}
	for range 4 {
		c.CreateDeployment(t.Context(), in, wanted, time.Time{})
	}
	wantWrite(t, c, req, deployment.WriteDone) // it is final
}

func TestCreateDeployment_LimitPausesWrites(t *testing.T) {
	s, o, req := newSimulation(t, sim.Options{})
	c, in := newClient(t, o), deployment.Source{Repository: req.Repository}
	if err := s.NextNamed(sim.OpCreateDeployment, "secondary-403", 1); err != nil {
		t.Fatal(err)
	}

	got := c.CreateDeployment(t.Context(), in, wanted, time.Time{})
	if got.Kind != deployment.CreateNotSent || got.After != 2*time.Second {
		t.Errorf("got %+v, want to wait 2s", got)
	}
	if got := c.CreateDeployment(t.Context(), in, wanted, time.Time{}); got.After <= 0 || got.Paced {
		t.Errorf("got %+v, want to wait for GitHub's limit, which is not our own pace", got)
	}
	wantWrite(t, c, req, deployment.WritePaced)
}
