package slack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// event returns the delivery of an event to the app in one workspace. channel may be empty. The caller holds the lock.
func (s *Server) event(in *installation, channel string, fields Object) Delivery {
	id := s.newID("Ev")
	name, _ := fields["type"].(string)
	user, _ := fields["user"].(string)
	enterprise := any(nil)
	if team := s.teams[in.team]; team.Enterprise != "" {
		enterprise = team.Enterprise
	}

	body := Object{
		"token":           verificationToken,
		"team_id":         in.team,
		"context_team_id": in.team,
		"api_app_id":      s.options.AppID,
		"event":           fields,
		"type":            "event_callback",
		"event_id":        id,
		"event_time":      s.options.Now().Unix(),
		"authorizations": []Object{{
			"enterprise_id":         enterprise,
			"team_id":               in.team,
			"user_id":               in.botUser,
			"is_bot":                true,
			"is_enterprise_install": false,
		}},
		"is_ext_shared_channel": false,
		"event_context":         "4-" + strings.ToLower(id),
	}
	if ch := s.channels[channel]; ch != nil {
		body["is_ext_shared_channel"] = ch.External
		if ch.External {
			body["context_enterprise_id"] = enterprise
		}
	}

	return Delivery{Kind: KindEvent, Name: name, Key: id, User: user, Body: encode(body)}
}

// subscribed reports whether the app wants an event.
func (s *Server) subscribed(name string) bool { return slices.Contains(s.options.Events, name) }

// Typed returns what Slack sends for a text that somebody types: it escapes &, < and >, so that a typed <@USER>
// mentions nobody. Say and Slash take a text as Slack sends it, in which <@USER> is a mention, and Submit takes it as
// it is typed.
func Typed(text string) string { return typed.Replace(text) }

var typed = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Say writes a message as a user, or as another bot when the user is one, and sends the events that the app subscribes
// to: message.im in direct messages, and app_mention where the text mentions the app and the app is a member. It
// returns the message and the first attempt of each event. thread is the ts of the parent; empty: none.
func (s *Server) Say(user, channel, text, thread string) (Message, []Delivery, error) {
	s.mu.Lock()
	u, ch := s.users[user], s.channels[channel]
	if u == nil || ch == nil {
		s.mu.Unlock()
		return Message{}, nil, fmt.Errorf("no user %q or no channel %q", user, channel)
	}
	if ch.Archived || !ch.has(user) {
		s.mu.Unlock()
		return Message{}, nil, fmt.Errorf("%s cannot write to %s: archived, or the user is not in it", user, channel)
	}

	said := Message{Channel: channel, Thread: thread, Team: u.Team, User: user, Text: text}
	if u.Bot {
		said.BotID = "B" + strings.TrimPrefix(user, "U")
	}

	m := s.add(said)
	message := m.Message
	events := s.eventsOf(u, ch, message)
	s.mu.Unlock()
	s.changed.Broadcast()

	var sent []Delivery
	for _, d := range events {
		first, err := s.sendEvent(d)
		if err != nil {
			return message, sent, err
		}
		sent = append(sent, first)
	}

	return message, sent, nil
}

// eventsOf returns the events of a new message. The caller holds the lock.
func (s *Server) eventsOf(u *User, ch *Channel, m Message) []Delivery {
	kind, subscription := ch.messageEvents()
	var events []Delivery
	for _, in := range s.installations {
		if in.gone || !ch.visibleTo(in) || ch.Away {
			continue
		}
		if ch.User == "" && strings.Contains(m.Text, "<@"+in.botUser+">") && s.subscribed("app_mention") {
			fields := s.messageEvent(in, u, m)
			fields["type"] = "app_mention"
			events = append(events, s.event(in, ch.ID, fields))
		}
		if s.subscribed(subscription) {
			fields := s.messageEvent(in, u, m)
			fields["type"], fields["channel_type"] = "message", kind
			events = append(events, s.event(in, ch.ID, fields))
		}
	}

	return events
}

// messageEvents returns the channel_type of the events about messages in the channel, and the name under which an app
// subscribes to them.
func (c *Channel) messageEvents() (kind, subscription string) {
	switch {
	case c.User != "":
		return "im", "message.im"
	case c.Private:
		return "group", "message.groups"
	default:
		return "channel", "message.channels"
	}
}

// messageEvent returns the fields that app_mention and message have in common. The caller holds the lock.
func (s *Server) messageEvent(in *installation, u *User, m Message) Object {
	fields := Object{
		"user":          u.ID,
		"ts":            m.TS,
		"text":          m.Text,
		"team":          u.Team,
		"channel":       m.Channel,
		"event_ts":      m.TS,
		"client_msg_id": "00000000-0000-4000-8000-" + strings.ReplaceAll(m.TS, ".", "")[4:],
		"blocks": []Object{{
			"type":     "rich_text",
			"block_id": s.newID("b"),
			"elements": []Object{{
				"type":     "rich_text_section",
				"elements": []Object{{"type": "text", "text": m.Text}},
			}},
		}},
	}
	if m.Thread != "" {
		fields["thread_ts"] = m.Thread
		if parent := s.find(m.Channel, m.Thread); parent != nil {
			fields["parent_user_id"] = parent.User
		}
	}
	if u.Team != in.team {
		fields["user_team"], fields["source_team"] = u.Team, u.Team
	}
	if m.BotID != "" {
		delete(fields, "client_msg_id")
		fields["bot_id"], fields["app_id"] = m.BotID, "A0OTHERAPP1"
		fields["subtype"], fields["username"] = "bot_message", u.Name
	}

	return fields
}

