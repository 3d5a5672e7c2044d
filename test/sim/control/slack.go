package control

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// slackRoutes serves what people do and see in Slack. Users and channels are named by their id or their name, and the
// channel "direct" is the direct messages of the user with the app.
func (c *Control) slackRoutes(mux chi.Router) {
	mux.Get("/", handle(c.slackWorkspace))
	mux.Post("/say", handle(c.slackSay))
	mux.Post("/click", handle(c.slackClick))
	mux.Post("/submit", handle(c.slackSubmit))
	mux.Post("/close", handle(c.slackClose))
	mux.Post("/home", handle(c.slackHome))
	mux.Post("/person", handle(c.slackPerson))
	mux.Get("/messages", handle(c.slackMessages))
	mux.Get("/views", handle(c.slackViews))
	mux.Get("/calls", handle(func(*http.Request) (any, error) { return c.slackCalls(), nil }))
	mux.Get("/deliveries", handle(func(*http.Request) (any, error) {
		return slackDeliveriesOf(c.slack.Deliveries()), nil
	}))
}

// slackMessage is one message in the control API.
type slackMessage struct {
	Channel   string         `json:"channel"`
	TS        string         `json:"ts"`
	Thread    string         `json:"thread,omitempty"`
	Broadcast bool           `json:"broadcast,omitempty"`
	User      string         `json:"user"`
	App       bool           `json:"app"` // written by an app
	Text      string         `json:"text"`
	Blocks    []slack.Object `json:"blocks,omitempty"`
	Buttons   []slackButton  `json:"buttons,omitempty"`
	OnlyFor   string         `json:"only_for,omitempty"` // the user who alone sees it
	Edited    bool           `json:"edited,omitempty"`
	Version   int            `json:"version"`
	At        time.Time      `json:"at"`
	ChangedAt time.Time      `json:"changed_at"`
}

type slackButton struct {
	Action  string `json:"action"`
	Block   string `json:"block"`
	Text    string `json:"text"`
	Value   string `json:"value,omitempty"`
	URL     string `json:"url,omitempty"`
	Style   string `json:"style,omitempty"`
	Confirm bool   `json:"confirm,omitempty"`
}

// slackView is a modal or a home tab in the control API.
type slackView struct {
	ID      string         `json:"id"`
	Type    string         `json:"type"`
	User    string         `json:"user"`
	Title   string         `json:"title,omitempty"`
	Submit  string         `json:"submit,omitempty"`
	Close   string         `json:"close,omitempty"`
	Blocks  []slack.Object `json:"blocks"`
	Buttons []slackButton  `json:"buttons,omitempty"`
	Version int            `json:"version"`
	Closed  bool           `json:"closed"`
}

// slackDelivery is an attempt to send something to the app.
type slackDelivery struct {
	ID      int64     `json:"id"`
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	User    string    `json:"user,omitempty"`
	At      time.Time `json:"at"`
	Retry   int       `json:"retry"`
	Status  int       `json:"status"`
	Failure string    `json:"failure,omitempty"`
	Answer  string    `json:"answer,omitempty"`
}

func slackMessageOf(m slack.Message) slackMessage {
	return slackMessage{
		Channel:   m.Channel,
		TS:        m.TS,
		Thread:    m.Thread,
		Broadcast: m.Broadcast,
		User:      m.User,
		App:       m.BotID != "",
		Text:      m.Text,
		Blocks:    m.Blocks,
		Buttons:   slackButtonsOf(m.Buttons()),
		OnlyFor:   m.OnlyFor,
		Edited:    m.Edited,
		Version:   m.Version,
		At:        m.At,
		ChangedAt: m.ChangedAt,
	}
}

func slackButtonsOf(buttons []slack.Button) []slackButton {
	var all []slackButton
	for _, b := range buttons {
		all = append(all, slackButton{
			Action:  b.ActionID,
			Block:   b.BlockID,
			Text:    b.Text,
			Value:   b.Value,
			URL:     b.URL,
			Style:   b.Style,
			Confirm: b.Confirm,
		})
	}
	return all
}

func slackViewOf(v slack.View) slackView {
	return slackView{
		ID:      v.ID,
		Type:    v.Type,
		User:    v.User,
		Title:   v.Title,
		Submit:  v.Submit,
		Close:   v.Close,
		Blocks:  append([]slack.Object{}, v.Blocks...),
		Buttons: slackButtonsOf(v.Buttons()),
		Version: v.Version,
		Closed:  v.Closed,
	}
}

func slackDeliveriesOf(all []slack.Delivery) []slackDelivery {
	out := []slackDelivery{}
	for _, d := range all {
		out = append(out, slackDelivery{
			ID:      d.ID,
			Kind:    string(d.Kind),
			Name:    d.Name,
			User:    d.User,
			At:      d.At,
			Retry:   d.Retry,
			Status:  d.Status,
			Failure: d.Failure,
			Answer:  string(d.Answer),
		})
	}
	return out
}

