package control

import (
	"net/http"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// slackSubmit submits a modal as the user who sees it.
func (c *Control) slackSubmit(r *http.Request) (any, error) {
	var in struct {
		View   string            `json:"view"`
		Values map[string]string `json:"values"` // by block id or action id
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}

	out, err := c.slack.Submit(in.View, in.Values)
	body := map[string]any{
		"delivery": slackDeliveriesOf([]slack.Delivery{out.Delivery})[0],
		"closed":   out.Closed,
		"errors":   out.Errors,
	}
	if out.View != nil {
		body["view"] = slackViewOf(*out.View)
	}

	return body, err
}

func (c *Control) slackClose(r *http.Request) (any, error) {
	var in struct {
		View string `json:"view"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}

	_, err := c.slack.CloseView(in.View)
	return in, err
}

// slackHome opens the home tab of the app as a user.
func (c *Control) slackHome(r *http.Request) (any, error) {
	var in struct {
		User string `json:"user"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}

	user, err := c.slackUser(in.User)
	if err != nil {
		return nil, err
	}

	return c.oneSlackDelivery(c.slack.HomeOpened(user))
}

// slackPerson adds a user, or changes what Slack knows of one, and tells the app.
func (c *Control) slackPerson(r *http.Request) (any, error) {
	var in struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Team    string `json:"team"`
		Deleted bool   `json:"deleted"`
		Guest   bool   `json:"guest"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}

	return c.oneSlackDelivery(c.slack.ChangeUser(slack.User{
		ID:         in.ID,
		Name:       in.Name,
		Team:       in.Team,
		Deleted:    in.Deleted,
		Restricted: in.Guest,
	}))
}

// slackMessages lists the messages of a channel, or of all, that a user sees: ephemeral ones of others are left out.
func (c *Control) slackMessages(r *http.Request) (any, error) {
	query := r.URL.Query()
	var user, channel string
	var err error
	if name := query.Get("user"); name != "" {
		if user, err = c.slackUser(name); err != nil {
			return nil, err
		}
	}
	if name := query.Get("channel"); name != "" {
		if channel, err = c.slackChannel(name, user); err != nil {
			return nil, err
		}
	}

	out := []slackMessage{}
	for _, m := range c.slack.Posted(channel) {
		if !m.Deleted && (m.OnlyFor == "" || m.OnlyFor == user || user == "") {
			out = append(out, slackMessageOf(m))
		}
	}

	return out, nil
}

// slackViews lists the open modals of a user, or of all, and the home tab of the user.
func (c *Control) slackViews(r *http.Request) (any, error) {
	var user string
	if name := r.URL.Query().Get("user"); name != "" {
		var err error
		if user, err = c.slackUser(name); err != nil {
			return nil, err
		}
	}

	modals := []slackView{}
	for _, v := range c.slack.Views(user) {
		modals = append(modals, slackViewOf(v))
	}

	body := map[string]any{"modals": modals, "home": nil}
	if home, found := c.slack.Home(user); found {
		body["home"] = slackViewOf(home)
	}

	return body, nil
}

// slackCall is one call of Slack's API.
type slackCall struct {
	Method  string `json:"method"`
	Channel string `json:"channel,omitempty"`
	TS      string `json:"ts,omitempty"`
	User    string `json:"user,omitempty"`
	Status  int    `json:"status"`
	Error   string `json:"error,omitempty"`
}

func (c *Control) slackCalls() []slackCall {
	out := []slackCall{}
	for _, call := range c.slack.Calls("") {
		out = append(out, slackCall{
			Method:  call.Method,
			Channel: call.Channel,
			TS:      call.TS,
			User:    call.User,
			Status:  call.Status,
			Error:   call.Error,
		})
	}
	return out
}
