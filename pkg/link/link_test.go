package link_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

const refusedOf = "link_refused slack:T0ACME001 "

// TestLink_Links goes the whole way: the address, GitHub's sign-in, the page that names both accounts, and the code
// that the user types.
func TestLink_Links(t *testing.T) {
	w := newWorld(t)
	address := w.start(alice)
	if !strings.HasPrefix(address, w.url+"/link/") {
		t.Errorf("got the address %q, want one below %s/link/", address, w.url)
	}

	page := w.newBrowser().signIn(address, "alice")
	for _, want := range []string{
		"alice</bdi> (U0ALICE01)",
		"Acme</bdi> (T0ACME001)",
		"GitHub account <strong>alice</strong>",
	} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page does not name %q: %s", want, page.body)
		}
	}
	w.wantPerson(alice, "") // a sign-in alone links nobody

	typed := strings.ToLower(strings.ReplaceAll(page.code(), "-", ""))
	who, err := w.Confirm(t.Context(), alice.ChatUser, typed)
	if err != nil || who.Login != "alice" || who.ID != w.ids["alice"] {
		t.Fatalf("got %+v, %v, want alice", who, err)
	}
	w.wantPerson(alice, "alice")
	w.wantAudited(`link slack:T0ACME001 alice {"user":"slack/T0ACME001/U0ALICE01"}`)
	if user, ok := w.ChatUser("slack", team, w.ids["alice"]); !ok || user != "U0ALICE01" {
		t.Errorf("got the user %q, %v of alice, want U0ALICE01", user, ok)
	}
	if got, ok := w.Person("hubot-slack", team, "U0ALICE01"); !ok || got.Login != "alice" {
		t.Errorf("got %+v, %v through a Hubot of the workspace, want alice", got, ok)
	}
	if got, ok := w.Person("slack", "T0OTHER01", "U0ALICE01"); ok {
		t.Errorf("got %+v in another workspace, want nobody", got)
	}

	if again, err := w.Confirm(t.Context(), alice.ChatUser, page.code()); err != nil || again != who {
		t.Errorf("the same code again: got %+v, %v, want %+v", again, err, who)
	}
	if issued, left := w.github.UserTokensIssued(), w.github.UserTokens(); issued != 1 || len(left) != 0 {
		t.Errorf("got %d tokens, of which %v are left, want one that is revoked", issued, left)
	}
}

// TestLink_PageIsHardened wants that the page runs nothing, is kept nowhere and is shown in no frame, and that a
// name which somebody has chosen is only text.
func TestLink_PageIsHardened(t *testing.T) {
	w := newWorld(t)
	hostile := alice
	hostile.Name = "<script>alert(1)</script>\u202eecila"
	b := w.newBrowser()
	opened := b.get(w.start(hostile))
	shown := b.get(b.authorize(opened.location, "alice", true))
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Cache-Control":           "no-store",
		"Referrer-Policy":         "no-referrer",
		"X-Content-Type-Options":  "nosniff",
	} {
		for _, got := range []string{opened.header.Get(name), shown.header.Get(name)} {
			if got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
	for _, bad := range []string{"<script", "<style", "style=", "\u202e"} {
		if strings.Contains(shown.body, bad) {
			t.Errorf("the page has %q: %s", bad, shown.body)
		}
	}
	if !strings.Contains(shown.body, "&lt;script&gt;") {
		t.Errorf("the page does not show the name: %s", shown.body)
	}

	cookie := opened.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-seraph-link=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(cookie, want) || strings.Contains(cookie, "Domain") {
			t.Errorf("got the cookie %q, want one with %q and without a domain", cookie, want)
		}
	}
	if cleared := shown.header.Get("Set-Cookie"); !strings.Contains(cleared, "Max-Age=0") {
		t.Errorf("got the cookie %q after the sign-in, want it to be deleted", cleared)
	}
}

// TestLink_RelayedAddress is the attack: Mallory begins a link for her Slack user and sends the address to a victim,
// who signs in at GitHub. The page tells the victim whose Slack user it would be, and Mallory never learns the code,
// so nothing is linked, whatever she types and whatever she opens.
func TestLink_RelayedAddress(t *testing.T) {
	w := newWorld(t)
	address := w.start(mallory)
	page := w.newBrowser().signIn(address, "victim")
	for _, want := range []string{"mallory</bdi> (U0MALLORY)", "deploy and approve as victim", "give the code to nobody"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the victim's page does not say %q: %s", want, page.body)
		}
	}

	if got := w.newBrowser().get(address); got.status != http.StatusGone || got.code() != "" {
		t.Errorf("Mallory opens the address: got status %d and code %q, want 410 and none", got.status, got.code())
	}
	for range 5 {
		if _, err := w.Confirm(t.Context(), mallory.ChatUser, "AAAA-BBBB-CCCC"); err == nil {
			t.Fatal("got a link by a guessed code")
		}
	}
	_, err := w.Confirm(t.Context(), mallory.ChatUser, page.code())
	w.wantRefused(err, "too_many") // even if she learned it now
	w.wantPerson(mallory, "")
}

