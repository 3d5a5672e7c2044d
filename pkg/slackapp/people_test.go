package slackapp

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/slack"
	simslack "github.com/seraph-deploy/seraph/test/sim/slack"
)

// TestPeople_Refused checks that nobody but a full member who is known at GitHub gets anything done, in a channel
// that no other company reads; that the answer says why and who can help; and that it is counted, logged and in the
// audit.
func TestPeople_Refused(t *testing.T) {
	for _, row := range []struct {
		name   string
		user   simslack.User
		in     simslack.Channel
		change func(*world)
		code   string
		want   string
		unlink string
	}{
		{
			name:   "guest",
			user:   simslack.User{Restricted: true},
			code:   "guest",
			want:   "Guests of this workspace may not ask Seraph for anything, and nothing was done. A full member can do it",
			unlink: "guest",
		},
		{
			name:   "guest of one channel",
			user:   simslack.User{Restricted: true, UltraRestricted: true},
			code:   "guest",
			want:   "Guests of this workspace may not",
			unlink: "guest",
		},
		{
			name:   "guest of one channel, without the flag that Slack sets too",
			user:   simslack.User{UltraRestricted: true},
			code:   "guest",
			want:   "Guests of this workspace may not",
			unlink: "guest",
		},
		{
			name:   "deactivated",
			user:   simslack.User{Deleted: true},
			code:   "deactivated",
			want:   "Your Slack account is deactivated, so nothing was done. An admin of the workspace can activate it.",
			unlink: "deleted",
		},
		{
			name: "bot",
			user: simslack.User{Bot: true},
			code: "bot",
			want: "Seraph does nothing for bots and workflows: a person has to ask.",
		},
		{
			name: "bot of a workflow",
			user: simslack.User{WorkflowBot: true},
			code: "bot",
			want: "Seraph does nothing for bots and workflows",
		},
		{
			name:   "stranger",
			user:   simslack.User{Stranger: true},
			code:   "stranger",
			want:   "Only members of this workspace may ask Seraph for something, and you belong to another one.",
			unlink: "guest",
		},
		{
			name: "invited",
			user: simslack.User{Invited: true},
			code: "invited",
			want: "You have not joined this workspace yet",
		},
		{
			name:   "not linked",
			change: func(w *world) { delete(w.people, "U0EVE") },
			code:   "not_linked",
			want:   "to link your account at GitHub, then ask again.",
		},
		{
			name: "channel of two companies",
			in:   simslack.Channel{SharedWith: []string{foreign}, External: true},
			code: "shared_channel",
			want: "People of another company can read this channel, so Seraph does nothing here. Ask in a channel that is " +
				"not shared",
		},
		{
			name: "channel that is about to be of two companies",
			in:   simslack.Channel{PendingShared: true},
			code: "shared_channel",
			want: "People of another company can read this channel",
		},
		{
			name: "private channel without Seraph",
			in:   simslack.Channel{Private: true, Away: true},
			code: "unknown_channel",
			want: "Invite it with /invite",
		},
		{
			name:   "Slack does not say who it is",
			change: func(w *world) { _ = w.sim.NextNamed("users.info", "internal-error", 1) },
			code:   "unanswered",
			want:   "Slack did not tell Seraph who you are (internal_error), and nothing was done. Try again in a minute.",
		},
		{
			name:   "Slack refuses the token",
			change: func(w *world) { w.sim.Refuse("token_revoked") },
			code:   "unanswered",
			want:   `(token_revoked), and nothing was done. Whoever looks after Seraph learns from "seraph check" what to do.`,
		},
		{
			name:   "the app lacks a scope",
			change: func(w *world) { w.sim.SetScopes("chat:write", "commands") },
			code:   "unanswered",
			want:   `(missing_scope), and nothing was done. Whoever looks after Seraph learns from "seraph check" what to do.`,
		},
		{
			name:   "Slack does not say who reads the channel",
			change: func(w *world) { _ = w.sim.NextNamed("conversations.info", "internal-error", 1) },
			code:   "unanswered",
			want:   "Slack did not tell Seraph who reads this channel",
		},
		{
			name:   "other workspace in the routes file",
			change: func(w *world) { w.actions.people.workspace = func() string { return "T0ELSE0001" } },
			code:   "wrong_team",
			want:   "This Seraph serves another workspace",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			row.user.ID, row.in.ID = "U0EVE", "C0ROOM0001"
			w.people["U0EVE"] = deployment.Actor{ID: 66, Login: "eve"}
			w.sim.AddUser(row.user)
			w.sim.AddChannel(row.in)
			if row.change != nil {
				row.change(w)
			}

			if _, err := w.sim.Slash("U0EVE", "C0ROOM0001", "/deploy", "api to production because of secret plans"); err != nil {
				t.Fatal(err)
			}
			if got := w.private("U0EVE"); !strings.Contains(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
			if got := w.public("C0ROOM0001"); len(got) != 0 {
				t.Errorf("got %q for everybody, want nothing", got)
			}
			if len(w.lines) != 0 {
				t.Errorf("got %+v carried out, want nothing", w.lines)
			}

			checkRefused(t, w, row.code, "deploy", "slack/"+team+"/U0EVE")
			unlinked := slices.ContainsFunc(w.links, func(l string) bool { return strings.HasPrefix(l, "unlink") })
			if want := "unlink U0EVE " + row.unlink; row.unlink != "" && !slices.Contains(w.links, want) ||
				row.unlink == "" && unlinked {
				t.Errorf("got %q, want the link ended because of %q", w.links, row.unlink)
			}
		})
	}
}

