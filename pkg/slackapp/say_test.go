package slackapp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/slack"
	"github.com/seraph-deploy/seraph/test/sim"
	simslack "github.com/seraph-deploy/seraph/test/sim/slack"
)

func simslackFault(body string) sim.Fault {
	return sim.Fault{Status: 200, Body: body}
}

// TestSay_Line checks which line is carried out, depending on how it was typed.
func TestSay_Line(t *testing.T) {
	for _, row := range []struct{ command, text, want string }{
		{command: "/deploy", text: "api to staging", want: "deploy api to staging"},
		{command: "/deploy", text: "deploy api to staging", want: "deploy api to staging"},
		{command: "/deploy", text: "deploy! api because fire", want: "deploy! api because fire"},
		{command: "/deploy", text: "Deploy:migrate api", want: "Deploy:migrate api"},
		{command: "/deploy", text: "status", want: "status"},
		{command: "/deploy", text: "who am i", want: "who am i"},
		{command: "/deploy", text: "locks?", want: "locks?"},
		{command: "/deploy", text: "", want: "help"},
		{command: "/deploy", text: "statusapp to staging", want: "deploy statusapp to staging"},
		{command: "/seraph", text: "api to staging", want: "api to staging"},
		{command: "/seraph", text: " ", want: "help"},
		{text: "api to staging", want: "api to staging"},
		{text: "", want: "help"},
	} {
		t.Run(row.command+" "+row.text, func(t *testing.T) {
			in := slack.Incoming{Kind: slack.KindMention, Text: row.text}
			if row.command != "" {
				in.Kind, in.Command = slack.KindCommand, row.command
			}
			if got := lineOf(in); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestSay_Answers checks who reads an answer: what has changed something in a channel is for everybody there, and
// refusals, help and the rest for whoever asked. A mention is answered in its thread, and what it asks about one app
// is, too. What shows all of them is for whoever asked.
func TestSay_Answers(t *testing.T) {
	const (
		changed = "It is done."
		text    = "It is so."
	)
	rejected := &command.Error{Kind: command.KindConflict, Code: "too_late", Message: "no"}

	for _, row := range []struct {
		name   string
		say    func(*world) error
		answer command.Answer
		in     string // the channel
		public bool
		thread string // of what: "own" for the message itself
	}{
		{name: "deploy", say: typed("deploy api to staging"), answer: command.Answer{Text: changed, Changed: true}, public: true},
		{name: "refused", say: typed("cancel #12"), answer: command.Answer{Text: text, Refused: rejected}},
		{name: "why", say: typed("why #12"), answer: command.Answer{Text: text}},
		{name: "status", say: typed("status"), answer: command.Answer{Text: text}},
		{
			name:   "mention that deploys",
			say:    mentioned("deploy api to staging"),
			answer: command.Answer{Text: changed, Changed: true},
			public: true,
			thread: "own",
		},
		{
			name:   "mention that asks about an app",
			say:    mentioned("status api"),
			answer: command.Answer{Text: text},
			public: true,
			thread: "own",
		},
		{name: "mention that asks about all", say: mentioned("status"), answer: command.Answer{Text: text}},
		{name: "mention that asks for all locks", say: mentioned("locks"), answer: command.Answer{Text: text}},
		{name: "mention that is refused", say: mentioned("cancel #12"), answer: command.Answer{Text: text, Refused: rejected}},
		{name: "mention that asks why", say: mentioned("why #12"), answer: command.Answer{Text: text}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.answer = func(command.Line) command.Answer { return row.answer }
			if err := row.say(w); err != nil {
				t.Fatal(err)
			}

			public := w.public(room)
			if !row.public {
				if len(public) != 0 {
					t.Errorf("got %q for everybody, want nothing", public)
				}
				if got := w.private("U0ALICE"); !strings.Contains(got, row.answer.Text) {
					t.Errorf("got %q, want %q", got, row.answer.Text)
				}
				return
			}
			if len(public) != 1 || !strings.Contains(public[0], row.answer.Text) {
				t.Fatalf("got %q for everybody, want %q", public, row.answer.Text)
			}
			posted := w.sim.Posted(room)
			if m := posted[len(posted)-1]; row.thread == "own" && m.Thread != posted[0].TS {
				t.Errorf("got %+v, want it in the thread", m)
			}
		})
	}
}

func typed(text string) func(*world) error {
	return func(w *world) error {
		_, err := w.sim.Slash("U0ALICE", room, "/seraph", text)
		return err
	}
}

func mentioned(text string) func(*world) error {
	return func(w *world) error {
		_, _, err := w.sim.Say("U0ALICE", room, "<@"+bot+"> "+text, "")
		return err
	}
}

// TestSay_Direct checks that a direct message is answered where it was written.
func TestSay_Direct(t *testing.T) {
	w := newWorld(t)
	direct := w.sim.Direct("U0ALICE")
	if _, _, err := w.sim.Say("U0ALICE", direct, "deploy api to staging", ""); err != nil {
		t.Fatal(err)
	}
	if got := w.public(direct); len(got) != 1 || !strings.Contains(got[0], "It is done.") {
		t.Errorf("got %q, want the answer", got)
	}
	if len(w.lines) != 1 || w.lines[0].Place != direct || w.lines[0].Text != "deploy api to staging" {
		t.Errorf("got %+v, want the line in the direct message", w.lines)
	}
}

// TestSay_Prefix checks that answers name commands as they are typed where they are read.
func TestSay_Prefix(t *testing.T) {
	for _, row := range []struct {
		name string
		say  func(*world) error
		want string
	}{
		{name: "slash command", say: typed("status"), want: "/seraph "},
		{name: "mention", say: mentioned("status"), want: "@seraph "},
		{name: "direct message", say: func(w *world) error {
			_, _, err := w.sim.Say("U0ALICE", w.sim.Direct("U0ALICE"), "status", "")
			return err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			if err := row.say(w); err != nil {
				t.Fatal(err)
			}
			if len(w.lines) != 1 || w.lines[0].Prefix != row.want {
				t.Errorf("got %+v, want one line with the prefix %q", w.lines, row.want)
			}
		})
	}
}

// TestSay_CommandInDirect checks that the answer to a slash command in direct messages, which may be those with another
// person, is seen by whoever typed it alone.
func TestSay_CommandInDirect(t *testing.T) {
	w := newWorld(t)
	direct := w.sim.Direct("U0ALICE")
	if _, err := w.sim.Slash("U0ALICE", direct, "/deploy", "api to staging"); err != nil {
		t.Fatal(err)
	}
	if got := w.public(direct); len(got) != 0 {
		t.Errorf("got %q for everybody there, want nothing", got)
	}
	if got := w.private("U0ALICE"); !strings.Contains(got, "It is done.") {
		t.Errorf("got %q, want the answer", got)
	}
}

// TestSay_Once checks that a message that comes as two events is one request, by the name of it.
func TestSay_Once(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		in := slack.Incoming{
			Kind:       slack.KindMention,
			RequestKey: "message:1",
			Team:       team,
			User:       "U0ALICE",
			Channel:    room,
			MessageTS:  fmt.Sprintf("%d.000100", w.now().Unix()),
			Text:       "status",
		}
		if err := w.actions.Do(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.lines) != 2 || w.lines[0].Request != "message:1" || w.lines[1].Request != "message:1" {
		t.Errorf("got %+v, want the same request each time", w.lines)
	}
}

// TestSay_Late checks that a message which Slack delivers long after it was written is not carried out, and that whoever
// wrote it gets a private answer.
func TestSay_Late(t *testing.T) {
	for _, row := range []struct {
		name string
		kind slack.Kind
		age  time.Duration // of the message when it was received
		ts   string        // in place of age
		late bool
	}{
		{name: "in time", kind: slack.KindMention, age: 29 * time.Minute},
		{name: "late mention", kind: slack.KindMention, age: 31 * time.Minute, late: true},
		{name: "late direct message", kind: slack.KindDirect, age: 31 * time.Minute, late: true},
		{name: "no time", kind: slack.KindMention, ts: "x", late: true},
		{name: "in the future", kind: slack.KindMention, age: -time.Hour, late: true},
		{name: "command, which has no such time", kind: slack.KindCommand, ts: "x"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			received := w.now()
			in := slack.Incoming{
				Kind:       row.kind,
				RequestKey: "k",
				Team:       team,
				User:       "U0ALICE",
				Channel:    room,
				MessageTS:  row.ts,
				Text:       "deploy api to production",
				ReceivedAt: received,
			}
			if row.ts == "" {
				in.MessageTS = fmt.Sprintf("%d.000100", received.Add(-row.age).Unix())
			}
			if row.kind == slack.KindDirect {
				in.Channel = w.sim.Direct("U0ALICE")
			}
			w.pass(10 * time.Minute) // a later try is judged like the first one
			if err := w.actions.Do(t.Context(), in); err != nil {
				t.Fatal(err)
			}

			if got := len(w.lines) == 0; got != row.late {
				t.Errorf("got %+v carried out, want nothing: %v", w.lines, row.late)
			}
			if !row.late {
				return
			}
			if got := w.private("U0ALICE"); !strings.Contains(got, "Write it again if it still counts.") {
				t.Errorf("got %q, want that it came too late", got)
			}
			if got := w.public(room); len(got) != 0 {
				t.Errorf("got %q for everybody, want nothing", got)
			}
		})
	}
}

// TestSay_Bot checks that what a bot writes is not answered at all, so that two bots cannot talk for ever.
func TestSay_Bot(t *testing.T) {
	w := newWorld(t)
	w.sim.AddUser(simslack.User{ID: "U0BOT0001", Bot: true})
	if _, _, err := w.sim.Say("U0BOT0001", room, "<@"+bot+"> deploy api to production", ""); err != nil {
		t.Fatal(err)
	}
	if len(w.lines) != 0 || len(w.public(room)) != 0 {
		t.Errorf("got %+v and %q, want nothing", w.lines, w.public(room))
	}
}

// TestSay_Link checks that linking works for people whom nobody knows yet, in private, and that a code is never shown
// to anybody.
func TestSay_Link(t *testing.T) {
	w := newWorld(t)
	say := func(text string) string {
		t.Helper()
		if _, _, err := w.sim.Say("U0UNLINKED", room, "<@"+bot+"> "+text, ""); err != nil {
			t.Fatal(err)
		}
		return w.private("U0UNLINKED")
	}

	if got := say("whoami"); !strings.Contains(got, "to link your account at GitHub") {
		t.Errorf("got %q, want how to be linked", got)
	}
	if got := say("link"); !strings.Contains(got, "https://seraph.test/link/ADDRESS") {
		t.Errorf("got %q, want the address", got)
	}
	if got := say("link WRONG-CODE"); !strings.Contains(got, "That was not done: this code is not known.") {
		t.Errorf("got %q, want why not", got)
	}
	if got := say("link GOOD-CODE"); !strings.Contains(got, "You are linked. For Seraph you are una at GitHub (id 9).") {
		t.Errorf("got %q, want who they are now", got)
	}
	if got := say("link"); !strings.Contains(got, "You are linked already") {
		t.Errorf("got %q, want that they are", got)
	}
	say("unlink")

	want := []string{
		"start U0UNLINKED u0unlinked", "confirm U0UNLINKED WRONG-CODE",
		"confirm U0UNLINKED GOOD-CODE", "unlink U0UNLINKED asked",
	}
	if !slices.Equal(w.links, want) {
		t.Errorf("got %q, want %q", w.links, want)
	}
	if got := w.public(room); len(got) != 0 {
		t.Errorf("got %q for everybody, want nothing", got)
	}
	for _, m := range w.sim.Ephemerals("U0UNLINKED") {
		if strings.Contains(shown(m), "CODE") {
			t.Errorf("got a code in %q", shown(m))
		}
	}
	if strings.Contains(w.log.String(), "CODE") || strings.Contains(w.log.String(), "ADDRESS") {
		t.Errorf("got a code or an address in the log %s", &w.log)
	}
}

// TestSay_LinkUnderWay checks that nothing but asking for a link begins one: a second one would void the code that
// somebody is about to type.
func TestSay_LinkUnderWay(t *testing.T) {
	w := newWorld(t)
	if _, err := w.sim.Slash("U0UNLINKED", room, "/seraph", "link"); err != nil {
		t.Fatal(err)
	}

	w.home("U0UNLINKED")
	w.click("U0UNLINKED", w.card(waiting(w.now())), notify.VerbApprove)
	if _, err := w.sim.Slash("U0UNLINKED", room, "/seraph", "status"); err != nil {
		t.Fatal(err)
	}
	if got := w.private("U0UNLINKED"); !strings.Contains(got, "/seraph link") {
		t.Errorf("got %q, want how to be linked", got)
	}
	if want := []string{"start U0UNLINKED u0unlinked"}; !slices.Equal(w.links, want) {
		t.Errorf("got %q, want %q", w.links, want)
	}
}

// TestSay_ResponseGone checks that an answer whose response URL is used up or too old is sent directly.
func TestSay_ResponseGone(t *testing.T) {
	t.Run("used up", func(t *testing.T) {
		w := newWorld(t)
		w.sim.Next("response_url", simslackFault("used_url"), 1)
		if err := typed("deploy api to staging")(w); err != nil {
			t.Fatal(err)
		}
		if got := w.public(w.sim.Direct("U0ALICE")); len(got) != 1 || !strings.Contains(got[0], "It is done.") {
			t.Errorf("got %q, want the answer in the direct messages", got)
		}
	})
	t.Run("too old", func(t *testing.T) {
		w := newWorld(t)
		in := slack.Incoming{
			Kind:        slack.KindCommand,
			RequestKey:  "k",
			Team:        team,
			User:        "U0ALICE",
			Channel:     room,
			Command:     "/seraph",
			Text:        "deploy api to staging",
			ResponseURL: slack.Secret(w.sim.URL() + "nowhere"),
			ReceivedAt:  w.now().Add(-30 * time.Minute),
		}
		if err := w.actions.Do(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if got := w.public(room); len(got) != 1 || !strings.Contains(got[0], "It is done.") {
			t.Errorf("got %q, want the answer in the channel", got)
		}
	})
}

// TestSay_Fault checks that a fault of this service is given back, so that the request is tried again, and is not
// shown to anybody.
func TestSay_Fault(t *testing.T) {
	w := newWorld(t)
	fault := errors.New("the database is away")
	w.actions.o.Lines = broken{fault}
	in := slack.Incoming{
		Kind:       slack.KindCommand,
		RequestKey: "k",
		Team:       team,
		User:       "U0ALICE",
		Channel:    room,
		Text:       "status",
	}
	if err := w.actions.Do(t.Context(), in); !errors.Is(err, fault) {
		t.Errorf("got %v, want %v", err, fault)
	}
	if n := len(w.sim.Ephemerals("U0ALICE")); n != 0 {
		t.Errorf("got %d answers, want none", n)
	}

	away := &command.Error{Kind: command.KindUnavailable, Code: "unavailable", Message: "GitHub does not answer"}
	w.actions.o.Lines = broken{away}
	if err := w.actions.Do(t.Context(), in); err != nil {
		t.Errorf("got %v, want an answer", err)
	}
	if got := w.private("U0ALICE"); !strings.Contains(got, "That was not done: GitHub does not answer.") {
		t.Errorf("got %q, want why not", got)
	}
}

// TestSay_Typed checks that a text arrives as it was typed, although Slack escapes it, and that typed letters that look
// like a mention do not count as one.
func TestSay_Typed(t *testing.T) {
	const text = `cancel #12 because a < b && "c" > d, &lt; and <!channel> <https://evil.test|api>`
	w := newWorld(t)
	if _, err := w.sim.Slash("U0ALICE", room, "/seraph", simslack.Typed(text)); err != nil {
		t.Fatal(err)
	}
	if len(w.lines) != 1 || w.lines[0].Text != text {
		t.Errorf("got %+v, want the text %s", w.lines, text)
	}

	// A modal is sent as it was typed.
	f := failed(w.now())
	w.click("U0ALICE", w.card(f), notify.VerbAgain)
	typed := map[string]string{slack.FieldWord: "production", slack.FieldReason: "a < b & <!channel>"}
	if _, err := w.sim.Submit(w.sim.Views("U0ALICE")[0].ID, typed); err != nil {
		t.Fatal(err)
	}
	if len(w.orders) != 1 || w.orders[0].Reason != typed[slack.FieldReason] {
		t.Errorf("got %+v, want the reason %s", w.orders, typed[slack.FieldReason])
	}
}