// TestLink_CodeOfAnother wants that a code counts for nobody but the user who asked for the address, and that it is
// void once somebody else has typed it: the victim of a relayed address may.
func TestLink_CodeOfAnother(t *testing.T) {
	w := newWorld(t)
	code := w.mustSignIn(w.start(mallory), "victim")
	_, err := w.Confirm(t.Context(), bob.ChatUser, code)
	w.wantRefused(err, "code_of_another")
	w.wantAudited(refusedOf + `victim {"user":"slack/T0ACME001/U0MALLORY","reason":"code_of_another",` +
		`"by":"slack/T0ACME001/U0BOB0001"}`)

	_, err = w.Confirm(t.Context(), mallory.ChatUser, code)
	w.wantRefused(err, "no_attempt")
	w.wantPerson(bob, "")
	w.wantPerson(mallory, "")
}

// TestLink_RacedByTwoAccounts wants that the first sign-in with an address is the only one.
func TestLink_RacedByTwoAccounts(t *testing.T) {
	w := newWorld(t)
	address := w.start(alice)
	first, second := w.newBrowser(), w.newBrowser()
	callback1 := first.authorize(first.open(address), "alice", true)
	callback2 := second.authorize(second.open(address), "mallory", true)

	code := first.get(callback1).code()
	late := second.get(callback2)
	if late.status != http.StatusGone || late.code() != "" {
		t.Errorf("the second account: got status %d and code %q, want 410 and none", late.status, late.code())
	}
	w.wantAudited(refusedOf + ` {"user":"slack/T0ACME001/U0ALICE01","reason":"used"}`)
	if _, err := w.Confirm(t.Context(), alice.ChatUser, code); err != nil {
		t.Error(err)
	}
	w.wantPerson(alice, "alice")
}

// TestLink_RacedAtTheSameMoment is the same, with both back from GitHub at once: the exchange of both codes is on its
// way before either is done.
func TestLink_RacedAtTheSameMoment(t *testing.T) {
	w := newWorld(t)
	address := w.start(alice)
	callbacks := map[*browser]string{}
	for _, login := range []string{"alice", "mallory"} {
		b := w.newBrowser()
		callbacks[b] = b.authorize(b.open(address), login, true)
	}

	meet := newMeeting(2)
	for range 2 {
		w.github.Next(github.OpAccessToken, meet.fault, 1)
	}
	answers := make(chan answer, 2)
	for b, callback := range callbacks {
		go func() { answers <- b.get(callback) }()
	}
	codes := 0
	for range 2 {
		if got := <-answers; got.code() != "" {
			codes++
		} else if got.status != http.StatusGone {
			t.Errorf("got status %d: %s", got.status, got.body)
		}
	}
	if codes != 1 {
		t.Errorf("got %d codes, want one", codes)
	}
	if list := w.audited(); len(list) != 1 || !strings.Contains(list[0], `"reason":"used"`) {
		t.Errorf("got the audit %q, want the refusal of one", list)
	}
}

// TestLink_AccountTaken wants that an account at GitHub belongs to one user of a workspace, and that both learn of it.
func TestLink_AccountTaken(t *testing.T) {
	w := newWorld(t)
	late := w.mustSignIn(w.start(bob), "alice") // before alice is linked
	w.mustLink(alice, "alice")

	page := w.newBrowser().signIn(w.start(mallory), "alice")
	said := strings.Contains(page.body, "is linked to another user")
	if page.status != http.StatusConflict || page.code() != "" || !said {
		t.Errorf("got status %d: %s", page.status, page.body)
	}
	w.wantAudited(refusedOf + `alice {"user":"slack/T0ACME001/U0MALLORY","reason":"account_taken"}`)

	_, err := w.Confirm(t.Context(), bob.ChatUser, late)
	w.wantRefused(err, "account_taken")
	w.wantAudited(refusedOf + `alice {"user":"slack/T0ACME001/U0BOB0001","reason":"account_taken"}`)

	notices, err := w.db.Notices(t.Context(), 0, 10)
	if err != nil || len(notices) != 2 {
		t.Fatalf("got %d notices, %v, want two", len(notices), err)
	}
	for i, user := range []string{"U0MALLORY", "U0BOB0001"} {
		if n := notices[i]; n.To.ID != w.ids["alice"] || !strings.Contains(n.Text, user) {
			t.Errorf("got the notice %+v, want one for alice about %s", n, user)
		}
	}
	w.wantPerson(alice, "alice")
	w.wantPerson(bob, "")
	w.wantPerson(mallory, "")

	elsewhere := alice
	elsewhere.Workspace = "T0OTHER01"
	w.mustLink(elsewhere, "alice") // each workspace has links of its own
}

