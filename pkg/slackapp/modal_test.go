package slackapp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/slack"
	"github.com/seraph-deploy/seraph/test/sim"
	simslack "github.com/seraph-deploy/seraph/test/sim/slack"
)

// modal presses the button that deploys again to production, and returns the modal that it opens.
func (w *world) modal(user string) simslack.View {
	w.t.Helper()
	w.click(user, w.card(failed(w.now())), notify.VerbAgain)
	views := w.sim.Views(user)
	if len(views) != 1 {
		w.t.Fatalf("got %d modals, want one", len(views))
	}
	if len(w.orders) != 0 {
		w.t.Fatalf("got %+v ordered before anybody confirmed", w.orders)
	}
	return views[0]
}

// submit submits a modal in which a name and a reason were typed.
func (w *world) submit(v simslack.View, word, reason string) simslack.Submission {
	w.t.Helper()
	done, err := w.sim.Submit(v.ID, map[string]string{slack.FieldWord: word, slack.FieldReason: reason})
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

// TestModal_Confirms checks that a deployment to production is made only after the name of the environment was
// typed, with the reason that was, and that the answer comes to the one who did.
func TestModal_Confirms(t *testing.T) {
	w := newWorld(t)
	v := w.modal("U0BOB")

	for _, word := range []string{"staging", "Production", "prod"} {
		done := w.submit(v, word, "")
		if done.Closed || !strings.Contains(done.Errors[slack.FieldWord], "not the name of the environment") {
			t.Errorf("%s: got %+v, want the modal to stay open", word, done)
		}
	}
	if len(w.orders) != 0 {
		t.Fatalf("got %+v ordered, want nothing", w.orders)
	}

	if done := w.submit(v, " production ", "it was flaky"); !done.Closed || len(done.Errors) != 0 {
		t.Errorf("got %+v, want the modal closed", done)
	}
	if len(w.orders) != 1 || w.orders[0].Reason != "it was flaky" || w.orders[0].Deployment != 12 {
		t.Fatalf("got %+v, want one order for what was shown", w.orders)
	}
	if got := w.private("U0BOB"); !strings.Contains(got, "#99 deploys acme/api@main") {
		t.Errorf("got %q, want the new deployment", got)
	}
	if got := w.public(room); len(got) != 1 {
		t.Errorf("got %q for everybody, want the card alone", got)
	}
}

// TestModal_NoTokens checks that a token which somebody types as the reason is neither kept nor handed on: the modal stays
// open, and a submission that comes through all the same does nothing.
func TestModal_NoTokens(t *testing.T) {
	w := newWorld(t)
	v := w.modal("U0BOB")
	const token = "ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	done := w.submit(v, "production", "see "+token)
	if done.Closed || !strings.Contains(done.Errors[slack.FieldReason], "looks like a token") {
		t.Errorf("got %+v, want the modal to stay open", done)
	}

	in := slack.Incoming{
		Kind:            slack.KindSubmit,
		RequestKey:      "submission:1",
		Team:            team,
		User:            "U0BOB",
		ViewCallback:    slack.CallbackConfirm,
		PrivateMetadata: v.PrivateMetadata,
		Values:          map[string]string{slack.FieldWord: "production", slack.FieldReason: token},
	}
	if err := w.actions.Do(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if len(w.orders) != 0 || strings.Contains(w.log.String(), token) {
		t.Errorf("got %+v ordered, and the log %s, want nothing", w.orders, &w.log)
	}
}

// TestModal_WordOfButton checks that today's button says what has to be typed, and not what the modal has carried along:
// a submission whose private_metadata asks for no word does nothing in production.
func TestModal_WordOfButton(t *testing.T) {
	w := newWorld(t)
	v := w.modal("U0BOB")
	in := slack.Incoming{
		Kind:            slack.KindSubmit,
		RequestKey:      "submission:1",
		Team:            team,
		User:            "U0BOB",
		ViewCallback:    slack.CallbackConfirm,
		PrivateMetadata: strings.Replace(v.PrivateMetadata, `"word":"production",`, "", 1),
	}
	if in.PrivateMetadata == v.PrivateMetadata {
		t.Fatalf("got %s, want a word in it", in.PrivateMetadata)
	}
	if err := w.actions.Do(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if got := w.private("U0BOB"); len(w.orders) != 0 || !strings.Contains(got, "nothing was done") {
		t.Errorf("got %+v ordered and %q, want nothing done", w.orders, got)
	}
}

// TestModal_NothingToConfirm checks that a press whose modal turns out to have nothing to ask is done, and that the
// modal does not say that nothing was.
func TestModal_NothingToConfirm(t *testing.T) {
	w := newWorld(t)
	f := failed(w.now())
	ts := w.card(f)
	f.Route.Production = false // the routes file has changed since the card was shown
	w.set(f)
	w.click("U0BOB", ts, notify.VerbAgain)

	views := w.sim.Views("U0BOB")
	if len(w.orders) != 1 || len(views) != 1 || strings.Contains(views[0].Words(), "Nothing was done") {
		t.Errorf("got %+v ordered and the modal %+v, want one order and a modal that does not deny it", w.orders, views)
	}
}

// TestModal_SubmittedTwice checks that two submissions of one modal are one order.
func TestModal_SubmittedTwice(t *testing.T) {
	w := newWorld(t)
	first := w.modal("U0BOB")
	in := slack.Incoming{
		Kind:            slack.KindSubmit,
		RequestKey:      "submission:1",
		Team:            team,
		User:            "U0BOB",
		ViewCallback:    slack.CallbackConfirm,
		PrivateMetadata: first.PrivateMetadata,
		Values:          map[string]string{slack.FieldWord: "production"},
	}
	for _, key := range []string{"submission:1", "submission:1", "submission:2"} {
		in.RequestKey = key
		if err := w.actions.Do(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	if keys := orderKeys(w); len(slices.Compact(keys)) != 1 {
		t.Errorf("got keys %q, want one key, so that one deployment is made", keys)
	}
}

func orderKeys(w *world) (keys []string) {
	for _, o := range w.orders {
		keys = append(keys, o.Key)
	}
	return keys
}

// TestModal_JudgedAgain checks that a submission is judged from the start: the person, the channel and the deployment may
// have changed since the modal was opened.
func TestModal_JudgedAgain(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*world)
		code   string
		want   string
	}{
		{
			name:   "deactivated since",
			change: func(w *world) { w.sim.AddUser(simslack.User{ID: "U0BOB", Deleted: true}) },
			code:   "deactivated", // nobody is there to answer
		},
		{
			name:   "a guest since",
			change: func(w *world) { w.sim.AddUser(simslack.User{ID: "U0BOB", Restricted: true}) },
			code:   "guest",
			want:   "Guests of this workspace may not",
		},
		{
			name: "unlinked since",
			change: func(w *world) {
				w.mu.Lock()
				defer w.mu.Unlock()
				delete(w.people, "U0BOB")
			},
			code: "not_linked",
			want: "Seraph does not know who you are at GitHub",
		},
		{
			name: "channel shared since",
			change: func(w *world) {
				w.sim.AddChannel(simslack.Channel{ID: room, SharedWith: []string{foreign}, External: true})
			},
			code: "shared_channel",
			want: "People of another company can read this channel",
		},
		{
			name: "something else runs since",
			change: func(w *world) {
				f := failed(w.now())
				f.Current = &deployment.Success{DeploymentID: 20, SHA: strings.Repeat("9", 40)}
				w.set(f)
			},
			code: "stale",
			want: "belongs to an earlier state of the deployment",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			v := w.modal("U0BOB")
			row.change(w)
			w.submit(v, "production", "")

			if len(w.orders) != 0 {
				t.Errorf("got %+v ordered, want nothing", w.orders)
			}
			if row.want != "" && !strings.Contains(w.private("U0BOB"), row.want) {
				t.Errorf("got %q, want %q", w.private("U0BOB"), row.want)
			}
			checkRefused(t, w, row.code, "again", "slack/"+team+"/U0BOB")
		})
	}
}

// TestModal_Late checks that whoever's modal cannot be opened any more gets an answer.
func TestModal_Late(t *testing.T) {
	const words = "Slack did not let Seraph ask you to confirm in time, and nothing was done. "
	for _, row := range []struct {
		name, want string
		fault      sim.Fault
	}{
		{
			name:  "too late",
			fault: simslackFault(`{"ok":false,"error":"expired_trigger_id"}`),
			want:  words + "Press the button again.",
		},
		{
			name:  "opened, and the answer lost",
			fault: sim.Fault{ResetAfter: true},
			want:  words + "Close the window, if there is one, and press the button again.",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			ts := w.card(failed(w.now()))
			w.sim.Next("views.open", row.fault, 1)
			w.click("U0BOB", ts, notify.VerbAgain)

			if got := w.private("U0BOB"); !strings.Contains(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
			if len(w.orders) != 0 {
				t.Errorf("got %+v ordered, want nothing", w.orders)
			}
		})
	}
}

// TestModal_NotFilled checks that people learn that nothing was done if Slack does not take what their modal is to
// show, and that they get no message about a modal that they have closed themselves.
func TestModal_NotFilled(t *testing.T) {
	for _, row := range []struct{ answer, want string }{
		{
			answer: `{"ok":false,"error":"internal_error"}`,
			want:   "Slack did not show you what to confirm, and nothing was done. Close the window",
		},
		{
			answer: `{"ok":false,"error":"ratelimited"}`,
			want:   "Slack did not show you what to confirm, and nothing was done. Close the window",
		},
		{answer: `{"ok":false,"error":"not_found"}`},
	} {
		t.Run(row.answer, func(t *testing.T) {
			w := newWorld(t)
			ts := w.card(failed(w.now()))
			w.sim.Next("views.update", simslackFault(row.answer), 1)
			w.click("U0BOB", ts, notify.VerbAgain)

			if len(w.orders) != 0 {
				t.Errorf("got %+v ordered, want nothing", w.orders)
			}
			if row.want == "" {
				if got := w.sim.Ephemerals("U0BOB"); len(got) != 0 {
					t.Errorf("got %+v, want nothing said about a modal that was closed", got)
				}
				return
			}
			if got := w.private("U0BOB"); !strings.Contains(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestModal_OpensFirst checks that the modal is open before the facts are gathered, which may take longer than Slack lets a
// modal be opened, and asks afterwards.
func TestModal_OpensFirst(t *testing.T) {
	w := newWorld(t)
	ts := w.card(failed(w.now()))
	opened := 0
	w.onFacts = func() { opened = len(w.sim.Views("U0BOB")) }
	w.click("U0BOB", ts, notify.VerbAgain)

	if views := w.sim.Views("U0BOB"); opened != 1 || len(views) != 1 || views[0].CallbackID != slack.CallbackConfirm {
		t.Errorf("got %d modals before and %+v after, want one that asks in the end", opened, views)
	}
}

// TestModal_Refused checks that nobody is asked who may not press the button, or has pressed an old one.
func TestModal_Refused(t *testing.T) {
	w := newWorld(t)
	w.sim.AddUser(simslack.User{ID: "U0EVE", Restricted: true})
	ts := w.card(failed(w.now()))
	w.click("U0EVE", ts, notify.VerbAgain)
	w.pass(25 * time.Hour)
	w.click("U0BOB", ts, notify.VerbAgain)

	if !slices.Equal(w.refused, []string{"guest", "stale"}) || len(w.sim.Views("U0EVE")) != 0 {
		t.Errorf("got %q refused, want guest and stale, and no modal for the guest", w.refused)
	}
	views := w.sim.Views("U0BOB")
	if len(views) != 1 || views[0].Submit != "" || !strings.Contains(views[0].Words(), "There is nothing to confirm.") {
		t.Errorf("got %+v, want one modal that asks nothing", views)
	}
}

// TestModal_Shows checks that the modal names the commit, and to what a rollback goes back.
func TestModal_Shows(t *testing.T) {
	w := newWorld(t)
	f := failed(w.now())
	in := slack.Incoming{RequestKey: "k", Channel: room, MessageTS: "1.2"}
	button := notify.Button{Verb: notify.VerbRollback, ConfirmWord: "production"}
	got := w.actions.confirmation(in, press{verb: notify.VerbRollback, row: 1, generation: "abc"}, f, button)

	want := slack.Confirmed{
		Verb:       notify.VerbRollback,
		Row:        1,
		Generation: "abc",
		RequestKey: "k",
		Word:       "production",
		Channel:    room,
		Message:    "1.2",
		SHA:        sha,
	}
	if got.Confirmed != want {
		t.Errorf("got %+v, want %+v", got.Confirmed, want)
	}
	if !strings.Contains(got.About, "You are about to roll production of acme/api back") || len(got.Facts) != 2 ||
		got.Facts[1].Value[0].Text != "8888888 (#8)" || !got.AskReason {
		t.Errorf("got %+v, want what it goes back to", got)
	}
}

// TestModal_Production checks that in production an approval and a cancellation, too, are done only after the name of
// the environment was typed.
func TestModal_Production(t *testing.T) {
	for verb, want := range map[notify.Verb]string{
		notify.VerbApprove: "approve #12",
		notify.VerbCancel:  "cancel #12",
	} {
		t.Run(string(verb), func(t *testing.T) {
			w := newWorld(t)
			f := waiting(w.now())
			f.Route.Production, f.Deployment.Request.Environment = true, "production"
			w.click("U0BOB", w.card(f), verb)

			views := w.sim.Views("U0BOB")
			if len(views) != 1 || len(w.lines) != 0 {
				t.Fatalf("got %d modals and %+v, want one and nothing done", len(views), w.lines)
			}
			done, err := w.sim.Submit(views[0].ID, map[string]string{slack.FieldWord: "staging"})
			if err != nil || done.Closed || len(w.lines) != 0 {
				t.Fatalf("got %+v, %v and %+v, want the modal to stay open", done, err, w.lines)
			}
			if _, err := w.sim.Submit(views[0].ID, map[string]string{slack.FieldWord: "production"}); err != nil {
				t.Fatal(err)
			}
			if len(w.lines) != 1 || w.lines[0].Text != want {
				t.Errorf("got %+v, want %q", w.lines, want)
			}
		})
	}
}
