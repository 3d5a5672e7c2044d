package slack

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	simslack "github.com/seraph-deploy/seraph/test/sim/slack"
)

// The people and channels at the simulator.
const (
	simAlice   = "U0ALICE001"
	simChannel = "C0DEPLOYS1"
)

// startSimulator starts a Slack that takes the token from the header only, and returns a client of it.
func startSimulator(t *testing.T) (*Client, *simslack.Server) {
	t.Helper()
	s := simslack.New(simslack.Options{
		HeaderOnly:  true,
		AckTimeout:  time.Minute, // the machine may be slow
		TriggerLife: time.Hour,
	})
	t.Cleanup(s.Close)
	if err := s.Start(""); err != nil {
		t.Fatal(err)
	}
	s.AddUser(simslack.User{ID: simAlice, Name: "alice"})
	s.AddChannel(simslack.Channel{ID: simChannel, Name: "deploys"})

	transport := outbound.New(outbound.Options{Timeout: time.Minute})
	t.Cleanup(transport.CloseIdle)
	return New(Options{
		BaseURL:   mustURL(t, s.URL()),
		Token:     simslack.DefaultToken,
		HTTP:      transport.Client(),
		UserAgent: "seraph/test",
	}), s
}

// TestSimulator_LookUpTellsTheTruth lets a post fail in every way. Whatever the client says then, it must not exclude that
// the message is there when it is, and a look-up must tell.
func TestSimulator_LookUpTellsTheTruth(t *testing.T) {
	for _, fault := range simslack.Faults() {
		if fault == "slow" || fault == "late-effect" {
			continue // they take seconds, and look like an answer that is cut
		}
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			c, s := startSimulator(t)
			if err := s.NextNamed(methodPost, fault, 1); err != nil {
				t.Fatal(err)
			}

			m := greeting
			m.Channel = simChannel
			_, err := c.PostMessage(t.Context(), m)
			e := sendError(t, err)
			posted := s.Posted(simChannel)
			mayBeThere := e.Kind == notify.SendUnknown || e.Kind == notify.SendLimited && !e.Local
			if len(posted) > 0 && !mayBeThere {
				t.Errorf("got %v, but the message was posted", e)
			}

			find := notify.Find{Channel: simChannel, Key: m.Key, Since: time.Now().Add(-time.Minute)}
			id, found, err := c.FindMessage(t.Context(), find)
			if err != nil {
				t.Fatal(err)
			}
			if found != (len(posted) == 1) || found && id.Message != posted[0].TS {
				t.Errorf("got %v, %t, want the %d messages that were posted", id, found, len(posted))
			}
			if calls := s.Calls(methodPost); len(calls) > 1 {
				t.Errorf("got %d posts for one call", len(calls))
			}
		})
	}
}

// TestSimulator_EditsAfterEveryFault wants that an edit which failed can be repeated.
func TestSimulator_EditsAfterEveryFault(t *testing.T) {
	c, s := startSimulator(t)
	m := greeting
	m.Channel = simChannel
	id, err := c.PostMessage(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}

	for _, fault := range simslack.Faults() {
		if fault == "slow" || fault == "late-effect" {
			continue
		}
		t.Run(fault, func(t *testing.T) {
			if err := s.NextNamed(methodUpdate, fault, 1); err != nil {
				t.Fatal(err)
			}
			edit := m
			edit.Text = "after " + fault
			_ = sendError(t, c.UpdateMessage(t.Context(), id, edit))

			c.gate = newGate(time.Now) // as if the wait were over
			if err := c.UpdateMessage(t.Context(), id, edit); err != nil {
				t.Fatal(err)
			}
			if got, _ := s.Message(simChannel, id.Message); got.Text != edit.Text || got.Metadata == nil || got.UnfurlLinks {
				t.Errorf("got %+v, want %q with its key and without unfurling", got, edit.Text)
			}
		})
	}
}

// TestSimulator_DirectMessage posts to a person, and finds the message where it is.
func TestSimulator_DirectMessage(t *testing.T) {
	c, _ := startSimulator(t)
	m := greeting
	m.Channel = simAlice
	id, err := c.PostMessage(t.Context(), m)
	if err != nil || !strings.HasPrefix(id.Channel, "D") {
		t.Fatalf("got %v, %v, want a direct message", id, err)
	}
	find := notify.Find{Channel: simAlice, Key: m.Key, Since: time.Now().Add(-time.Minute)}
	if got, ok, err := c.FindMessage(t.Context(), find); err != nil || !ok || got != id {
		t.Errorf("got %v, %t, %v, want %v", got, ok, err, id)
	}
}