// TestLink_OperatorWins wants that what the routes file says about a user or an account cannot be changed by a link.
func TestLink_OperatorWins(t *testing.T) {
	w := newWorld(t)
	_, err := w.Start(t.Context(), listed)
	w.wantRefused(err, "operator_entry")
	w.wantAudited(refusedOf + `olga {"user":"slack/T0ACME001/U0OPERATOR","reason":"operator_entry"}`)
	w.wantRefused(w.Unlink(t.Context(), listed.ChatUser, link.WhyAsked), "operator_entry")

	page := w.newBrowser().signIn(w.start(bob), "olga")
	if page.status != http.StatusConflict || page.code() != "" {
		t.Errorf("an account of the file: got status %d and code %q, want 409 and none", page.status, page.code())
	}

	// The operator may write somebody down whose link is under way, or stands.
	code := w.mustSignIn(w.start(alice), "alice")
	w.routes.Replace(readRoutes(t, operatorID, alice.User).Table())
	_, err = w.Confirm(t.Context(), alice.ChatUser, code)
	w.wantRefused(err, "operator_entry")

	w.routes.Replace(readRoutes(t, w.ids["alice"], listed.User).Table())
	_, err = w.Confirm(t.Context(), alice.ChatUser, code)
	w.wantRefused(err, "account_taken")

	w.routes.Replace(readRoutes(t, operatorID, listed.User).Table())
	w.mustLink(alice, "alice")
	w.routes.Replace(readRoutes(t, w.ids["alice"], listed.User).Table())
	w.wantPerson(alice, "") // the account belongs to whom the routes file names
	w.routes.Replace(readRoutes(t, operatorID, alice.User).Table())
	if got, _ := w.Person("slack", team, alice.User); got.ID != operatorID {
		t.Errorf("got %+v, want whom the routes file names", got)
	}
	if user, ok := w.ChatUser("slack", team, w.ids["alice"]); ok {
		t.Errorf("got the user %s of alice, want none: the routes file says that it is somebody else", user)
	}
}

// TestLink_RefusalsOfListedUser wants that whoever the routes file names cannot fill the audit.
func TestLink_RefusalsOfListedUser(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		_, err := w.Start(t.Context(), listed)
		w.wantRefused(err, "operator_entry")
		_, err = w.Confirm(t.Context(), listed.ChatUser, "AAAA-BBBB-CCCC")
		w.wantRefused(err, "operator_entry")
	}
	if got := len(w.audited()); got != 1 {
		t.Errorf("got %d records, want 1", got)
	}

	w.later(time.Minute)
	_, err := w.Start(t.Context(), listed)
	w.wantRefused(err, "operator_entry")
	if got := len(w.audited()); got != 2 {
		t.Errorf("got %d records a minute later, want 2", got)
	}
}

// TestLink_AccountOfListedUser wants that a link which counts for nothing, because the routes file says since that its
// user is another account, does not keep its account from whoever has it.
func TestLink_AccountOfListedUser(t *testing.T) {
	w := newWorld(t)
	w.mustLink(mallory, "bob")
	w.routes.Replace(readRoutes(t, operatorID, mallory.User).Table())

	w.mustLink(bob, "bob")
	w.wantPerson(bob, "bob")
	if got, _ := w.Person("slack", team, mallory.User); got.ID != operatorID {
		t.Errorf("got %+v, want whom the routes file names", got)
	}
	ended := `unlink slack:T0ACME001 bob {"user":"slack/T0ACME001/U0MALLORY","reason":"listed"}`
	if list := w.audited(); !slices.Contains(list, ended) {
		t.Errorf("got the audit %q, want %q in it", list, ended)
	}
}

// TestStart_OtherFaces wants that only Slack itself begins a link: a bot answers where everybody reads it.
func TestStart_OtherFaces(t *testing.T) {
	w := newWorld(t)
	throughBot := alice
	throughBot.Face = "hubot-slack"
	_, err := w.Start(t.Context(), throughBot)
	w.wantRefused(err, "linking_off")
	_, err = w.Confirm(t.Context(), throughBot.ChatUser, "AAAA-BBBB-CCCC")
	w.wantRefused(err, "linking_off")
}

