package site

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/slack"
	"github.com/seraph-deploy/seraph/test/sim/slack/page"
)

// screen is what the page shows.
type screen struct {
	Path      string
	Place     place
	Stamp     string
	Said      string // what went wrong
	Title     string
	Hint      string
	People    []link
	Channels  []link
	Scenarios []Scenario
	Messages  []message
	Home      template.HTML // on the home tab
	Modal     *modal
	Style     template.CSS
	Script    template.JS
}

// link is a person to be, or a place to go to.
type link struct {
	Name    string
	Note    string
	Address string
	Here    bool
}

// message is one message, with its replies where the channel shows it.
type message struct {
	TS      string
	From    string
	Letter  string
	App     bool
	At      string
	Private bool // only whoever looks sees it
	Also    bool // a reply that the channel shows, too
	Edited  bool
	Content template.HTML
	Replies []message
}

// modal is the open modal of whoever looks.
type modal struct {
	View string
	Key  string // changes when the content does
	HTML template.HTML
}

// show shows the page.
func (s *Site) show(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	view, err := s.screen(s.placeOf(query), query.Get("said"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}

	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = layout.Execute(w, view) // an error means that the caller closed the connection
}

// screen gathers what the page shows.
func (s *Site) screen(p place, said string) (screen, error) {
	v := screen{
		Path:      s.o.Path,
		Place:     p,
		Stamp:     s.stamp(),
		Said:      said,
		Scenarios: s.o.Scenarios,
		Style:     template.CSS(page.Style + style),
		Script:    template.JS(script),
	}

	for _, u := range s.people() {
		one := link{Name: u.Name, Address: s.address(place{User: u.ID, Channel: p.Channel}, ""), Here: u.ID == p.User}
		if isGuest(u) {
			one.Note = "guest"
		}
		v.People = append(v.People, one)
	}
	for _, c := range s.channels(p.User) {
		one := link{Name: "# " + c.Name, Address: s.address(place{User: p.User, Channel: c.ID}, ""), Here: c.ID == p.Channel}
		if c.User != "" {
			one.Name = "Seraph"
			one.Note = "direct messages"
		}
		if c.External {
			one.Note = "shared with another company"
		}
		if one.Here {
			v.Title = one.Name
			v.Hint = "Message, or a command such as /deploy api to staging"
		}
		v.Channels = append(v.Channels, one)
	}

	var err error
	if p.Channel == homeTab {
		v.Title = "Seraph: home"
		v.Home, err = s.home(p)
	} else {
		v.Messages, err = s.messages(p)
	}
	if err != nil {
		return v, err
	}

	v.Modal, err = s.modal(p)
	return v, err
}

// stamp changes with everything that a page can show.
func (s *Site) stamp() string {
	versions := 0
	messages := s.o.Slack.Posted("")
	for _, m := range messages {
		versions += m.Version
		if m.Deleted {
			versions++
		}
	}

	views := s.o.Slack.AllViews()
	for _, v := range views {
		versions += v.Version
		if v.Closed {
			versions++
		}
	}
	return fmt.Sprintf("%d-%d-%d", len(messages), len(views), versions)
}

// options say how blocks are drawn, and what is sent with their buttons.
func (s *Site) options(p place, field, value string) page.Options {
	names := map[string]string{}
	for _, u := range s.o.Slack.Users() {
		names[u.ID] = u.Name
	}
	for _, c := range s.o.Slack.Channels() {
		names[c.ID] = c.Name
	}
	return page.Options{
		Names:  names,
		Now:    s.o.Now(),
		Form:   s.o.Path + "/click",
		Fields: map[string]string{"as": p.User, "in": p.Channel, field: value},
	}
}

// draw draws blocks.
func draw(blocks []slack.Object, o page.Options) (template.HTML, error) {
	raw, err := json.Marshal(blocks)
	if err != nil {
		return "", fmt.Errorf("encode blocks: %w", err)
	}
	return page.Render(raw, o)
}

// messages lists what somebody sees in a channel, oldest first, with the replies below what they answer.
func (s *Site) messages(p place) ([]message, error) {
	var all []message
	at := map[string]int{} // where a message is in all, by ts
	for _, m := range s.o.Slack.Posted(p.Channel) {
		if m.Deleted || m.OnlyFor != "" && m.OnlyFor != p.User {
			continue
		}

		one, err := s.message(p, m)
		if err != nil {
			return nil, err
		}
		parent, ok := at[m.Thread]
		if m.Thread != "" && ok {
			all[parent].Replies = append(all[parent].Replies, one)
			if !m.Broadcast {
				continue
			}
			one.Also = true
		}
		at[m.TS] = len(all)
		all = append(all, one)
	}
	return all, nil
}

func (s *Site) message(p place, m slack.Message) (message, error) {
	o := s.options(p, "ts", m.TS)
	one := message{
		TS:      m.TS,
		From:    o.Names[m.User],
		App:     m.BotID != "",
		At:      m.At.UTC().Format(time.TimeOnly),
		Private: m.OnlyFor != "",
		Edited:  m.Edited,
		Content: template.HTML(o.Markup(m.Text)), // it escapes the text
	}
	if one.From == "" {
		one.From = m.User
	}
	one.Letter = strings.ToUpper(string([]rune(one.From + "?")[:1]))
	if len(m.Blocks) == 0 {
		return one, nil
	}

	var err error
	one.Content, err = draw(m.Blocks, o)
	return one, err
}

// home draws the home tab of somebody.
func (s *Site) home(p place) (template.HTML, error) {
	v, ok := s.o.Slack.Home(p.User)
	if !ok {
		return "The app has not shown a home tab yet.", nil
	}
	return draw(v.Blocks, s.options(p, "view", v.ID))
}

// modal draws the topmost modal of somebody; nil: none is open.
func (s *Site) modal(p place) (*modal, error) {
	open := s.o.Slack.Views(p.User)
	if len(open) == 0 {
		return nil, nil
	}

	v := open[len(open)-1]
	view := page.View{Title: text(v.Title), Submit: text(v.Submit), Close: text(v.Close)}
	for _, b := range v.Blocks {
		raw, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("encode block: %w", err)
		}
		view.Blocks = append(view.Blocks, raw)
	}
	if v.Close == "" {
		view.Close = text("Close")
	}

	o := s.options(p, "view", v.ID)
	o.Form = "" // a form within a form does not exist
	drawn, err := page.Modal(view, o)
	return &modal{View: v.ID, Key: fmt.Sprintf("%s.%d", v.ID, v.Version), HTML: drawn}, err
}

// text writes a text as the JSON that package page reads.
func text(s string) json.RawMessage {
	raw, _ := json.Marshal(s) // a string never fails
	return slices.Clip(raw)
}
