package slackapp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/notify"
)

// TestLimits_Person checks that one person cannot use up what GitHub answers: neither by lines, nor by buttons, nor by
// opening the home tab; that others are not held up; and that what asks GitHub nothing is not counted.
func TestLimits_Person(t *testing.T) {
	for _, row := range []struct {
		name string
		ask  func(w *world, user string)
		done func(w *world) int
	}{
		{
			name: "lines",
			ask:  func(w *world, user string) { _, _ = w.sim.Slash(user, room, "/seraph", "why #12") },
			done: func(w *world) int { return len(w.lines) },
		},
		{
			name: "buttons",
			ask:  func(w *world, user string) { w.click(user, w.card(waiting(w.now())), notify.VerbWhy) },
			done: func(w *world) int { return len(w.lines) },
		},
		{
			name: "home tab",
			ask:  func(w *world, user string) { _, _ = w.sim.HomeOpened(user) },
			done: func(w *world) int { return len(w.sim.Calls("views.publish")) },
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			for range command.PersonBurst + 3 {
				row.ask(w, "U0ALICE")
			}
			if got := row.done(w); got != command.PersonBurst {
				t.Errorf("got %d done, want %d", got, command.PersonBurst)
			}
			if want := []string{"too_many", "too_many", "too_many"}; !slices.Equal(w.refused, want) {
				t.Errorf("got %q refused, want %q", w.refused, want)
			}

			row.ask(w, "U0BOB")
			w.pass(time.Minute)
			row.ask(w, "U0ALICE")
			if got := row.done(w); got != command.PersonBurst+2 {
				t.Errorf("got %d done, want 2 more, for bob and a minute later", got)
			}
		})
	}

	t.Run("another try of a request", func(t *testing.T) {
		l := newLimits(time.Now)
		for i := range command.PersonBurst {
			l.allow(1, fmt.Sprint(i))
		}
		if !l.allow(1, "0") || l.allow(1, "new") {
			t.Error("got another answer to another try, or a new request allowed")
		}
	})
	t.Run("what does not ask GitHub", func(t *testing.T) {
		w := newWorld(t)
		for range command.PersonBurst + 1 {
			if _, err := w.sim.Slash("U0ALICE", room, "/seraph", "status"); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.private("U0ALICE"); len(w.refused) != 0 || strings.Contains(got, "too much") {
			t.Errorf("got %q, want answers", got)
		}
	})
}
