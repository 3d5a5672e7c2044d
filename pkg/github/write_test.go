package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

// The body says what was decided and nothing else: no environment, no auto_inactive.
func TestWriteStatus_Body(t *testing.T) {
	var got map[string]any
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		got = nil
		_ = json.NewDecoder(r.Body).Decode(&got)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":3}`)
	})

	tests := []struct {
		name   string
		report deployment.Report
		want   map[string]any
	}{
		{
			name: "all fields",
			report: deployment.Report{
				State:          deployment.GitHubSuccess,
				Description:    "Deployed",
				LogURL:         "https://l",
				EnvironmentURL: "https://e",
				Final:          true,
			},
			want: map[string]any{
				"state":           "success",
				"description":     "Deployed",
				"log_url":         "https://l",
				"environment_url": "https://e",
			},
		},
		{
			name:   "state only",
			report: deployment.Report{State: deployment.GitHubQueued},
			want:   map[string]any{"state": "queued", "description": ""},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := c.WriteStatus(t.Context(), request, tt.report)
			if out.Kind != deployment.WriteDone || out.StatusID != 3 {
				t.Fatalf("got %+v, want done with status 3", out)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("body: got %v, want %v", got, tt.want)
			}
		})
	}
}

// statusRange is a range of HTTP statuses that a write is answered with, and what comes of it.
type statusRange struct {
	from, to int
	want     deployment.WriteKind
}

// failedWrites lists the outcome of a write for every status from 300 to 599.
var failedWrites = []statusRange{
	{from: 300, to: 399, want: deployment.WriteRetry}, // redirects: the repository may be renamed
	{from: 400, to: 400, want: deployment.WriteDropped},
	{from: 401, to: 401, want: deployment.WriteRetry}, // credentials
	{from: 402, to: 402, want: deployment.WriteDropped},
	{from: 403, to: 403, want: deployment.WriteRetry}, // rights, or a rate limit
	{from: 404, to: 404, want: deployment.WriteRetry}, // rights, or a renamed repository
	{from: 405, to: 407, want: deployment.WriteDropped},
	{from: 408, to: 408, want: deployment.WriteRetry}, // the request did not arrive
	{from: 409, to: 421, want: deployment.WriteDropped},
	{from: 422, to: 422, want: deployment.WriteDropped}, // but see the answer "full"
	{from: 423, to: 428, want: deployment.WriteDropped},
	{from: 429, to: 429, want: deployment.WriteRetry}, // a rate limit
	{from: 430, to: 499, want: deployment.WriteDropped},
	{from: 500, to: 599, want: deployment.WriteUnknown},
}

// writeAnswer is what the server answers a write with, apart from the status. Its clock shows now.
type writeAnswer struct {
	name             string
	header           map[string]string
	message          string
	documentationURL string

	after     time.Duration                // the outcome's After, for all statuses
	limitedBy map[int]time.Duration        // but for these
	kinds     map[int]deployment.WriteKind // statuses with another outcome than in failedWrites
}

