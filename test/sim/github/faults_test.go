package github_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// TestFaults_StatusWrite makes a status write fail with each named fault, and the next one succeed.
func TestFaults_StatusWrite(t *testing.T) {
	type want struct {
		status  int    // 0: no readable response
		header  string // name=value
		written bool   // the write had its effect
	}

	cases := map[string]want{
		"primary-403":        {status: 403, header: "X-Ratelimit-Remaining=0"},
		"primary-429":        {status: 429, header: "X-Ratelimit-Remaining=0"},
		"secondary-403":      {status: 403, header: "Retry-After=2"},
		"secondary-429":      {status: 429, header: "Retry-After=2"},
		"secondary-403-bare": {status: 403, header: "Retry-After="},
		"secondary-429-bare": {status: 429, header: "Retry-After="},
		"forbidden":          {status: 403},
		"bad-credentials":    {status: 401},
		"not-found":          {status: 404},
		"max-statuses":       {status: 422},
		"no-push":            {status: 403},
		"not-in-plan":        {status: 403},
		"no-check-runs":      {status: 200},
		"server-error":       {status: 502, header: "Content-Type=text/html"},
		"unavailable":        {status: 503, header: "Content-Type=text/html"},
		"no-answer":          {},
		"lost-answer":        {written: true},
		"half-answer":        {written: true},
		"late-error":         {status: 502, header: "Content-Type=text/html", written: true},
		"webhook-first":      {status: 201, written: true},
		"webhook-last":       {status: 201, written: true},
		"slow":               {}, // not tested: it takes three seconds
	}

	if len(cases) != len(github.Faults()) {
		t.Errorf("got faults %v, want those of the table", github.Faults())
	}

	for name, c := range cases {
		if name == "slow" {
			continue
		}

		t.Run(name, func(t *testing.T) {
			s := setup(t, github.Options{})
			d := deploy(t, s, github.NewDeployment{})
			if err := s.NextNamed(github.OpCreateStatus, name, 1); err != nil {
				t.Fatal(err)
			}

			got := try(t, s, statusesPath(d))
			if got.status != c.status {
				t.Errorf("got %d, want %d", got.status, c.status)
			}
			if header, value, some := strings.Cut(c.header, "="); some && got.header.Get(header) != value {
				t.Errorf("got %s %q, want %q", header, got.header.Get(header), value)
			}
			if written := len(s.Statuses(repo, d.ID)) == 1; written != c.written {
				t.Errorf("got written %t, want %t", written, c.written)
			}
			if again := try(t, s, statusesPath(d)); again.status != 201 {
				t.Errorf("got %d for the next call, want 201", again.status)
			}

			wantNoViolations(t, s)
		})
	}
}

// try posts a status. The reply has status 0 when no complete response arrives.
func try(t *testing.T, s *github.Server, path string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL()+path, strings.NewReader(`{"state":"queued"}`))
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Authorization", "token "+github.DefaultToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return reply{}
	}

	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		return reply{}
	}

	return reply{status: resp.StatusCode, header: resp.Header}
}

// TestScenarios_CreateDeployment plays every scenario. Each creates its deployment.
func TestScenarios_CreateDeployment(t *testing.T) {
	seen := map[string]bool{}
	for _, scenario := range github.Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			if seen[scenario.Name] || scenario.About == "" {
				t.Error("the name is used twice, or About is empty")
			}

			seen[scenario.Name] = true
			s, _ := setupWithWebhook(t, github.Options{})
			d, err := s.Play(scenario.Name, repo, github.NewDeployment{Ref: "main", Environment: "staging"})
			if err != nil || d.ID == 0 {
				t.Fatal(err)
			}

			wantNoViolations(t, s)
		})
	}

	s := setup(t, github.Options{})
	if _, err := s.Play("nonsense", repo, github.NewDeployment{}); !says(err, "--scenarios") {
		t.Errorf("got %v for an unknown scenario, want a hint at --scenarios", err)
	}
}