// HomeOpened opens the home tab of the app as a user.
func (s *Server) HomeOpened(user string) (Delivery, error) {
	return s.about(user, "app_home_opened", func(u *User, in *installation) Object {
		fields := Object{"user": user, "channel": s.direct(user, in.team).ID, "tab": "home", "event_ts": s.newTS()}
		for _, v := range s.views {
			if v.Type == "home" && v.User == user && v.Team == in.team {
				fields["view"] = s.viewBody(v)
			}
		}
		return fields
	})
}

// ChangeUser replaces a user and tells the app.
func (s *Server) ChangeUser(u User) (Delivery, error) {
	s.AddUser(u)
	return s.about(u.ID, "user_change", func(u *User, _ *installation) Object {
		return Object{"user": s.userBody(u), "cache_ts": s.options.Now().Unix(), "event_ts": s.newTS()}
	})
}

// about sends an event about a user, when the app subscribes to it.
func (s *Server) about(user, name string, fields func(*User, *installation) Object) (Delivery, error) {
	s.mu.Lock()
	u := s.users[user]
	if u == nil {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("no user %q", user)
	}

	in := s.installationOf(u.Team)
	if in == nil {
		in = s.installations[0]
	}
	if in.gone || !s.subscribed(name) {
		s.mu.Unlock()
		return Delivery{}, nil
	}

	body := fields(u, in)
	body["type"] = name
	d := s.event(in, "", body)
	d.User = user
	s.mu.Unlock()

	return s.sendEvent(d)
}

// Archive archives a channel and tells the app.
func (s *Server) Archive(channel string) (Delivery, error) {
	return s.changeChannel(channel, func(ch *Channel) (string, Object) {
		ch.Archived = true
		name := "channel_archive"
		if ch.Private {
			name = "group_archive"
		}
		return name, Object{"channel": channel, "user": "U0CREATOR1", "is_moved": 0}
	})
}

// Leave removes the bot from a channel and tells the app.
func (s *Server) Leave(channel string) (Delivery, error) {
	return s.changeChannel(channel, func(ch *Channel) (string, Object) {
		ch.Away = true
		name := "channel_left"
		if ch.Private {
			name = "group_left"
		}
		return name, Object{"channel": channel, "actor_id": "U0CREATOR1"}
	})
}

// Invite adds the bot to a channel and tells the app.
func (s *Server) Invite(channel string) (Delivery, error) {
	return s.changeChannel(channel, func(ch *Channel) (string, Object) {
		ch.Away = false
		kind := "C"
		if ch.Private {
			kind = "G"
		}
		return "member_joined_channel", Object{
			"user": s.options.BotUser, "channel": channel, "channel_type": kind, "team": ch.Team, "inviter": "U0CREATOR1",
		}
	})
}

// Share shares a channel with a workspace of another company and tells the app.
func (s *Server) Share(channel, team string) (Delivery, error) {
	return s.changeChannel(channel, func(ch *Channel) (string, Object) {
		ch.External = true
		ch.SharedWith = append(ch.SharedWith, team)
		return "channel_shared", Object{"channel": channel, "connected_team_id": team}
	})
}

// changeChannel changes a channel and sends the event that change returns, when the app subscribes to it.
func (s *Server) changeChannel(channel string, change func(*Channel) (string, Object)) (Delivery, error) {
	s.mu.Lock()
	ch := s.channels[channel]
	if ch == nil {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("no channel %q", channel)
	}

	changed := *ch
	name, fields := change(&changed)
	s.channels[channel] = &changed
	fields["type"], fields["event_ts"] = name, s.newTS()
	in := cmp.Or(s.installationOf(changed.Team), s.installations[0])
	d := s.event(in, channel, fields)
	wanted := s.subscribed(name) && !in.gone
	s.mu.Unlock()
	s.changed.Broadcast()
	if !wanted {
		return Delivery{}, nil
	}

	return s.sendEvent(d)
}

// DeleteMessage deletes a message as a person would who may delete those of others.
func (s *Server) DeleteMessage(channel, ts string) error {
	s.mu.Lock()
	defer s.changed.Broadcast()
	defer s.mu.Unlock()
	m := s.find(channel, ts)
	if m == nil {
		return fmt.Errorf("no message %s in %s", ts, channel)
	}
	s.revise(m, func(now *Message) { now.Deleted = true })
	return nil
}