// slackUser returns the id of a user by id or name.
func (c *Control) slackUser(name string) (string, error) {
	for _, u := range c.slack.Users() {
		if u.ID == name || u.Name == name {
			return u.ID, nil
		}
	}
	return "", fmt.Errorf("no Slack user %q: GET /slack lists them", name)
}

// slackChannel returns the id of a channel by id or name. "direct" needs a user.
func (c *Control) slackChannel(name, user string) (string, error) {
	if name == "direct" && user != "" {
		return c.slack.Direct(user), nil
	}
	for _, ch := range c.slack.Channels() {
		if ch.ID == name || ch.Name == strings.TrimPrefix(name, "#") {
			return ch.ID, nil
		}
	}
	return "", fmt.Errorf("no Slack channel %q: GET /slack lists them", name)
}

func (c *Control) slackWorkspace(*http.Request) (any, error) {
	users, channels := []map[string]any{}, []map[string]any{}
	for _, u := range c.slack.Users() {
		users = append(users, map[string]any{
			"id":      u.ID,
			"name":    u.Name,
			"bot":     u.Bot,
			"deleted": u.Deleted,
			"guest":   u.Restricted || u.UltraRestricted,
		})
	}
	for _, ch := range c.slack.Channels() {
		channels = append(channels, map[string]any{
			"id":       ch.ID,
			"name":     ch.Name,
			"private":  ch.Private,
			"archived": ch.Archived,
			"external": ch.External,
			"user":     ch.User,
		})
	}

	return map[string]any{"url": c.slack.URL(), "team": slack.DefaultTeam, "users": users, "channels": channels}, nil
}

// slackSay writes a message as a user. A text that begins with a slash is a command.
func (c *Control) slackSay(r *http.Request) (any, error) {
	var in struct {
		User    string `json:"user"`
		Channel string `json:"channel"`
		Text    string `json:"text"`
		Thread  string `json:"thread"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}

	user, err := c.slackUser(in.User)
	if err != nil {
		return nil, err
	}

	channel, err := c.slackChannel(cmp.Or(in.Channel, "direct"), user)
	if err != nil {
		return nil, err
	}

	if strings.HasPrefix(in.Text, "/") {
		if in.Thread != "" {
			return nil, errors.New("slash commands cannot be used in threads")
		}

		word, rest, _ := strings.Cut(in.Text, " ")
		d, err := c.slack.Slash(user, channel, word, strings.TrimSpace(rest))
		return map[string]any{"deliveries": slackDeliveriesOf([]slack.Delivery{d})}, err
	}

	m, sent, err := c.slack.Say(user, channel, in.Text, in.Thread)
	return map[string]any{"message": slackMessageOf(m), "deliveries": slackDeliveriesOf(sent)}, err
}

// slackClickRequest names a button of a message as a user, or of a modal or home tab as the user who sees it.
type slackClickRequest struct {
	User    string `json:"user"`
	Channel string `json:"channel"`
	TS      string `json:"ts"`
	View    string `json:"view"`
	Action  string `json:"action"`
	Block   string `json:"block"`   // where several blocks have the action
	Value   string `json:"value"`   // the same
	Version int    `json:"version"` // of the message; default the newest
}

func (in slackClickRequest) means(b slack.Button) bool {
	return b.ActionID == in.Action && cmp.Or(in.Block, b.BlockID) == b.BlockID && cmp.Or(in.Value, b.Value) == b.Value
}

// slackClick presses a button. Whoever has seen a message can press its buttons, also those of an older version.
func (c *Control) slackClick(r *http.Request) (any, error) {
	var in slackClickRequest
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.View != "" {
		return c.oneSlackDelivery(c.slack.ClickView(in.View, in.Action))
	}

	user, err := c.slackUser(in.User)
	if err != nil {
		return nil, err
	}

	channel, err := c.slackChannel(in.Channel, user)
	if err != nil {
		return nil, err
	}

	versions := c.slack.Versions(channel, in.TS)
	for i, m := range versions {
		if in.Version != m.Version && (in.Version != 0 || i < len(versions)-1) {
			continue
		}
		for _, b := range m.Buttons() {
			if in.means(b) {
				return c.oneSlackDelivery(c.slack.ClickButton(user, channel, in.TS, b))
			}
		}
	}

	return nil, fmt.Errorf("no button %q in version %d of message %s (0: the newest)", in.Action, in.Version, in.TS)
}

func (c *Control) oneSlackDelivery(d slack.Delivery, err error) (any, error) {
	return slackDeliveriesOf([]slack.Delivery{d})[0], err
}