// TestUnlink ends a link and what was begun, on demand and when Slack says that somebody has left.
func TestUnlink(t *testing.T) {
	for _, why := range []string{link.WhyAsked, link.WhyDeleted, link.WhyGuest} {
		t.Run(why, func(t *testing.T) {
			w := newWorld(t)
			w.wantRefused(w.Unlink(t.Context(), alice.ChatUser, why), "not_linked")
			w.mustLink(alice, "alice")
			user := alice.ChatUser
			user.Face = "hubot-slack"
			if err := w.Unlink(t.Context(), user, why); err != nil {
				t.Fatal(err)
			}
			w.wantPerson(alice, "")
			w.wantAudited(`unlink slack:T0ACME001 alice {"user":"slack/T0ACME001/U0ALICE01","reason":"` + why + `"}`)

			code := w.mustSignIn(w.start(alice), "alice")
			w.wantRefused(w.Unlink(t.Context(), alice.ChatUser, why), "not_linked")
			_, err := w.Confirm(t.Context(), alice.ChatUser, code)
			w.wantRefused(err, "no_attempt")
		})
	}
}

// TestCheck reads accounts again once a day: a new login is kept, and the link of an account that is gone ends.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.mustLink(alice, "alice")
	w.mustLink(bob, "bob")
	w.github.RenameUser("alice", "alice-new")
	w.github.RemoveUser("bob")

	w.Check(t.Context())
	w.wantPerson(alice, "alice")
	w.wantPerson(bob, "bob")

	w.later(25 * time.Hour)
	w.github.Next(github.OpGetAccount, github.Refuse(http.StatusServiceUnavailable, "down"), 2)
	w.Check(t.Context())
	w.wantPerson(bob, "bob") // what GitHub does not answer ends no link

	w.Check(t.Context())
	w.wantPerson(bob, "")
	w.wantAudited(`unlink slack:T0ACME001 bob {"user":"slack/T0ACME001/U0BOB0001","reason":"gone"}`)
	got, ok := w.Person("slack", team, alice.User)
	if !ok || got.Login != "alice-new" || got.ID != w.ids["alice"] {
		t.Errorf("got %+v, %v, want the same account under its new login", got, ok)
	}
}

// TestCheck_Left wants that a link ends once the chat system says that its user is gone, and only then.
func TestCheck_Left(t *testing.T) {
	w := newWorld(t)
	w.mustLink(alice, "alice")
	w.mustLink(bob, "bob")
	down := errors.New("no answer")
	w.Service = w.newService(clientSecret, func(o *link.Options) {
		o.Left = func(_ context.Context, u deployment.ChatUser) (string, error) {
			if u.User == alice.User {
				return link.WhyGuest, nil
			}
			return "", down
		}
	})

	w.later(25 * time.Hour)
	w.Check(t.Context())
	w.wantPerson(alice, "")
	w.wantPerson(bob, "bob") // what the chat system does not answer ends no link
	w.wantAudited(`unlink slack:T0ACME001 alice {"user":"slack/T0ACME001/U0ALICE01","reason":"guest"}`)

	due, err := w.db.UncheckedLinks(t.Context(), w.clock(), 10)
	if err != nil || len(due) != 1 {
		t.Errorf("got %+v, %v, want bob asked about again", due, err)
	}
}

// TestHandler_Head wants that a program which only looks at an address uses nothing up.
func TestHandler_Head(t *testing.T) {
	w := newWorld(t)
	address := w.start(alice)
	b := w.newBrowser()
	callback := b.authorize(b.open(address), "alice", true)
	for _, target := range []string{address, callback} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.send(req); got.status != http.StatusMethodNotAllowed {
			t.Errorf("HEAD: got status %d, want 405", got.status)
		}
	}
	w.newBrowser().get(address) // nor does one that opens it
	if got := b.get(callback); got.code() == "" {
		t.Errorf("got status %d, want the code: %s", got.status, got.body)
	}
}

// TestService_Off wants that without an application at GitHub nobody links themselves, and that links count.
func TestService_Off(t *testing.T) {
	w := newWorld(t)
	w.mustLink(alice, "alice")
	w.Service = link.New(link.Options{
		Known:    w.routes,
		Attempts: w.db,
		Codes:    w.db,
		Links:    w.db,
		Accounts: accountReader{w},
		Now:      w.clock,
	})
	_, err := w.Start(t.Context(), bob)
	w.wantRefused(err, "linking_off")
	_, err = w.Confirm(t.Context(), bob.ChatUser, "AAAA-BBBB-CCCC")
	w.wantRefused(err, "linking_off")
	if got := w.newBrowser().get(w.url + "/link/x"); got.status != http.StatusNotFound {
		t.Errorf("got status %d, want 404", got.status)
	}
	w.wantPerson(alice, "alice")
	if _, ok := w.Person("slack", team, "U0NOBODY1"); ok {
		t.Error("got somebody who is not linked")
	}
	if err := w.Unlink(t.Context(), alice.ChatUser, link.WhyAsked); err != nil {
		t.Error(err)
	}
}
