package slack

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Metadata is what an app attaches to a message for programs.
type Metadata struct {
	EventType string         `json:"event_type"`
	Payload   map[string]any `json:"event_payload"`
}

// Message is one message as it was at one moment.
type Message struct {
	Channel   string
	TS        string // its id within the channel
	Thread    string // ts of the parent; empty: it is not a reply
	Broadcast bool   // a reply that the channel shows, too
	Team      string
	User      string
	BotID     string // of an app's message; empty: a person's
	Text      string
	Blocks    []Object
	Metadata  *Metadata
	Edited    bool // Slack shows "(edited)"
	Deleted   bool
	OnlyFor   string // the one user who sees an ephemeral message; empty: it is not ephemeral
	Version   int    // 1, and one more at each edit
	At        time.Time
	ChangedAt time.Time

	UnfurlLinks, UnfurlMedia bool // as they were sent; Slack's default is to unfurl
}

// Button is a button of a message, a modal or a home tab.
type Button struct {
	ActionID string
	BlockID  string
	Text     string
	Value    string
	URL      string
	Style    string
	Confirm  bool
}

// message is a message with all its versions.
type message struct {
	Message
	versions []Message // older ones, oldest first
}

// Buttons lists the buttons of the message, in order.
func (m Message) Buttons() []Button { return buttonsOf(m.Blocks) }

// Button returns the first button with an action id.
func (m Message) Button(actionID string) (Button, bool) {
	for _, b := range m.Buttons() {
		if b.ActionID == actionID {
			return b, true
		}
	}
	return Button{}, false
}

// Words returns the text of all blocks of the message, one line for each text object; without blocks its text.
func (m Message) Words() string {
	if len(m.Blocks) == 0 {
		return m.Text
	}
	return wordsOf(m.Blocks)
}

func buttonsOf(blocks []Object) []Button {
	var all []Button
	for _, block := range blocks {
		blockID, _ := block["block_id"].(string)
		elements, _ := block["elements"].([]any)
		for _, e := range append(slices.Clone(elements), block["accessory"]) {
			element, isObject := e.(Object)
			if !isObject || element["type"] != "button" {
				continue
			}

			b := Button{BlockID: blockID, Confirm: element["confirm"] != nil}
			b.ActionID, _ = element["action_id"].(string)
			b.Value, _ = element["value"].(string)
			b.URL, _ = element["url"].(string)
			b.Style, _ = element["style"].(string)
			if text, isText := element["text"].(Object); isText {
				b.Text, _ = text["text"].(string)
			}
			all = append(all, b)
		}
	}

	return all
}

// wordsOf collects the values of all keys named text, one line for each, in the order in which blocks show them.
func wordsOf(blocks []Object) string {
	var out []byte
	var walk func(any)
	walk = func(node any) {
		switch n := node.(type) {
		case []any:
			for _, item := range n {
				walk(item)
			}
		case Object:
			if text, isText := n["text"].(string); isText {
				out = append(append(out, text...), '\n')
			}
			for _, key := range []string{"title", "label", "text", "fields", "elements", "accessory", "element"} {
				if _, isText := n[key].(string); !isText {
					walk(n[key])
				}
			}
		}
	}
	for _, block := range blocks {
		walk(block)
	}

	return string(out)
}

// find returns a message that still exists, or nil. The caller holds the lock.
func (s *Server) find(channel, ts string) *message {
	for _, m := range s.messages {
		if m.Channel == channel && m.TS == ts && !m.Deleted {
			return m
		}
	}
	return nil
}

// add puts a new message into its channel. The caller holds the lock.
func (s *Server) add(m Message) *message {
	m.TS = s.newTS()
	m.Version = 1
	m.At = s.options.Now()
	m.ChangedAt = m.At
	added := &message{Message: m}
	s.messages = append(s.messages, added)

	return added
}

// revise replaces what a message shows. The caller holds the lock.
func (s *Server) revise(m *message, change func(*Message)) {
	m.versions = append(m.versions, m.Message)
	change(&m.Message)
	m.Version++
	m.ChangedAt = s.options.Now()
}

// repliesTo returns the replies of a thread that still exist, oldest first. The caller holds the lock.
func (s *Server) repliesTo(channel, ts string) []*message {
	var all []*message
	for _, m := range s.messages {
		if m.Channel == channel && m.Thread == ts && !m.Deleted && m.OnlyFor == "" {
			all = append(all, m)
		}
	}
	return all
}

// wire is the message as the API shows it. The caller holds the lock.
func (s *Server) wire(m *message, withMetadata bool) Object {
	out := Object{"type": "message", "user": m.User, "text": m.Text, "ts": m.TS, "team": m.Team}
	if m.Deleted {
		out["subtype"], out["hidden"] = "tombstone", true
		out["text"], out["user"] = "This message was deleted.", "USLACKBOT"
	}
	if m.BotID != "" && !m.Deleted {
		out["bot_id"] = m.BotID
		if in := s.installationOf(m.Team); in != nil && in.botID == m.BotID {
			out["app_id"] = s.options.AppID
			out["bot_profile"] = Object{
				"id":      m.BotID,
				"app_id":  s.options.AppID,
				"name":    s.users[in.botUser].Name,
				"deleted": false,
				"updated": 1_700_000_000,
				"team_id": m.Team,
				"icons":   Object{"image_36": "https://a.slack-edge.com/36.png"},
			}
		}
	}

	if m.Blocks != nil && !m.Deleted {
		out["blocks"] = m.Blocks
	}
	if withMetadata && m.Metadata != nil && !m.Deleted {
		out["metadata"] = m.Metadata
	}
	if m.Edited {
		out["edited"] = Object{"user": m.User, "ts": strconv.FormatInt(m.ChangedAt.Unix(), 10) + ".000000"}
	}
	if m.Thread != "" {
		s.threadFields(m, out)
	}

	replies := s.repliesTo(m.Channel, m.TS)
	if len(replies) > 0 {
		var users []string
		for _, r := range replies {
			if !slices.Contains(users, r.User) {
				users = append(users, r.User)
			}
		}

		out["thread_ts"], out["reply_count"], out["reply_users"] = m.TS, len(replies), users
		out["reply_users_count"], out["latest_reply"] = len(users), replies[len(replies)-1].TS
		out["is_locked"], out["subscribed"] = false, false
	}

	return out
}

func (s *Server) threadFields(m *message, out Object) {
	out["thread_ts"] = m.Thread
	parent := s.find(m.Channel, m.Thread)
	if parent != nil {
		out["parent_user_id"] = parent.User
	}
	if !m.Broadcast {
		return
	}

	out["subtype"] = "thread_broadcast"
	if parent != nil {
		out["root"] = Object{
			"type":      "message",
			"user":      parent.User,
			"text":      parent.Text,
			"ts":        parent.TS,
			"thread_ts": parent.TS,
		}
	}
}

// decodeMetadata reads the argument metadata. Its payload is flat.
func decodeMetadata(raw string) (*Metadata, *answer) {
	if raw == "" {
		return nil, nil
	}

	var m Metadata
	if err := json.Unmarshal([]byte(raw), &m); err != nil {
		return nil, fail("invalid_metadata_format")
	}
	if m.EventType == "" || m.Payload == nil {
		return nil, fail("invalid_metadata_schema")
	}

	return &m, nil
}
