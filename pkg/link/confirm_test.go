package link_test

import (
	"sync"
	"testing"
	"time"
)

// TestConfirm_Again wants that the code that made a link may be given again, as a request of Slack is whose end was not
// stored: after wrong codes, later than its link could be begun, and several times at the same moment.
func TestConfirm_Again(t *testing.T) {
	t.Run("after wrong codes", func(t *testing.T) {
		w := newWorld(t)
		code := w.mustSignIn(w.start(alice), "alice")
		for range 4 {
			_, err := w.Confirm(t.Context(), alice.ChatUser, "AAAA-BBBB-CCCC")
			w.wantRefused(err, "wrong_code")
		}
		w.wantConfirmed(code)
		w.wantConfirmed(code)

		_, err := w.Confirm(t.Context(), alice.ChatUser, "AAAA-BBBB-CCCC")
		w.wantRefused(err, "too_many")
	})

	t.Run("late", func(t *testing.T) {
		w := newWorld(t)
		code := w.mustSignIn(w.start(alice), "alice")
		w.wantConfirmed(code)
		w.later(11 * time.Minute)
		w.wantConfirmed(code)
	})

	t.Run("at the same moment", func(t *testing.T) {
		w := newWorld(t)
		code := w.mustSignIn(w.start(alice), "alice")
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { w.wantConfirmed(code) })
		}
		all.Wait()
		if list := w.audited(); len(list) != 1 {
			t.Errorf("got the audit %q, want one link and no refusal", list)
		}
	})

	t.Run("after the link has ended", func(t *testing.T) {
		w := newWorld(t)
		code := w.mustSignIn(w.start(alice), "alice")
		w.wantConfirmed(code)
		if err := w.Unlink(t.Context(), alice.ChatUser, "asked"); err != nil {
			t.Fatal(err)
		}
		_, err := w.Confirm(t.Context(), alice.ChatUser, code)
		w.wantRefused(err, "no_attempt")
	})
}

// wantConfirmed types a code of alice, which must link her or say that she is linked.
func (w *world) wantConfirmed(code string) {
	w.t.Helper()
	who, err := w.Confirm(w.t.Context(), alice.ChatUser, code)
	if err != nil || who.ID != w.ids["alice"] {
		w.t.Errorf("got %+v, %v, want alice", who, err)
	}
}

// TestSignIn_OperatorAdds wants that somebody whom the operator writes down as the account that they sign in with is
// answered, and does not learn that somebody else uses their account.
func TestSignIn_OperatorAdds(t *testing.T) {
	w := newWorld(t)
	address := w.start(alice)
	w.routes.Replace(readRoutes(t, w.ids["alice"], alice.User).Table())

	page := w.newBrowser().signIn(address, "alice")
	if page.status != 409 || page.code() != "" {
		t.Errorf("got status %d: %s, want 409 and no code", page.status, page.body)
	}
	w.wantAudited(refusedOf + `alice {"user":"slack/T0ACME001/U0ALICE01","reason":"operator_entry"}`)
	if notices, err := w.db.Notices(t.Context(), 0, 10); err != nil || len(notices) != 0 {
		t.Errorf("got the notices %+v, %v, want none", notices, err)
	}
}