// Unix times: 1795348800 is now, 1795350600 half an hour later.
var writeAnswers = []writeAnswer{
	{
		name:             "plain",
		message:          "no",
		documentationURL: "https://docs.github.com/rest",
		limitedBy:        map[int]time.Duration{429: time.Minute},
	},
	{
		name:      "Retry-After in seconds",
		header:    map[string]string{"Retry-After": "9"},
		message:   "no",
		after:     9 * time.Second,
		limitedBy: map[int]time.Duration{403: 9 * time.Second, 429: 9 * time.Second},
	},
	{
		name:      "Retry-After as a date",
		header:    map[string]string{"Retry-After": "Sun, 22 Nov 2026 12:01:00 GMT"},
		message:   "no",
		after:     time.Minute,
		limitedBy: map[int]time.Duration{403: time.Minute, 429: time.Minute},
	},
	{
		name:      "Retry-After of 0",
		header:    map[string]string{"Retry-After": "0"},
		message:   "no",
		limitedBy: map[int]time.Duration{403: time.Second, 429: time.Second},
	},
	{
		name:      "no calls remain",
		header:    map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795350600"},
		message:   "no",
		limitedBy: map[int]time.Duration{403: 30 * time.Minute, 429: 30 * time.Minute},
	},
	{
		name:      "no calls remain, no reset",
		header:    map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": ""},
		message:   "no",
		limitedBy: map[int]time.Duration{403: time.Minute, 429: time.Minute},
	},
	{
		name:      "no calls remain, reset in years",
		header:    map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9999999999"},
		message:   "no",
		limitedBy: map[int]time.Duration{403: 61 * time.Minute, 429: 61 * time.Minute},
	},
	{
		name:      "no calls remain, reset is past",
		header:    map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"},
		message:   "no",
		limitedBy: map[int]time.Duration{403: time.Second, 429: time.Second},
	},
	{
		name: "Retry-After and no calls remain",
		header: map[string]string{
			"Retry-After":           "9",
			"X-RateLimit-Remaining": "0",
			"X-RateLimit-Reset":     "1795350600",
		},
		message:   "no",
		after:     9 * time.Second,
		limitedBy: map[int]time.Duration{403: 9 * time.Second, 429: 9 * time.Second},
	},
	{
		name:      "secondary limit by message",
		header:    map[string]string{"X-RateLimit-Remaining": "99", "X-RateLimit-Reset": "1795350600"},
		message:   "You have exceeded a secondary rate limit",
		limitedBy: map[int]time.Duration{403: time.Minute, 429: time.Minute},
	},
	{
		name:    "secondary limit by link",
		header:  map[string]string{"X-RateLimit-Remaining": "99", "X-RateLimit-Reset": "1795350600"},
		message: "no",
		documentationURL: "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api" +
			"#about-secondary-rate-limits",
		limitedBy: map[int]time.Duration{403: time.Minute, 429: time.Minute},
	},
	{
		name:      "abuse detection",
		header:    map[string]string{"X-RateLimit-Remaining": "99", "X-RateLimit-Reset": "1795350600"},
		message:   "You have triggered an abuse detection mechanism",
		limitedBy: map[int]time.Duration{403: time.Minute, 429: time.Minute},
	},
	{
		name:      "full",
		message:   "This deployment has reached the maximum number of statuses.",
		limitedBy: map[int]time.Duration{429: time.Minute},
		kinds:     map[int]deployment.WriteKind{422: deployment.WriteFull},
	},
}

// failingServer answers writes with a status and an answer. The look-up of the repository by its id
// succeeds.
type failingServer struct {
	status int
	answer writeAnswer
	writes int
}

func (s *failingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, `{"id":7,"full_name":"acme/api"}`)
		return
	}

	s.writes++
	w.Header().Set("Date", now.Format(http.TimeFormat))
	for k, v := range s.answer.header {
		w.Header().Set(k, v)
	}

	w.WriteHeader(s.status)
	if s.status != http.StatusNotModified {
		_, _ = fmt.Fprintf(
			w,
			`{"message":%q,"documentation_url":%q}`,
			s.answer.message,
			s.answer.documentationURL,
		)
	}
}

// Every status, with and without the headers and texts that change its meaning.
func TestWriteStatus_OutcomeByStatus(t *testing.T) {
	covered := map[int]bool{}
	for _, statuses := range failedWrites {
		for status := statuses.from; status <= statuses.to; status++ {
			covered[status] = true
		}
	}
	if len(covered) != 300 || !covered[300] || !covered[599] {
		t.Fatalf("failedWrites: got %d statuses, want all from 300 to 599", len(covered))
	}

	server := &failingServer{}
	c := newClientWith(t, server.ServeHTTP)
	for _, answer := range writeAnswers {
		t.Run(answer.name, func(t *testing.T) {
			server.answer = answer
			for _, statuses := range failedWrites {
				t.Run(fmt.Sprintf("%d-%d", statuses.from, statuses.to), func(t *testing.T) {
					wantFailedWrites(t, c, server, statuses)
				})
			}
		})
	}
}

func wantFailedWrites(t *testing.T, c *Client, server *failingServer, statuses statusRange) {
	t.Helper()
	for status := statuses.from; status <= statuses.to; status++ {
		want := deployment.WriteOutcome{Kind: statuses.want, After: server.answer.after}
		if kind, ok := server.answer.kinds[status]; ok {
			want.Kind = kind
		}
		if after, ok := server.answer.limitedBy[status]; ok {
			want.After = after
		}

		server.status, server.writes = status, 0
		endPause(c)
		got := c.WriteStatus(t.Context(), request, success)
		if got.Kind != want.Kind || got.After != want.After {
			t.Errorf("%d: got %s after %v (%s), want %s after %v",
				status, got.Kind, got.After, got.Cause, want.Kind, want.After)
		}

		if server.writes != 1 {
			t.Errorf("%d: got %d writes, want 1", status, server.writes)
		}
		if strings.Contains(got.Cause, sim.DefaultToken) {
			t.Fatalf("%d: the cause holds the token: %s", status, got.Cause)
		}
	}
}