// checkRefused checks that one refusal was counted, logged and written into the audit.
func checkRefused(t *testing.T, w *world, code, act, person string) {
	t.Helper()
	if !slices.Equal(w.refused, []string{code}) {
		t.Errorf("got %q counted, want %s", w.refused, code)
	}
	if !strings.Contains(w.log.String(), `"code":"`+code+`","message":"command refused"`) &&
		!strings.Contains(w.log.String(), `"code":"`+code+`"`) {
		t.Errorf("got log %s, want %s in it", &w.log, code)
	}

	records := w.audits()
	if len(records) != 1 || records[0].Kind != deployment.AuditRefused || records[0].Channel != "slack" {
		t.Fatalf("got audit %+v, want one refusal", records)
	}
	var detail map[string]any
	if err := json.Unmarshal(records[0].Detail, &detail); err != nil {
		t.Fatal(err)
	}
	if detail["code"] != code || detail["act"] != act || detail["person"] != person {
		t.Errorf("got %s in the audit, want %s of %s, %s", records[0].Detail, act, person, code)
	}
	if strings.Contains(string(records[0].Detail)+w.log.String(), "secret plans") {
		t.Errorf("got what was typed in the audit %s or in the log", records[0].Detail)
	}
}

// TestPeople_SameRefusal checks that somebody who tries again and again does not fill the audit.
func TestPeople_SameRefusal(t *testing.T) {
	w := newWorld(t)
	w.sim.AddUser(simslack.User{ID: "U0EVE", Restricted: true})
	for range 3 {
		if _, err := w.sim.Slash("U0EVE", room, "/seraph", "status"); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.refused) != 3 || len(w.audits()) != 1 {
		t.Errorf("got %d counted, %d in the audit, want 3 and 1", len(w.refused), len(w.audits()))
	}

	w.pass(auditAgain)
	if _, err := w.sim.Slash("U0EVE", room, "/seraph", "status"); err != nil {
		t.Fatal(err)
	}
	if n := len(w.audits()); n != 2 {
		t.Errorf("got %d in the audit a minute later, want 2", n)
	}
}