// TestSimulator_ResponseURL answers a command until its URL is used up.
func TestSimulator_ResponseURL(t *testing.T) {
	c, s := startSimulator(t)
	incoming := make(chan Incoming, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if in, err := ParseIncoming(r.Header.Get("Content-Type"), body); err == nil {
			incoming <- in
		}
	}))
	t.Cleanup(app.Close)
	s.SetRequestURL(app.URL)
	if _, err := s.Slash(simAlice, simChannel, "/deploy", "api"); err != nil {
		t.Fatal(err)
	}

	in := <-incoming
	for i := range 5 {
		if err := c.Respond(t.Context(), in.ResponseURL, Message{Text: "only for you"}); err != nil {
			t.Fatalf("answer %d: %v", i+1, err)
		}
	}
	err := c.Respond(t.Context(), in.ResponseURL, Message{Text: "once too often"})
	if e := sendError(t, err); e.Kind != notify.SendFinal || strings.Contains(err.Error(), in.ResponseURL.Reveal()) {
		t.Errorf("got %v, want %s without the URL", e, notify.SendFinal)
	}
	if got := len(s.Ephemerals(simAlice)); got != 5 {
		t.Errorf("got %d answers, want 5", got)
	}
	for _, got := range s.Posted(simChannel) {
		if got.OnlyFor != simAlice {
			t.Errorf("got %+v, want nothing for everybody", got)
		}
	}

	view := View{Callback: "confirm", Title: "Deploy", Blocks: []goslack.Block{goslack.NewDividerBlock()}}
	if id, err := c.OpenView(t.Context(), in.TriggerID, view); err != nil || id.Hash == "" {
		t.Errorf("open: got %v, %v, want a view", id, err)
	}
	_, err = c.OpenView(t.Context(), in.TriggerID, view)
	if e := sendError(t, err); e.Kind != notify.SendFinal || strings.Contains(err.Error(), in.TriggerID.Reveal()) {
		t.Errorf("open again: got %v, want %s without the trigger", e, notify.SendFinal)
	}
}

// TestSimulator_Whoami reads identity and scopes.
func TestSimulator_Whoami(t *testing.T) {
	c, _ := startSimulator(t)
	me, err := c.Whoami(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if me.Team != simslack.DefaultTeam || me.Bot == "" || !slices.Contains(me.Scopes, "channels:history") {
		t.Errorf("got %+v, want team, bot and scopes", me)
	}
}

// TestSimulator_Refused wants that each refusal of Slack becomes an error of its own kind.
func TestSimulator_Refused(t *testing.T) {
	post := func(c *Client, channel string) error {
		m := greeting
		m.Channel = channel
		_, err := c.PostMessage(t.Context(), m)
		return err
	}
	find := func(c *Client) error {
		_, _, err := c.FindMessage(t.Context(), notify.Find{Channel: simChannel, Key: "k", Since: time.Now()})
		return err
	}
	for _, test := range []struct {
		name   string
		change func(s *simslack.Server)
		call   func(c *Client) error
		want   notify.SendKind
	}{
		{
			name:   "no channel",
			change: func(*simslack.Server) {},
			call:   func(c *Client) error { return post(c, "C0NOWHERE1") },
			want:   notify.SendChannel,
		},
		{
			name: "archived channel",
			change: func(s *simslack.Server) {
				s.AddChannel(simslack.Channel{ID: simChannel, Name: "deploys", Archived: true})
			},
			call: func(c *Client) error { return post(c, simChannel) },
			want: notify.SendChannel,
		},
		{
			name: "not in the channel",
			change: func(s *simslack.Server) {
				s.AddChannel(simslack.Channel{ID: simChannel, Name: "deploys", Private: true, Away: true})
			},
			call: func(c *Client) error { return post(c, simChannel) },
			want: notify.SendChannel,
		},
		{
			name:   "no scope for posts",
			change: func(s *simslack.Server) { s.SetScopes("users:read") },
			call:   func(c *Client) error { return post(c, simChannel) },
			want:   notify.SendFace,
		},
		{
			name:   "no scope for look-ups",
			change: func(s *simslack.Server) { s.SetScopes("chat:write") },
			call:   find,
			want:   notify.SendForbidden,
		},
		{
			name:   "revoked",
			change: func(s *simslack.Server) { s.Refuse("token_revoked") },
			call:   find,
			want:   notify.SendFace,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, s := startSimulator(t)
			test.change(s)
			if e := sendError(t, test.call(c)); e.Kind != test.want {
				t.Errorf("got %v, want %s", e, test.want)
			}
		})
	}
}
