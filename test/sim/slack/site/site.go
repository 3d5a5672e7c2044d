// Package site serves the simulated Slack as a web page: a channel with its messages, in which whoever looks at it may
// be any of its people, type commands, press buttons and fill in modals. It works without JavaScript; with it, the page
// follows changes.
package site

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// homeTab stands for the home tab of the app where a page names a channel.
const homeTab = "home"

// longPoll is how long a browser waits for a change.
const longPoll = 20 * time.Second

// Scenario is something that the next pipeline of CircleCI can do.
type Scenario struct{ Name, About string }

// Options configure a Site.
type Options struct {
	Slack *slack.Server // required
	Path  string        // where the site is, such as /chat

	Scenarios []Scenario                  // that are offered; none: the form is left out
	Expect    func(scenario string) error // has the next pipeline play one

	Now func() time.Time // default time.Now
}

// Site serves the pages.
type Site struct{ o Options }

// New makes a Site.
func New(o Options) *Site {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Site{o: o}
}

// Routes adds the pages to a router that is mounted at Options.Path.
func (s *Site) Routes(mux chi.Router) {
	mux.Get("/", s.show)
	mux.Get("/changed", s.changed)
	mux.Post("/say", s.do(s.say))
	mux.Post("/click", s.do(s.click))
	mux.Post("/submit", s.do(s.submit))
	mux.Post("/home", s.do(s.openHome))
	mux.Post("/expect", s.do(s.expect))
}

// place is who looks, and where.
type place struct {
	User    string
	Channel string // homeTab, or the id of a channel
}

// placeOf reads a place. What is not named is the first person, and the first channel.
func (s *Site) placeOf(values url.Values) place {
	p := place{User: values.Get("as"), Channel: values.Get("in")}
	if people := s.people(); !slices.ContainsFunc(people, func(u slack.User) bool { return u.ID == p.User }) {
		p.User = ""
		if len(people) > 0 {
			p.User = people[0].ID
		}
	}

	channels := s.channels(p.User)
	if p.Channel != homeTab && !slices.ContainsFunc(channels, func(c slack.Channel) bool { return c.ID == p.Channel }) {
		p.Channel = channels[0].ID
	}
	return p
}

// address is the page of a place.
func (s *Site) address(p place, said string) string {
	query := url.Values{"as": {p.User}, "in": {p.Channel}}
	if said != "" {
		query.Set("said", said)
	}
	return s.o.Path + "/?" + query.Encode()
}

// people lists those whom somebody may be, by name.
func (s *Site) people() []slack.User {
	all := slices.DeleteFunc(s.o.Slack.Users(), func(u slack.User) bool { return u.Bot || u.ID == "USLACKBOT" })
	slices.SortFunc(all, func(a, b slack.User) int {
		return cmp.Or(compareBool(isGuest(a), isGuest(b)), strings.Compare(a.Name, b.Name))
	})
	return all
}

func isGuest(u slack.User) bool { return u.Restricted || u.UltraRestricted }

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// channels lists where somebody can write: all channels, by name, and their direct messages with the app.
func (s *Site) channels(user string) []slack.Channel {
	direct := s.o.Slack.Direct(user)
	all := slices.DeleteFunc(s.o.Slack.Channels(), func(c slack.Channel) bool { return c.User != "" && c.ID != direct })
	slices.SortFunc(all, func(a, b slack.Channel) int {
		return cmp.Or(compareBool(a.User != "", b.User != ""), strings.Compare(a.Name, b.Name))
	})
	return all
}

// do turns what a form asks for into a handler that comes back to the page. What went wrong is said there.
func (s *Site) do(act func(p place, form url.Values) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, "cannot read the form: "+err.Error(), http.StatusBadRequest)
			return
		}

		p := s.placeOf(r.PostForm)
		said := ""
		if err := act(p, r.PostForm); err != nil {
			said = err.Error()
		}
		if r.PostForm.Get("open") == homeTab {
			p.Channel = homeTab
		}
		http.Redirect(w, r, s.address(p, said), http.StatusSeeOther)
	}
}

