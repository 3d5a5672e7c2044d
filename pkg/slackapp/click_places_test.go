package slackapp

import (
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// TestClick_OnlyWhereItMayBeAsked checks that a button that deploys says before anything has to be typed that nobody
// may ask for that in this channel, and that other buttons work there.
func TestClick_OnlyWhereItMayBeAsked(t *testing.T) {
	for _, verb := range []notify.Verb{notify.VerbRollback, notify.VerbAgain} {
		t.Run(string(verb), func(t *testing.T) {
			w := newWorld(t)
			f := failed(w.now())
			f.Route.Ask = []string{"C0OTHER001"}
			f.Back.Task = f.Deployment.Request.Task
			w.click("U0ALICE", w.card(f), verb)

			const want = "A deployment of acme/api to production may not be asked for here, only in the channels of the " +
				"routes file (ask: C0OTHER001), and nothing was done."
			if got := w.private("U0ALICE"); !strings.Contains(got, want) || len(w.orders) != 0 {
				t.Errorf("got %q, and %+v ordered, want %q and nothing", got, w.orders, want)
			}
			for _, v := range w.sim.Views("U0ALICE") {
				if v.CallbackID == slack.CallbackConfirm {
					t.Errorf("got %+v, want no window that asks", v)
				}
			}
			checkRefused(t, w, "not_allowed", string(verb), "slack/"+team+"/U0ALICE")

			f.Route.Ask = []string{"C0OTHER001", room}
			w.click("U0ALICE", w.card(f), verb)
			views := w.sim.Views("U0ALICE")
			if len(views) == 0 || views[len(views)-1].CallbackID != slack.CallbackConfirm {
				t.Errorf("got %+v, want a window that asks where it may be asked for", views)
			}
		})
	}

	w := newWorld(t)
	f := waiting(w.now())
	f.Route.Ask = []string{"C0OTHER001"}
	w.click("U0BOB", w.card(f), notify.VerbApprove)
	if len(w.lines) != 1 {
		t.Errorf("got %+v carried out, want the approval, which is no deployment", w.lines)
	}
}
