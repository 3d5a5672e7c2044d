package slack

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
)

// form is the content type of commands and interactions.
const form = "application/x-www-form-urlencoded"

// Slash sends a slash command as a user. Slack shows the answer to the user: what it says is among Ephemerals or
// Messages. A command is never sent again.
func (s *Server) Slash(user, channel, command, text string) (Delivery, error) {
	s.mu.Lock()
	u, ch := s.users[user], s.channels[channel]
	if u == nil || ch == nil {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("no user %q or no channel %q", user, channel)
	}

	in := s.installationOf(u.Team)
	if in == nil || in.gone || !slices.Contains(s.options.Commands, command) {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("%s is not a valid command in the workspace %s of %s", command, u.Team, user)
	}

	name := ch.Name
	switch {
	case ch.User != "":
		name = "directmessage"
	case ch.Private:
		name = "privategroup"
	}

	trigger := s.newTrigger(user, u.Team)
	response := s.newResponse("/commands/", user, channel, "", "")
	body := url.Values{
		"token":                 {verificationToken},
		"team_id":               {u.Team},
		"team_domain":           {s.teams[u.Team].Domain},
		"channel_id":            {channel},
		"channel_name":          {name},
		"user_id":               {user},
		"user_name":             {u.Name},
		"command":               {command},
		"text":                  {text},
		"api_app_id":            {s.options.AppID},
		"is_enterprise_install": {"false"},
		"response_url":          {s.host() + response},
		"trigger_id":            {trigger},
	}
	if enterprise := s.teams[u.Team].Enterprise; enterprise != "" {
		body.Set("enterprise_id", enterprise)
		body.Set("enterprise_name", "Acme Group")
	}

	d := Delivery{Kind: KindCommand, Name: command, Key: trigger, User: user, Body: []byte(body.Encode())}
	s.mu.Unlock()
	sent, err := s.send(d, form)
	if err != nil || !sent.Accepted() || len(sent.Answer) == 0 {
		return sent, err
	}

	s.showAnswer(in, user, channel, sent.Answer)
	return sent, nil
}

// showAnswer shows what the app answered to a command, as JSON or as plain text.
func (s *Server) showAnswer(in *installation, user, channel string, raw []byte) {
	var reply responseBody
	if json.Unmarshal(raw, &reply) != nil {
		reply = responseBody{Text: string(raw)}
	}
	if reply.Text == "" && len(reply.Blocks) == 0 {
		return
	}

	s.mu.Lock()
	s.completeBlocks(reply.Blocks)
	m := Message{
		Channel: channel,
		Thread:  reply.Thread,
		Team:    in.team,
		User:    in.botUser,
		BotID:   in.botID,
		Text:    reply.Text,
		Blocks:  reply.Blocks,
	}
	if reply.Type != "in_channel" {
		m.OnlyFor = user
	}

	s.add(m)
	s.mu.Unlock()
	s.changed.Broadcast()
}

// Click presses the first button with an action id in a message as a user. Everybody who has ever seen a message can
// press its buttons, so that nothing about the user is checked here. A click is never sent again.
func (s *Server) Click(user, channel, ts, actionID string) (Delivery, error) {
	m, found := s.Message(channel, ts)
	if !found {
		return Delivery{}, fmt.Errorf("no message %s in %s", ts, channel)
	}

	b, found := m.Button(actionID)
	if !found {
		return Delivery{}, fmt.Errorf("no button %q in message %s: it has %v", actionID, ts, m.Buttons())
	}

	return s.ClickButton(user, channel, ts, b)
}