// failed says what Slack shows where the app did not take something.
func failed(what string, d slack.Delivery, err error) error {
	switch {
	case err != nil:
		return err
	case d.ID != 0 && !d.Accepted():
		return fmt.Errorf("%s failed with the error “operation_timeout” (%s). Does Seraph run?", what, d.Failure)
	default:
		return nil
	}
}

// say writes a message, or gives a command where it begins with a slash.
func (s *Site) say(p place, form url.Values) error {
	text := strings.TrimSpace(form.Get("text"))
	thread := form.Get("thread")
	switch {
	case text == "":
		return nil
	case strings.HasPrefix(text, "/") && thread != "":
		return errors.New("no slash commands in threads: write @seraph instead")
	case strings.HasPrefix(text, "/"):
		word, rest, _ := strings.Cut(text, " ")
		d, err := s.o.Slack.Slash(p.User, p.Channel, word, slack.Typed(strings.TrimSpace(rest)))
		return failed(word, d, err)
	}

	_, sent, err := s.o.Slack.Say(p.User, p.Channel, s.mentions(slack.Typed(text)), thread)
	for _, d := range sent {
		if err := failed("The message", d, nil); err != nil {
			return err
		}
	}
	return err
}

// mentions writes @name as Slack sends it.
func (s *Site) mentions(text string) string {
	for _, u := range s.o.Slack.Users() {
		text = strings.ReplaceAll(text, "@"+u.Name, "<@"+u.ID+">")
	}
	return text
}

// click presses a button of a message, of a modal or of the home tab. It is the button that the page shows, which may
// be one of an older version by now, as at Slack.
func (s *Site) click(p place, form url.Values) error {
	b := slack.Button{ActionID: form.Get("action_id"), BlockID: form.Get("block_id"), Value: form.Get("value")}
	if view := form.Get("view"); view != "" {
		d, err := s.o.Slack.ClickViewButton(view, b)
		return failed("The button", d, err)
	}

	d, err := s.o.Slack.ClickButton(p.User, p.Channel, form.Get("ts"), b)
	return failed("The button", d, err)
}

// submit submits a modal, or closes it.
func (s *Site) submit(_ place, form url.Values) error {
	if form.Get("close") != "" {
		_, err := s.o.Slack.CloseView(form.Get("view"))
		return err
	}

	values := map[string]string{}
	for name := range form {
		if block, _, ok := strings.Cut(name, "/"); ok {
			values[block] = form.Get(name)
		}
	}
	out, err := s.o.Slack.Submit(form.Get("view"), values)
	if err := failed("The window", out.Delivery, err); err != nil {
		return err
	}
	for _, text := range out.Errors {
		return errors.New(text)
	}
	return nil
}

// openHome opens the home tab of the app.
func (s *Site) openHome(p place, _ url.Values) error {
	d, err := s.o.Slack.HomeOpened(p.User)
	return failed("The home tab", d, err)
}

// expect has the next pipeline play a scenario.
func (s *Site) expect(_ place, form url.Values) error {
	if s.o.Expect == nil {
		return errors.New("there is no CircleCI")
	}
	return s.o.Expect(form.Get("scenario"))
}

// changed answers when pages show something else than the one with the stamp after, or after a while.
func (s *Site) changed(w http.ResponseWriter, r *http.Request) {
	timer := time.NewTimer(longPoll)
	defer timer.Stop()
	for waiting := true; waiting; {
		next := s.o.Slack.Changed() // taken before the stamp is read, so that no change is missed
		if s.stamp() != r.URL.Query().Get("after") {
			break
		}
		select {
		case <-next:
		case <-timer.C:
			waiting = false
		case <-r.Context().Done():
			waiting = false
		}
	}
	w.WriteHeader(http.StatusNoContent)
}
