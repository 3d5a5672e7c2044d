package github

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

// limitedServer answers every call with a rate limit and counts the calls. The client's clock is the
// returned one.
func limitedServer(t *testing.T, header map[string]string) (*Client, *testClock, *atomic.Int32) {
	t.Helper()
	var calls atomic.Int32
	clock := &testClock{at: now}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Date", clock.now().Format(http.TimeFormat))
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message":"You have exceeded a secondary rate limit"}`)
	}))
	t.Cleanup(s.Close)

	o := testOptions(t, s.URL)
	o.Now = clock.now
	return newClient(t, o), clock, &calls
}

// Reads of an account are not made before the time that GitHub asked to wait, however many there are.
func TestRead_WaitsForRateLimit(t *testing.T) {
	for _, test := range []struct {
		name   string
		header map[string]string
		want   time.Duration
	}{
		{name: "Retry-After", header: map[string]string{"Retry-After": "3600"}, want: time.Hour},
		{
			name: "reset of the primary limit",
			header: map[string]string{
				"X-RateLimit-Remaining": "0",
				"X-RateLimit-Reset":     strconv.FormatInt(now.Add(30*time.Minute).Unix(), 10),
			},
			want: 30 * time.Minute,
		},
		{name: "no header", want: time.Minute},
		{name: "longer than any limit", header: map[string]string{"Retry-After": "86400"}, want: maxLimitWait},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, clock, calls := limitedServer(t, test.header)
			ask := func(id int64) error {
				_, err := c.Person(t.Context(), id, request.Repository, 0)
				return err
			}

			if err := ask(1); err == nil {
				t.Fatal("got no error")
			}
			for id := range int64(60) {
				clock.advance(test.want / 61)
				var failed *Error
				if err := ask(id + 2); !errors.As(err, &failed) || failed.Kind != KindLimited || failed.RetryAfter <= 0 {
					t.Fatalf("got %v, want an error of the kind %q with a wait", err, KindLimited)
				}
			}
			if got := calls.Load(); got != 1 {
				t.Errorf("got %d calls during the limit, want 1", got)
			}

			clock.advance(test.want / 61 * 2)
			_ = ask(99)
			if got := calls.Load(); got != 2 {
				t.Errorf("got %d calls after the limit, want 2", got)
			}
		})
	}
}

