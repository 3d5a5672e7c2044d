package slack

import (
	"encoding/base64"
	"slices"
	"time"
)

// scopeFor returns the scope of a kind, read or history, for a conversation.
func scopeFor(ch *Channel, kind string) string {
	switch {
	case ch.User != "":
		return "im:" + kind
	case ch.Private:
		return "groups:" + kind
	}
	return "channels:" + kind
}

// readable returns the conversation that a call names, when its token may read it.
func (s *Server) readable(c *call, kind string) (*Channel, *answer) {
	ch := s.channels[c.args["channel"]]
	if ch == nil || !ch.visibleTo(c.in) {
		return nil, fail("channel_not_found")
	}
	if refused := c.needs(scopeFor(ch, kind)); refused != nil {
		return nil, refused
	}
	if ch.Private && ch.Away {
		return nil, fail("channel_not_found")
	}

	return ch, nil
}

func (s *Server) conversationInfo(c *call) *answer {
	ch, refused := s.readable(c, "read")
	if refused != nil {
		return refused
	}
	return ok(Object{"channel": s.channelBody(c.in, ch)})
}

// channelBody is a conversation as the API shows it.
func (s *Server) channelBody(in *installation, ch *Channel) Object {
	if ch.User != "" {
		return Object{
			"id":              ch.ID,
			"created":         1_700_000_000,
			"is_im":           true,
			"is_mpim":         false,
			"is_group":        false,
			"is_channel":      false,
			"is_private":      true,
			"is_archived":     ch.Archived,
			"is_org_shared":   false,
			"is_open":         true,
			"is_ext_shared":   ch.External,
			"is_shared":       len(ch.SharedWith) > 0,
			"context_team_id": in.team,
			"user":            ch.User,
			"is_user_deleted": s.users[ch.User] == nil || s.users[ch.User].Deleted,
			"priority":        0,
		}
	}

	return Object{
		"id":                    ch.ID,
		"name":                  ch.Name,
		"name_normalized":       ch.Name,
		"is_channel":            !ch.Private || len(ch.ID) > 0 && ch.ID[0] == 'C',
		"is_group":              ch.Private && len(ch.ID) > 0 && ch.ID[0] == 'G',
		"is_im":                 false,
		"is_mpim":               false,
		"is_private":            ch.Private,
		"is_archived":           ch.Archived,
		"is_general":            false,
		"is_read_only":          ch.Refused == "restricted_action_read_only_channel",
		"is_thread_only":        ch.Refused == "restricted_action_thread_only_channel",
		"is_member":             !ch.Away,
		"is_shared":             len(ch.SharedWith) > 0,
		"is_ext_shared":         ch.External,
		"is_org_shared":         len(ch.SharedWith) > 0 && !ch.External,
		"is_pending_ext_shared": ch.PendingShared,
		"pending_shared":        []string{},
		"shared_team_ids":       append([]string{ch.Team}, ch.SharedWith...),
		"context_team_id":       in.team,
		"conversation_host_id":  ch.Team,
		"creator":               "U0CREATOR1",
		"created":               1_700_000_000,
		"updated":               1_700_000_000_000,
		"unlinked":              0,
		"parent_conversation":   nil,
		"previous_names":        []string{},
		"topic":                 Object{"value": "", "creator": "", "last_set": 0},
		"purpose":               Object{"value": "", "creator": "", "last_set": 0},
	}
}

func (s *Server) conversationOpen(c *call) *answer {
	u := s.users[c.args["users"]]
	switch {
	case u == nil:
		return fail("user_not_found")
	case u.Bot:
		return fail("cannot_dm_bot")
	case u.Deleted:
		return fail("user_disabled")
	}

	ch := s.direct(u.ID, c.in.team)
	if c.truth("return_im") {
		return ok(Object{"channel": s.channelBody(c.in, ch)})
	}

	return ok(Object{"channel": Object{"id": ch.ID}})
}

// SetHistoryLag makes new messages appear in conversations.history and conversations.replies only after d.
func (s *Server) SetHistoryLag(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.historyLag = d
}

// shows reports whether a message is in the history already. The caller holds the lock.
func (s *Server) shows(m *message) bool {
	return m.OnlyFor == "" && !s.options.Now().Before(m.At.Add(s.historyLag))
}

// conversationHistory lists the messages of a channel, newest first. Replies are absent unless they were broadcast. The
// parent of a thread stays as a tombstone when it was deleted.
func (s *Server) conversationHistory(c *call) *answer {
	ch, refused := s.readable(c, "history")
	if refused != nil {
		return refused
	}
	if ch.Away {
		return fail("not_in_channel")
	}

	var found []*message
	for _, m := range slices.Backward(s.messages) {
		gone := m.Deleted && len(s.repliesTo(m.Channel, m.TS)) == 0
		if m.Channel != ch.ID || !s.shows(m) || gone || m.Thread != "" && !m.Broadcast || !c.within(m.TS) {
			continue
		}
		found = append(found, m)
	}

	a := s.page(c, found)
	a.body["pin_count"] = 0
	a.body["channel_actions_ts"] = nil
	a.body["channel_actions_count"] = 0

	return a
}

// conversationReplies lists a thread, the parent first.
func (s *Server) conversationReplies(c *call) *answer {
	ch, refused := s.readable(c, "history")
	if refused != nil {
		return refused
	}
	if ch.Away {
		return fail("not_in_channel")
	}

	var found []*message
	for _, m := range s.messages {
		if m.Channel != ch.ID || m.Deleted && m.TS != c.args["ts"] || !s.shows(m) {
			continue
		}
		if m.TS == c.args["ts"] || m.Thread == c.args["ts"] && c.within(m.TS) {
			found = append(found, m)
		}
	}

	if len(found) == 0 || !s.threadExists(ch.ID, c.args["ts"]) {
		return fail("thread_not_found")
	}

	return s.page(c, found)
}

// within applies oldest, latest and inclusive.
func (c *call) within(ts string) bool {
	oldest, latest, inclusive := c.args["oldest"], c.args["latest"], c.truth("inclusive")
	if oldest != "" && oldest != "0" && (compareTS(ts, oldest) < 0 || compareTS(ts, oldest) == 0 && !inclusive) {
		return false
	}
	return latest == "" || latest == "now" || compareTS(ts, latest) < 0 || compareTS(ts, latest) == 0 && inclusive
}

// The sizes of a page of messages.
const (
	defaultPage = 100
	maxPage     = 999
)

// page returns the messages after the call's cursor.
func (s *Server) page(c *call, all []*message) *answer {
	from := 0
	if cursor := c.args["cursor"]; cursor != "" {
		next, err := base64.StdEncoding.DecodeString(cursor)
		if err != nil || len(next) < len(cursorPrefix) {
			return fail("invalid_cursor")
		}

		from = slices.IndexFunc(all, func(m *message) bool { return m.TS == string(next[len(cursorPrefix):]) })
		if from < 0 {
			return fail("invalid_cursor")
		}
	}

	to := min(from+c.number("limit", defaultPage, maxPage), len(all))
	messages := []Object{}
	for _, m := range all[from:to] {
		messages = append(messages, s.wire(m, c.truth("include_all_metadata")))
	}

	a := ok(Object{"messages": messages, "has_more": to < len(all)})
	if to < len(all) {
		cursor := base64.StdEncoding.EncodeToString([]byte(cursorPrefix + all[to].TS))
		a.body["response_metadata"] = Object{"next_cursor": cursor}
	}

	return a
}

const cursorPrefix = "next_ts:"
