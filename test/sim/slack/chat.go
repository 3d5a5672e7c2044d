package slack

import (
	"cmp"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// The bounds of text. Slack cuts a longer one of chat.postMessage and refuses a longer one of chat.update.
const (
	maxPostText   = 40_000
	maxUpdateText = 4_000
)

// content is what a message shall show.
type content struct {
	text      string
	blocks    []Object
	hasBlocks bool // the argument was sent, possibly as an empty list
	metadata  *Metadata
}

// readContent reads text, blocks and metadata.
func (s *Server) readContent(c *call) (content, *answer) {
	in := content{text: c.args["text"]}
	metadata, refused := decodeMetadata(c.args["metadata"])
	if refused != nil {
		return in, refused
	}

	in.metadata = metadata
	raw, hasBlocks := c.args["blocks"]
	in.hasBlocks = hasBlocks && raw != ""
	if in.hasBlocks {
		if err := json.Unmarshal([]byte(raw), &in.blocks); err != nil {
			return in, fail("invalid_blocks_format")
		}
		if problems := checkBlocks(in.blocks, onMessage); len(problems) > 0 {
			return in, failAt("invalid_blocks", problems)
		}

		s.completeBlocks(in.blocks)
	}

	_, hasAttachments := c.args["attachments"]
	if in.text == "" && len(in.blocks) == 0 && !hasAttachments {
		return in, fail("no_text")
	}

	return in, nil
}

// target returns the channel that a message may be written to. A person's id stands for the direct messages.
func (s *Server) target(c *call) (*Channel, *answer) {
	name := c.args["channel"]
	if u := s.users[name]; u != nil {
		switch {
		case u.Bot:
			return nil, fail("cannot_dm_bot")
		case u.Deleted:
			return nil, fail("user_disabled")
		}

		return s.direct(u.ID, c.in.team), nil
	}

	found := s.channels[name]
	if plain, isName := strings.CutPrefix(name, "#"); isName {
		for _, ch := range s.channels {
			if ch.Name == plain && ch.Team == c.in.team {
				found = ch
			}
		}
	}

	return found, s.writable(c, found)
}

// writable refuses channels that the app cannot write to.
func (s *Server) writable(c *call, ch *Channel) *answer {
	switch {
	case ch == nil || !ch.visibleTo(c.in) || ch.Private && ch.Away:
		return fail("channel_not_found")
	case ch.Archived:
		return fail("is_archived")
	case ch.Away && c.needs("chat:write.public") != nil:
		return fail("not_in_channel")
	case ch.Refused != "":
		return fail(ch.Refused)
	}
	return nil
}

func (s *Server) postMessage(c *call) *answer {
	ch, refused := s.target(c)
	if refused != nil {
		return refused
	}

	in, refused := s.readContent(c)
	if refused != nil {
		return refused
	}

	thread := c.args["thread_ts"]
	if thread != "" && !s.threadExists(ch.ID, thread) {
		return fail("thread_not_found")
	}

	m := s.add(Message{
		Channel:     ch.ID,
		Thread:      thread,
		Broadcast:   thread != "" && c.truth("reply_broadcast"),
		Team:        c.in.team,
		User:        c.in.botUser,
		BotID:       c.in.botID,
		Text:        cut(in.text, maxPostText),
		Blocks:      in.blocks,
		Metadata:    in.metadata,
		UnfurlLinks: c.args["unfurl_links"] != "false",
		UnfurlMedia: c.args["unfurl_media"] != "false",
	})

	c.journal.TS = m.TS
	s.echo(m, "", Message{})
	return ok(Object{"channel": ch.ID, "ts": m.TS, "message": s.wire(m, true)})
}

// threadExists reports whether there is a message to reply to. A deleted one with replies still has its thread.
func (s *Server) threadExists(channel, ts string) bool {
	return s.find(channel, ts) != nil || len(s.repliesTo(channel, ts)) > 0
}

// own returns the app's message that a call names. Only the id of a channel names it, never that of a person.
func (s *Server) own(c *call, notOwn string) (*message, *answer) {
	ch := s.channels[c.args["channel"]]
	if ch == nil || !ch.visibleTo(c.in) || ch.Private && ch.Away {
		return nil, fail("channel_not_found")
	}
	if ch.Archived {
		return nil, fail("is_archived")
	}

	m := s.find(ch.ID, c.args["ts"])
	if m == nil || m.OnlyFor != "" {
		return nil, fail("message_not_found")
	}
	if m.BotID != c.in.botID {
		return nil, fail(notOwn)
	}

	return m, nil
}

// updateMessage replaces text and blocks. Text alone removes the blocks. Metadata that is not sent stays.
func (s *Server) updateMessage(c *call) *answer {
	m, refused := s.own(c, "cant_update_message")
	if refused != nil {
		return refused
	}
	if utf8.RuneCountInString(c.args["text"]) > maxUpdateText {
		return fail("msg_too_long")
	}

	in, refused := s.readContent(c)
	if refused != nil {
		return refused
	}

	before := m.Message
	s.revise(m, func(now *Message) {
		now.Text, now.Blocks = in.text, in.blocks
		now.Metadata = cmp.Or(in.metadata, now.Metadata)
		now.Broadcast = now.Broadcast || now.Thread != "" && c.truth("reply_broadcast")
		now.Edited = !in.hasBlocks
	})

	s.echo(m, "message_changed", before)
	return ok(Object{"channel": m.Channel, "ts": m.TS, "text": m.Text, "message": s.wire(m, true)})
}

func (s *Server) deleteMessage(c *call) *answer {
	m, refused := s.own(c, "cant_delete_message")
	if refused != nil {
		return refused
	}

	before := m.Message
	s.revise(m, func(now *Message) { now.Deleted = true })
	s.echo(m, "message_deleted", before)
	return ok(Object{"channel": m.Channel, "ts": m.TS})
}

func (s *Server) postEphemeral(c *call) *answer {
	ch := s.channels[c.args["channel"]]
	if refused := s.writable(c, ch); refused != nil {
		return refused
	}
	if u := s.users[c.args["user"]]; u == nil || u.Deleted || !ch.has(u.ID) {
		return fail("user_not_in_channel")
	}

	in, refused := s.readContent(c)
	if refused != nil {
		return refused
	}

	m := s.add(Message{
		Channel: ch.ID,
		Thread:  c.args["thread_ts"],
		Team:    c.in.team,
		User:    c.in.botUser,
		BotID:   c.in.botID,
		Text:    in.text,
		Blocks:  in.blocks,
		OnlyFor: c.args["user"],
	})

	c.journal.TS = m.TS
	return ok(Object{"message_ts": m.TS})
}

func (s *Server) getPermalink(c *call) *answer {
	ch := s.channels[c.args["channel"]]
	if ch == nil || !ch.visibleTo(c.in) || ch.Private && ch.Away {
		return fail("channel_not_found")
	}

	m := s.find(ch.ID, c.args["message_ts"])
	if m == nil || m.OnlyFor != "" {
		return fail("message_not_found")
	}

	link := "https://" + s.teams[c.in.team].Domain + ".slack.com/archives/" + ch.ID
	link += "/p" + strings.ReplaceAll(m.TS, ".", "")
	if m.Thread != "" {
		link += "?thread_ts=" + m.Thread + "&cid=" + ch.ID
	}

	return ok(Object{"channel": ch.ID, "permalink": link})
}

// cut shortens text to a number of code points.
func cut(text string, limit int) string {
	for at := range text {
		if limit == 0 {
			return text[:at]
		}
		limit--
	}
	return text
}