// ClickButton presses a button as a user, for instance one that an older version of the message had.
func (s *Server) ClickButton(user, channel, ts string, b Button) (Delivery, error) {
	s.mu.Lock()
	u, m := s.users[user], s.find(channel, ts)
	if u == nil || m == nil {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("no user %q or no message %s in %s", user, ts, channel)
	}

	in := s.installationOf(m.Team)
	if in == nil || in.gone || m.BotID != in.botID {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("message %s is not of an installed app, which gets presses of its own buttons alone", ts)
	}

	payload := s.interaction("block_actions", in, u)
	container := Object{
		"type":         "message",
		"message_ts":   ts,
		"channel_id":   channel,
		"is_ephemeral": m.OnlyFor != "",
	}
	if m.Thread != "" {
		container["thread_ts"] = m.Thread
	}

	payload["container"] = container
	payload["channel"] = Object{"id": channel, "name": s.channels[channel].Name}
	if m.OnlyFor == "" {
		payload["message"] = s.wire(m, true)
	}
	payload["state"] = Object{"values": Object{}}
	payload["response_url"] = s.host() + s.newResponse("/actions/", user, channel, ts, m.Thread)
	payload["actions"] = []Object{s.action(b)}
	d := interactionDelivery("block_actions", user, payload)
	s.mu.Unlock()

	return s.send(d, form)
}

// interaction returns what all interactions have in common, with a new trigger_id. The caller holds the lock.
func (s *Server) interaction(kind string, in *installation, u *User) Object {
	team := Object{"id": in.team, "domain": s.teams[in.team].Domain}
	enterprise := any(nil)
	if id := s.teams[in.team].Enterprise; id != "" {
		enterprise = Object{"id": id, "name": "Acme Group"}
		team["enterprise_id"], team["enterprise_name"] = id, "Acme Group"
	}

	return Object{
		"type":                  kind,
		"user":                  Object{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.Team},
		"api_app_id":            s.options.AppID,
		"token":                 verificationToken,
		"trigger_id":            s.newTrigger(u.ID, in.team),
		"team":                  team,
		"enterprise":            enterprise,
		"is_enterprise_install": false,
	}
}

// action is a pressed button. The caller holds the lock.
func (s *Server) action(b Button) Object {
	a := Object{
		"type":      "button",
		"action_id": b.ActionID,
		"block_id":  b.BlockID,
		"text":      Object{"type": "plain_text", "text": b.Text, "emoji": true},
		"action_ts": s.newTS(),
	}
	for name, value := range map[string]string{"value": b.Value, "style": b.Style, "url": b.URL} {
		if value != "" {
			a[name] = value
		}
	}
	if b.Confirm {
		a["confirm"] = Object{"title": Object{"type": "plain_text", "text": "Are you sure?", "emoji": true}}
	}

	return a
}

func interactionDelivery(kind, user string, payload Object) Delivery {
	key, _ := payload["trigger_id"].(string)
	body := url.Values{"payload": {string(encode(payload))}}
	return Delivery{Kind: KindInteraction, Name: kind, Key: key, User: user, Body: []byte(body.Encode())}
}

// ClickView presses the first button with an action id in a modal or a home tab, as the user who sees it.
func (s *Server) ClickView(viewID, actionID string) (Delivery, error) {
	s.mu.Lock()
	var buttons []Button
	if v := s.viewByID(viewID); v != nil {
		buttons = v.Buttons()
	}
	s.mu.Unlock()

	at := slices.IndexFunc(buttons, func(b Button) bool { return b.ActionID == actionID })
	if at < 0 {
		return Delivery{}, fmt.Errorf("no button %q in view %s: it has %v", actionID, viewID, buttons)
	}
	return s.ClickViewButton(viewID, buttons[at])
}

// ClickViewButton presses a button in a modal or a home tab, as the user who sees it.
func (s *Server) ClickViewButton(viewID string, b Button) (Delivery, error) {
	s.mu.Lock()
	v := s.viewByID(viewID)
	if v == nil || v.Closed {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("no open view %q", viewID)
	}

	payload := s.interaction("block_actions", s.installationOf(v.Team), s.users[v.User])
	payload["container"] = Object{"type": "view", "view_id": v.ID}
	payload["view"] = s.viewBody(v)
	payload["actions"] = []Object{s.action(b)}
	d := interactionDelivery("block_actions", v.User, payload)
	s.mu.Unlock()

	return s.send(d, form)
}
