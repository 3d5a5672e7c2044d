package recovery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// busyHooks is one hook with a failed delivery of a deployment at since, and another delivery in each
// minute after it. Its first requests to repeat a delivery fail.
type busyHooks struct {
	now   func() time.Time
	since time.Time
	lost  int // failed deliveries
	fails int // requests that fail
	asked map[int64]int

	refused int64 // deliveries that GitHub will not repeat, the first ones
	names   []webhook.Hook
}

func (h *busyHooks) Hooks(context.Context, deployment.Repository, []string) ([]webhook.Hook, error) {
	if h.names != nil {
		return h.names, nil
	}
	return []webhook.Hook{"app/hook"}, nil
}

func (h *busyHooks) Deliveries(context.Context, webhook.Hook, string) ([]webhook.HookDelivery, string, error) {
	var page []webhook.HookDelivery
	for at := h.now(); at.After(h.since); at = at.Add(-time.Minute) {
		page = append(page, webhook.HookDelivery{
			ID:    at.Unix(),
			GUID:  fmt.Sprint(at.Unix()),
			Event: "push",
			Code:  200,
			At:    at,
		})
	}
	for i := range h.lost {
		page = append(page, webhook.HookDelivery{
			ID:    int64(i + 1),
			GUID:  fmt.Sprint("lost-", i+1),
			Event: "deployment",
			Code:  503,
			At:    h.since,
		})
	}

	return page, "", nil
}

func (h *busyHooks) Redeliver(_ context.Context, _ webhook.Hook, id int64) error {
	h.asked[id]++
	if id <= h.refused {
		return fmt.Errorf("%w: 422", webhook.ErrRedeliveryRefused)
	}
	if h.fails > 0 {
		h.fails--
		return errors.New("502")
	}

	return nil
}

// What GitHub will not repeat is given up after some tries, and keeps nothing else from being repeated.
func TestRedeliverFailed_RefusedForGood(t *testing.T) {
	r := newTestRecovery(t)
	r.now = r.now.Truncate(time.Minute)
	hooks := &busyHooks{
		now:     r.clock,
		since:   r.now.Add(-20 * time.Minute),
		lost:    60,
		refused: 50,
		asked:   map[int64]int{},
	}
	r.Hooks, r.Redeliver = hooks, true

	for range 6 * 24 {
		r.redeliverFailed(t.Context())
		r.pass(roundEvery)
	}

	for id := int64(1); id <= 60; id++ {
		if got := hooks.asked[id]; got == 0 || got > 5 {
			t.Errorf("delivery %d: got %d requests, want 1 to 5", id, got)
		}
	}
}

// The requests that GitHub fails for one hook leave some for the next hook.
func TestRedeliverFailed_SecondHook(t *testing.T) {
	r := newTestRecovery(t)
	r.now = r.now.Truncate(time.Minute)
	hooks := &twoHooks{busyHooks: busyHooks{
		now:   r.clock,
		since: r.now.Add(-20 * time.Minute),
		lost:  mostRedeliver,
		asked: map[int64]int{},
		names: []webhook.Hook{"orgs/acme/hooks/1", "orgs/acme/hooks/2"},
	}}
	r.Hooks, r.Redeliver = hooks, true

	for range 6 {
		r.redeliverFailed(t.Context())
		r.pass(roundEvery)
	}
	if !hooks.second {
		t.Error("got no look at the second hook within an hour, want one")
	}
	for id := range int64(mostRedeliver) {
		if got := hooks.asked[id+1]; got < 2 {
			t.Errorf("delivery %d of the first hook: got %d requests, want some", id+1, got)
		}
	}
}

// twoHooks fails all requests for the deliveries of its first hook. Its second hook has none.
type twoHooks struct {
	busyHooks
	second bool // it was read
}

func (h *twoHooks) Deliveries(ctx context.Context, hook webhook.Hook, c string) ([]webhook.HookDelivery, string, error) {
	if hook == h.names[1] {
		h.second = true
		return nil, "", nil
	}
	return h.busyHooks.Deliveries(ctx, hook, c)
}

func (h *twoHooks) Redeliver(_ context.Context, _ webhook.Hook, id int64) error {
	h.asked[id]++
	return errors.New("502")
}

// The next round comes although the clock was set back.
func TestRedeliverFailed_ClockSetBack(t *testing.T) {
	r := newTestRecovery(t)
	hooks := &busyHooks{now: r.clock, since: r.now.Add(-48 * time.Hour), lost: 1, asked: map[int64]int{}}
	r.Hooks, r.Redeliver = hooks, true
	r.redelivery.due = r.now.Add(24 * time.Hour)

	r.redeliverFailed(t.Context())
	if hooks.asked[1] != 1 {
		t.Errorf("got %d requests, want 1", hooks.asked[1])
	}
}

// A request that GitHub fails is made again, whatever else the hook delivers meanwhile, and only what
// GitHub took is counted.
func TestRedeliverFailed_AsksAgainAfterGitHubFailed(t *testing.T) {
	for name, c := range map[string]struct {
		lost  int
		fails int
		want  int // requests for the first delivery within a day
	}{
		"GitHub takes the request":       {lost: 1, fails: 0, want: 1},
		"GitHub fails once":              {lost: 1, fails: 1, want: 2},
		"GitHub fails for hours":         {lost: 1, fails: 40, want: 41},
		"GitHub fails for many requests": {lost: 90, fails: 500, want: 8},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRecovery(t)
			r.now = r.now.Truncate(time.Minute)
			hooks := &busyHooks{
				now:   r.clock,
				since: r.now.Add(-20 * time.Minute),
				lost:  c.lost,
				fails: c.fails,
				asked: map[int64]int{},
			}
			r.Hooks, r.Redeliver = hooks, true

			for range 6 * 24 {
				r.redeliverFailed(t.Context())
				r.pass(roundEvery)
			}

			if hooks.fails != 0 {
				t.Errorf("requests that GitHub was still to fail: got %d, want 0", hooks.fails)
			}
			for id := range int64(c.lost) {
				may, err := r.db.MayRedeliver(t.Context(), fmt.Sprint("lost-", id+1))
				if err != nil {
					t.Fatal(err)
				}
				if hooks.asked[id+1] == 0 {
					t.Errorf("delivery %d: got no request (may still be asked for: %v), want one", id+1, may)
				}
			}
			if got := hooks.asked[1]; got < c.want {
				t.Errorf("requests for the first delivery: got %d, want at least %d", got, c.want)
			}
		})
	}
}
