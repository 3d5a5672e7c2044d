package github_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// clock is a time that only moves when told.
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

// TestPrimaryLimit spends a budget of two calls and waits for the next hour.
func TestPrimaryLimit(t *testing.T) {
	clock := newClock()
	s := setup(t, github.Options{Now: clock.now})
	s.SetBudget(2)
	for i, want := range []struct {
		status    int
		remaining string
	}{{status: 200, remaining: "1"}, {status: 200, remaining: "0"}, {status: 403, remaining: "0"}} {
		got := call(t, s, "GET", "/repos/"+repo, "")
		if got.status != want.status || got.header.Get("X-RateLimit-Remaining") != want.remaining {
			t.Errorf("call %d: %d with %s left", i, got.status, got.header.Get("X-RateLimit-Remaining"))
		}
	}

	clock.advance(time.Hour)
	if got := call(t, s, "GET", "/repos/"+repo, ""); got.status != 200 {
		t.Errorf("an hour later: %d", got.status)
	}
}

// TestWriteLimit: writes above the limit of a minute meet the secondary limit, reads do not.
func TestWriteLimit(t *testing.T) {
	clock := newClock()
	s := setup(t, github.Options{Now: clock.now, WriteLimit: 2})
	path := statusesPath(deploy(t, s, github.NewDeployment{}))
	for i, want := range []int{201, 201, 403} {
		got := call(t, s, "POST", path, `{"state":"queued"}`)
		if got.status != want || (want == 403) != (got.header.Get("Retry-After") == "60") {
			t.Errorf("write %d: %d, Retry-After %q", i, got.status, got.header.Get("Retry-After"))
		}
	}

	if got := call(t, s, "GET", path, ""); got.status != 200 || len(got.list) != 2 || s.Writes() != 2 {
		t.Errorf("read: %d, %d statuses, %d writes", got.status, len(got.list), s.Writes())
	}

	clock.advance(time.Minute)
	if got := call(t, s, "POST", path, `{"state":"queued"}`); got.status != 201 {
		t.Errorf("a minute later: %d", got.status)
	}
}

// TestEnterpriseServer lives below /api/v3 and sends no rate headers.
func TestEnterpriseServer(t *testing.T) {
	s := setup(t, github.Options{BasePath: "/api/v3"})
	d := deploy(t, s, github.NewDeployment{})
	got := call(t, s, "GET", fmt.Sprintf("/repos/%s/deployments/%d", repo, d.ID), "")
	if got.status != 200 || got.text("url") != fmt.Sprintf("%s/repos/%s/deployments/%d", s.URL(), repo, d.ID) {
		t.Errorf("got %d %v", got.status, got.body["url"])
	}

	for name := range got.header {
		if name == "X-Ratelimit-Limit" || name == "X-Ratelimit-Remaining" {
			t.Errorf("header %s", name)
		}
	}

	wantNoViolations(t, s)
}
