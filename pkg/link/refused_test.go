package link_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestLink_Refused checks what is refused on the way, with which words, and what the audit keeps.
func TestLink_Refused(t *testing.T) {
	const aliceSays = `{"user":"slack/T0ACME001/U0ALICE01","reason":"`
	for _, c := range []struct {
		name    string
		visit   func(w *world) answer
		status  int
		about   string // part of the page
		audited string // reason; empty: nothing is audited
	}{
		{
			name:   "an address that nobody was given",
			visit:  func(w *world) answer { return w.newBrowser().get(w.url + "/link/guessed") },
			status: http.StatusNotFound,
			about:  "no such link",
		},
		{
			name: "an address in whose place a newer one is",
			visit: func(w *world) answer {
				old := w.start(alice)
				w.start(alice)
				return w.newBrowser().get(old)
			},
			status: http.StatusNotFound,
			about:  "a newer one took its place",
		},
		{
			name: "an address that is too old",
			visit: func(w *world) answer {
				address := w.start(alice)
				w.later(11 * time.Minute)
				return w.newBrowser().get(address)
			},
			status: http.StatusGone,
			about:  "valid for 10 minutes",
		},
		{
			name: "back from GitHub too late",
			visit: func(w *world) answer {
				b := w.newBrowser()
				callback := b.authorize(b.open(w.start(alice)), "alice", true)
				w.later(11 * time.Minute)
				return b.get(callback)
			},
			status:  http.StatusGone,
			about:   "valid for 10 minutes",
			audited: "expired",
		},
		{
			name: "back from GitHub with an error and a code",
			visit: func(w *world) answer {
				b := w.newBrowser()
				return b.get(b.authorize(b.open(w.start(alice)), "alice", true) + "&error=access_denied")
			},
			status:  http.StatusForbidden,
			about:   "was canceled",
			audited: "denied",
		},
		{
			name: "back from GitHub in another browser",
			visit: func(w *world) answer {
				b := w.newBrowser()
				return w.newBrowser().get(b.authorize(b.open(w.start(alice)), "alice", true))
			},
			status:  http.StatusForbidden,
			about:   "not the browser that opened",
			audited: "other_browser",
		},
		{
			name: "the state of another link in this browser",
			visit: func(w *world) answer {
				attacker, victim := w.newBrowser(), w.newBrowser()
				callback := attacker.authorize(attacker.open(w.start(alice)), "mallory", true)
				victim.open(w.start(bob))
				return victim.get(callback)
			},
			status:  http.StatusForbidden,
			about:   "has opened another one since",
			audited: "other_browser",
		},
		{
			name: "a state without a link",
			visit: func(w *world) answer {
				return w.newBrowser().get(w.url + "/login/callback?code=x&state=" + strings.Repeat("0", 64) + ".x")
			},
			status: http.StatusNotFound,
			about:  "no such link",
		},
		{
			name:   "no state",
			visit:  func(w *world) answer { return w.newBrowser().get(w.url + "/login/callback") },
			status: http.StatusNotFound,
			about:  "no such link",
		},
		{
			name: "canceled at GitHub",
			visit: func(w *world) answer {
				b := w.newBrowser()
				return b.get(b.authorize(b.open(w.start(alice)), "alice", false))
			},
			status:  http.StatusForbidden,
			about:   "was canceled",
			audited: "denied",
		},
		{
			name: "a code that GitHub did not give",
			visit: func(w *world) answer {
				b := w.newBrowser()
				state := mustURL(w.t, b.open(w.start(alice))).Query().Get("state")
				return b.get(w.url + "/login/callback?code=forged&state=" + state)
			},
			status:  http.StatusBadGateway,
			about:   "GitHub did not confirm",
			audited: "sign_in_failed",
		},
		{
			name: "the page again",
			visit: func(w *world) answer {
				b := w.newBrowser()
				callback := b.authorize(b.open(w.start(alice)), "alice", true)
				b.get(callback)
				return b.get(callback)
			},
			status:  http.StatusGone,
			about:   "good for one sign-in",
			audited: "used",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			got := c.visit(w)
			if got.status != c.status || !strings.Contains(got.body, c.about) || got.code() != "" {
				t.Errorf("got status %d, want %d and %q: %s", got.status, c.status, c.about, got.body)
			}
			if c.audited != "" {
				w.wantAudited(refusedOf + " " + aliceSays + c.audited + `"}`)
			} else if list := w.audited(); len(list) > 0 {
				t.Errorf("got the audit %q, want none", list)
			}
			w.wantPerson(alice, "")
		})
	}
}

// TestConfirm_Refused checks what is refused where a code is typed.
func TestConfirm_Refused(t *testing.T) {
	w := newWorld(t)
	confirm := func(code string) error {
		_, err := w.Confirm(t.Context(), alice.ChatUser, code)
		return err
	}

	w.wantRefused(confirm("AAAA-BBBB-CCCC"), "no_attempt")
	if list := w.audited(); len(list) > 0 {
		t.Errorf("got the audit %q, want none where nothing is under way", list)
	}
	w.start(alice)
	w.wantRefused(confirm("AAAA-BBBB-CCCC"), "not_signed_in")
	w.wantRefused(confirm(""), "not_signed_in")

	code := w.mustSignIn(w.start(alice), "alice")
	w.later(11 * time.Minute)
	w.wantRefused(confirm(code), "expired")

	code = w.mustSignIn(w.start(alice), "alice")
	for range 4 {
		w.wantRefused(confirm("AAAA-BBBB-CCCC"), "wrong_code")
	}
	w.wantRefused(confirm("AAAA-BBBB-CCCC"), "too_many")
	before := len(w.audited())
	w.wantRefused(confirm(code), "too_many")
	if after := len(w.audited()); after != before {
		t.Errorf("got %d more records of a code that was not looked at, want none", after-before)
	}

	w.mustLink(alice, "alice")
	_, err := w.Start(t.Context(), alice)
	w.wantRefused(err, "already_linked")
}