// GitHub's clock says when a limit ends, not ours.
func TestWriteStatus_ResetIsTimeOfServer(t *testing.T) {
	server := &failingServer{status: http.StatusForbidden, answer: writeAnswer{
		header:  map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795350600"},
		message: "no",
	}}

	c := newClientWith(t, server.ServeHTTP)
	c.options.Now = func() time.Time { return now.Add(10 * time.Minute) }
	if got := c.WriteStatus(t.Context(), request, success); got.After != 30*time.Minute {
		t.Errorf("with a clock 10 minutes ahead: got a wait of %v, want 30m", got.After)
	}
}

func TestWriteStatus_UnknownOutcome(t *testing.T) {
	tests := []struct {
		name    string
		noReply bool // the connection is closed without a response
		status  int
		body    string
	}{
		{name: "reset", noReply: true},
		{name: "truncated", status: 201, body: `{"id":`},
		{name: "empty", status: 201, body: ""},
		{name: "no id", status: 201, body: `{}`},
		{name: "200", status: 200, body: `{"id":3}`},
		{name: "accepted", status: 202, body: `{}`},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.noReply {
					panic(http.ErrAbortHandler)
				}

				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})

			wantWrite(t, c, request, deployment.WriteUnknown)
		})
	}
}

func TestWriteStatus_NoConnectionIsRetried(t *testing.T) {
	wantWrite(t, newClient(t, testOptions(t, "http://127.0.0.1:1")), request, deployment.WriteRetry)
}

func TestWriteStatus_InvalidNameIsDropped(t *testing.T) {
	c := newClient(t, testOptions(t, "http://127.0.0.1:1"))
	for _, name := range []string{"..", ".", "", "a/b", "a?b", "a b", "ä"} {
		t.Run(name, func(t *testing.T) {
			bad := request
			bad.Repository.Name = name
			wantWrite(t, c, bad, deployment.WriteDropped)
			if _, err := c.ResolveRepository(t.Context(), "acme", name); !errors.Is(err, errInvalidName) {
				t.Errorf("resolve: got error %v, want %v", err, errInvalidName)
			}
		})
	}
}

// The faults that the simulated GitHub knows.
func TestWriteStatus_SimulatedFaults(t *testing.T) {
	tests := []struct {
		fault    string
		want     deployment.WriteKind
		limited  bool          // the outcome says how long to wait, and all writes are paused
		minAfter time.Duration // the least of that wait
	}{
		{fault: "primary-403", want: deployment.WriteRetry, limited: true, minAfter: 1},
		{fault: "primary-429", want: deployment.WriteRetry, limited: true, minAfter: 1},
		{fault: "secondary-403", want: deployment.WriteRetry, limited: true, minAfter: 1},
		{fault: "secondary-429", want: deployment.WriteRetry, limited: true, minAfter: 1},
		{fault: "secondary-403-bare", want: deployment.WriteRetry, limited: true, minAfter: time.Minute},
		{fault: "secondary-429-bare", want: deployment.WriteRetry, limited: true, minAfter: time.Minute},
		{fault: "forbidden", want: deployment.WriteRetry},
		{fault: "bad-credentials", want: deployment.WriteRetry},
		{fault: "not-found", want: deployment.WriteRetry},
		{fault: "max-statuses", want: deployment.WriteFull},
		{fault: "server-error", want: deployment.WriteUnknown},
		{fault: "unavailable", want: deployment.WriteUnknown},
		{fault: "no-answer", want: deployment.WriteUnknown},
		{fault: "lost-answer", want: deployment.WriteUnknown},
		{fault: "half-answer", want: deployment.WriteUnknown},
	}

	for _, tt := range tests {
		t.Run(tt.fault, func(t *testing.T) {
			s, o, req := newSimulation(t, sim.Options{})
			c := newClient(t, o)
			if err := s.NextNamed(sim.OpCreateStatus, tt.fault, 1); err != nil {
				t.Fatal(err)
			}

			if got := wantWrite(t, c, req, tt.want); got.After < tt.minAfter {
				t.Errorf("got a wait of %v, want at least %v", got.After, tt.minAfter)
			}

			if tt.limited {
				paused := wantWrite(t, c, req, deployment.WritePaced)
				if paused.After > time.Minute {
					t.Errorf("all writes: got a pause of %v, want at most 1m", paused.After)
				}

				endPause(c)
			}

			wantWrite(t, c, req, deployment.WriteDone) // nothing else keeps the client from writing
		})
	}
}
