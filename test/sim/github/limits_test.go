package github_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// clock is a time that changes only by advance.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// TestLimits_Primary uses up a limit of two calls and waits for the next hour.
func TestLimits_Primary(t *testing.T) {
	clock := newClock()
	s := setup(t, github.Options{Now: clock.now})
	s.SetBudget(2)
	calls := []struct {
		name      string
		status    int
		remaining string
	}{
		{name: "first", status: 200, remaining: "1"},
		{name: "second", status: 200, remaining: "0"},
		{name: "third", status: 403, remaining: "0"},
	}

	for _, test := range calls {
		t.Run(test.name, func(t *testing.T) {
			got := call(t, s, "GET", "/repos/"+repo, "")
			remaining := got.header.Get("X-RateLimit-Remaining")
			if got.status != test.status || remaining != test.remaining {
				t.Errorf("got %d with %s remaining, want %d with %s", got.status, remaining, test.status, test.remaining)
			}
		})
	}

	clock.advance(time.Hour)
	if got := call(t, s, "GET", "/repos/"+repo, ""); got.status != 200 {
		t.Errorf("got %d an hour later, want 200", got.status)
	}
}

// TestLimits_Writes: the secondary limit refuses too many writes a minute, but no reads.
func TestLimits_Writes(t *testing.T) {
	clock := newClock()
	s := setup(t, github.Options{Now: clock.now, WriteLimit: 2})
	path := statusesPath(deploy(t, s, github.NewDeployment{}))
	for i, want := range []int{201, 201, 403} {
		got := call(t, s, "POST", path, `{"state":"queued"}`)
		if got.status != want || (want == 403) != (got.header.Get("Retry-After") == "60") {
			t.Errorf("write %d: got %d, Retry-After %q, want %d", i, got.status, got.header.Get("Retry-After"), want)
		}
	}

	if got := call(t, s, "GET", path, ""); got.status != 200 || len(got.list) != 2 || s.Writes() != 2 {
		t.Errorf("got %d, %d statuses, %d writes, want 200, 2, 2", got.status, len(got.list), s.Writes())
	}

	clock.advance(time.Minute)
	if got := call(t, s, "POST", path, `{"state":"queued"}`); got.status != 201 {
		t.Errorf("got %d a minute later, want 201", got.status)
	}
}

// TestEnterpriseServer_PathAndHeaders: the API is below /api/v3 and sends no rate limit headers.
func TestEnterpriseServer_PathAndHeaders(t *testing.T) {
	s := setup(t, github.Options{BasePath: "/api/v3"})
	d := deploy(t, s, github.NewDeployment{})
	got := call(t, s, "GET", fmt.Sprintf("/repos/%s/deployments/%d", repo, d.ID), "")
	if got.status != 200 || got.text("url") != fmt.Sprintf("%s/repos/%s/deployments/%d", s.URL(), repo, d.ID) {
		t.Errorf("got %d %v", got.status, got.body["url"])
	}

	for name := range got.header {
		if name == "X-Ratelimit-Limit" || name == "X-Ratelimit-Remaining" {
			t.Errorf("got header %s, want no rate limit headers", name)
		}
	}

	wantNoViolations(t, s)
}