// What one credential has used up does not keep another one from its calls.
func TestRead_LimitIsOfOneAccount(t *testing.T) {
	s, c, req := newAppSimulation(t, sim.Options{})
	if err := s.NextNamed(sim.OpGetAccount, "secondary-403-bare", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Person(t.Context(), 1, req.Repository, 4); err == nil {
		t.Fatal("got no error")
	}

	// The App itself is another credential than its installation.
	if _, err := c.Identity(t.Context()); err != nil {
		t.Errorf("the App: got error %v", err)
	}

	before := s.Calls()[sim.OpGetRepository]
	if _, err := c.Repository(t.Context(), req.Repository, 4); err == nil {
		t.Error("the installation: got no error")
	}
	if got := s.Calls()[sim.OpGetRepository]; got != before {
		t.Errorf("got %d calls of the installation, want none", got-before)
	}
}

// A clock that was set back does not prolong a limit.
func TestRead_LimitAndClockSetBack(t *testing.T) {
	c, clock, calls := limitedServer(t, map[string]string{"Retry-After": "60"})
	_, _ = c.Repository(t.Context(), request.Repository, 0)
	clock.advance(-24 * time.Hour)
	_, _ = c.Repository(t.Context(), request.Repository, 0)
	if got := calls.Load(); got != 2 {
		t.Errorf("got %d calls, want 2", got)
	}
	_, _ = c.Repository(t.Context(), request.Repository, 0)
	if got := calls.Load(); got != 2 {
		t.Errorf("got %d calls after the new limit, want 2", got)
	}
}

// A limit counts for all calls of an account: one that a read has met holds writes back, and the other
// way around, neither for more than a minute.
func TestLimit_HoldsReadsAndWrites(t *testing.T) {
	t.Run("met by a read", func(t *testing.T) {
		c, _, calls := limitedServer(t, map[string]string{"Retry-After": "3600"})
		_, _ = c.Repository(t.Context(), request.Repository, 0)
		if got := wantWrite(t, c, request, deployment.WritePaced); got.After > maxPause {
			t.Errorf("got a wait of %v, want at most %v", got.After, maxPause)
		}
		if got := calls.Load(); got != 1 {
			t.Errorf("got %d calls, want 1", got)
		}
	})

	t.Run("met by a write", func(t *testing.T) {
		c, clock, calls := limitedServer(t, map[string]string{"Retry-After": "3600"})
		wantWrite(t, c, request, deployment.WriteRetry)
		_, _ = c.Repository(t.Context(), request.Repository, 0)
		if got := calls.Load(); got != 1 {
			t.Errorf("got %d calls, want 1", got)
		}

		clock.advance(maxPause)
		_, _ = c.Repository(t.Context(), request.Repository, 0)
		if got := calls.Load(); got != 2 {
			t.Errorf("after the pause: got %d calls, want 2", got)
		}
	})

	t.Run("met by a write, no calls remain", func(t *testing.T) {
		c, clock, calls := limitedServer(t, map[string]string{"X-RateLimit-Remaining": "0", "Retry-After": "3600"})
		wantWrite(t, c, request, deployment.WriteRetry)
		clock.advance(maxPause)
		_, _ = c.Repository(t.Context(), request.Repository, 0)
		if got := calls.Load(); got != 1 {
			t.Errorf("got %d calls, want 1", got)
		}
	})
}

// An error that says when to try again is kept that long, and not longer than a minute.
func TestCache_KeepsErrorsAsLongAsGitHubSays(t *testing.T) {
	var calls atomic.Int32
	clock := &testClock{at: now}
	c := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	c.options.Now = clock.now

	ask := func() { _, _ = c.Person(t.Context(), 1, request.Repository, 0) }
	ask()
	clock.advance(29 * time.Second)
	ask()
	if got := calls.Load(); got != 1 {
		t.Errorf("after 29 s: got %d calls, want 1", got)
	}

	clock.advance(time.Second)
	ask()
	if got := calls.Load(); got != 2 {
		t.Errorf("after 30 s: got %d calls, want 2", got)
	}
}

// A repository that was looked up is remembered for a minute, and one that is not there is looked up again.
func TestResolveRepository_IsRemembered(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		if _, err := s.ResolveRepository(t.Context(), "acme", "new"); !errors.Is(err, policy.ErrMissing) {
			t.Fatalf("got error %v, want %v", err, policy.ErrMissing)
		}
		s.sim.AddRepository("acme/new")
		if _, err := s.ResolveRepository(t.Context(), "acme", "new"); err != nil {
			t.Fatalf("one that was made since: got error %v", err)
		}

		before := s.sim.Calls()
		lookUps := func() int {
			calls := s.sim.Calls()
			return calls[sim.OpGetRepository] - before[sim.OpGetRepository] +
				calls[sim.OpGetInstallation] - before[sim.OpGetInstallation]
		}
		for _, name := range []string{"new", "New", "NEW"} {
			s.clock.advance(15 * time.Second)
			if found, err := s.ResolveRepository(t.Context(), "acme", name); err != nil || found.Repository.Name != "new" {
				t.Fatalf("got %+v (%v), want acme/new", found, err)
			}
		}
		if got := lookUps(); got != 0 {
			t.Errorf("within a minute: got %d look-ups, want none", got)
		}

		s.clock.advance(ttlFact)
		if _, err := s.ResolveRepository(t.Context(), "acme", "new"); err != nil {
			t.Fatal(err)
		}
		if got := lookUps(); got != 1 {
			t.Errorf("after a minute: got %d look-ups, want 1", got)
		}
	})
}