// TestPeople_Grid checks who belongs to a workspace of an organization: whoever the organization has put into it.
func TestPeople_Grid(t *testing.T) {
	us := slack.Identity{Team: "T1", Enterprise: "E1"}
	for _, row := range []struct {
		name   string
		user   slack.User
		us     slack.Identity
		served string
		want   string
	}{
		{
			name:   "of another workspace of the organization that is served as a whole",
			user:   slack.User{ID: "U1", Team: "T2", Enterprise: "E1", Teams: []string{"T2"}},
			us:     us,
			served: "E1",
		},
		{name: "same workspace", user: slack.User{ID: "U1", Team: "T1"}, us: us},
		{name: "put into ours", user: slack.User{ID: "U1", Team: "T2", Enterprise: "E1", Teams: []string{"T2", "T1"}}, us: us},
		{
			name: "of another workspace of the organization",
			user: slack.User{ID: "U1", Team: "T2", Enterprise: "E1", Teams: []string{"T2"}},
			us:   us,
			want: "stranger",
		},
		{
			name: "of another organization",
			user: slack.User{ID: "U1", Team: "T2", Enterprise: "E2", Teams: []string{"T1"}},
			us:   us,
			want: "stranger",
		},
		{
			name: "no organization at all",
			user: slack.User{ID: "U1", Team: "T2", Teams: []string{"T1"}},
			us:   slack.Identity{Team: "T1"},
			want: "stranger",
		},
		{name: "Slackbot, which is not called a bot", user: slack.User{ID: "USLACKBOT", Team: "T1"}, us: us, want: "bot"},
		{name: "nobody", us: us, want: "unanswered"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := ""
			if r := flags(row.user, row.us, row.served); r != nil {
				got = r.code
			}
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestPeople_Fresh checks that what Slack said of a person and a channel counts for a minute, but not for
// approvals, and not after Slack has reported a change.
func TestPeople_Fresh(t *testing.T) {
	slashed := func(t *testing.T, w *world, text string) {
		t.Helper()
		if _, err := w.sim.Slash("U0ALICE", room, "/seraph", text); err != nil {
			t.Fatal(err)
		}
	}
	guest := simslack.User{ID: "U0ALICE", Restricted: true}

	t.Run("within a minute", func(t *testing.T) {
		w := newWorld(t)
		slashed(t, w, "status")
		w.sim.AddUser(guest)
		slashed(t, w, "status")
		if len(w.refused) != 0 || len(w.sim.Calls("users.info")) != 1 || len(w.sim.Calls("conversations.info")) != 1 {
			t.Errorf("got %q refused and %d calls, want the answer of before", w.refused, len(w.sim.Calls("")))
		}
	})
	t.Run("after a minute", func(t *testing.T) {
		w := newWorld(t)
		slashed(t, w, "status")
		w.sim.AddUser(guest)
		w.pass(time.Minute)
		slashed(t, w, "status")
		if !slices.Equal(w.refused, []string{"guest"}) {
			t.Errorf("got %q, want a guest refused", w.refused)
		}
	})
	t.Run("for an approval", func(t *testing.T) {
		w := newWorld(t)
		slashed(t, w, "status")
		w.sim.AddUser(guest)
		slashed(t, w, "approve #12")
		if !slices.Equal(w.refused, []string{"guest"}) {
			t.Errorf("got %q, want a guest refused", w.refused)
		}
	})
	t.Run("after user_change", func(t *testing.T) {
		w := newWorld(t)
		slashed(t, w, "status")
		if _, err := w.sim.ChangeUser(guest); err != nil {
			t.Fatal(err)
		}
		slashed(t, w, "status")
		if !slices.Equal(w.refused, []string{"guest"}) {
			t.Errorf("got %q, want a guest refused", w.refused)
		}
	})
	t.Run("after channel_shared", func(t *testing.T) {
		w := newWorld(t)
		slashed(t, w, "status")
		if _, err := w.sim.Share(room, foreign); err != nil {
			t.Fatal(err)
		}
		slashed(t, w, "status")
		if !slices.Equal(w.refused, []string{"shared_channel"}) {
			t.Errorf("got %q, want the channel refused", w.refused)
		}
	})
}

// TestPeople_LeavesAfterChange checks that a link ends when Slack reports that its user has left or is a guest now, and
// that nobody else's does: a link counts for other bots, too, of which Slack's flags are not asked.
func TestPeople_LeavesAfterChange(t *testing.T) {
	for _, row := range []struct {
		name   string
		user   simslack.User
		change func(*world)
		want   []string
		failed bool
	}{
		{name: "left", user: simslack.User{ID: "U0ALICE", Deleted: true}, want: []string{"unlink U0ALICE deleted"}},
		{name: "guest now", user: simslack.User{ID: "U0ALICE", Restricted: true}, want: []string{"unlink U0ALICE guest"}},
		{name: "other name", user: simslack.User{ID: "U0ALICE", Name: "alice2"}},
		{name: "not linked", user: simslack.User{ID: "U0UNLINKED", Deleted: true}},
		{
			name:   "Slack does not say",
			user:   simslack.User{ID: "U0ALICE", Deleted: true},
			change: func(w *world) { _ = w.sim.NextNamed("users.info", "internal-error", 1) },
			failed: true,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			if row.change != nil {
				row.change(w)
			}
			w.sim.AddUser(row.user)
			in := slack.Incoming{Kind: slack.KindEvent, Event: slack.EventUserChange, Team: team, User: row.user.ID}
			if err := w.actions.Do(t.Context(), in); (err != nil) != row.failed {
				t.Errorf("got error %v, want one: %v", err, row.failed)
			}
			if !slices.Equal(w.links, row.want) {
				t.Errorf("got %q, want %q", w.links, row.want)
			}
		})
	}
}

// TestPeople_RefusedByWhatIsKnown checks that whoever is refused anyway cannot use up what Slack lets Seraph ask: for an
// approval Slack is asked anew only before a yes, and a link is ended once.
func TestPeople_RefusedByWhatIsKnown(t *testing.T) {
	for _, row := range []struct {
		name  string
		user  simslack.User
		calls int
		links []string
	}{
		{
			name:  "guest",
			user:  simslack.User{ID: "U0EVE", Restricted: true},
			calls: 1,
			links: []string{"unlink U0EVE guest"},
		},
		{name: "not linked", user: simslack.User{ID: "U0EVE"}, calls: 1},
		{name: "linked", user: simslack.User{ID: "U0BOB"}, calls: 5},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.sim.AddUser(row.user)
			ts := w.card(waiting(w.now()))
			for range 5 {
				w.click(row.user.ID, ts, notify.VerbApprove)
			}

			if got := len(w.sim.Calls("users.info")); got != row.calls {
				t.Errorf("got %d calls, want %d", got, row.calls)
			}
			if !slices.Equal(w.links, row.links) {
				t.Errorf("got %q, want %q", w.links, row.links)
			}
		})
	}
}

// TestPeople_SharedByEvent checks that an event which says that another company can read the channel is believed, also
// where Slack's answer about the channel is from before.
func TestPeople_SharedByEvent(t *testing.T) {
	w := newWorld(t)
	in := slack.Incoming{
		Kind:          slack.KindMention,
		RequestKey:    "message:1",
		Team:          team,
		User:          "U0ALICE",
		Channel:       room,
		SharedChannel: true,
		MessageTS:     fmt.Sprintf("%d.000100", w.now().Unix()),
		Text:          "deploy api to staging",
	}
	if err := w.actions.Do(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if len(w.lines) != 0 || !slices.Equal(w.refused, []string{"shared_channel"}) {
		t.Errorf("got %+v and %q refused, want shared_channel", w.lines, w.refused)
	}
}
