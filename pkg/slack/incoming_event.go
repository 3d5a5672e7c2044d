package slack

import (
	"encoding/json"
	"slices"
	"strings"
)

// envelope is what Slack's events have in common (docs.slack.dev, "The Events API").
type envelope struct {
	Type           string
	Challenge      string
	TeamID         string `json:"team_id"`
	EnterpriseID   string `json:"enterprise_id"`
	EventID        string `json:"event_id"`
	IsExtShared    bool   `json:"is_ext_shared_channel"`
	Authorizations []struct {
		TeamID       string `json:"team_id"`
		EnterpriseID string `json:"enterprise_id"`
		UserID       string `json:"user_id"`
		IsBot        bool   `json:"is_bot"`
	}
	Event json.RawMessage
}

// bots are the ids of this app's bot users, as the event names them.
func (e *envelope) bots() (ids []string) {
	for _, a := range e.Authorizations {
		if a.IsBot && a.UserID != "" {
			ids = append(ids, a.UserID)
		}
	}
	return ids
}

// parseEvent reads a request of the Events API.
func parseEvent(body []byte) (Incoming, error) {
	var e envelope
	if err := decode(body, &e); err != nil {
		return Incoming{}, err
	}

	switch e.Type {
	case "url_verification":
		return Incoming{Kind: KindChallenge, Challenge: e.Challenge}, nil
	case "event_callback":
	case "":
		return Incoming{}, errUnreadable
	default: // such as app_rate_limited
		return ignored("Slack's notice " + typeName(e.Type)), nil
	}

	var inner struct{ Type, Subtype string }
	if err := decode(e.Event, &inner); err != nil {
		return Incoming{}, err
	}

	in := Incoming{
		Team:          e.TeamID,
		Enterprise:    e.EnterpriseID,
		SharedChannel: e.IsExtShared,
		RequestKey:    key("event", e.EventID),
	}
	if len(e.Authorizations) > 0 { // in a shared channel team_id may be that of the other workspace
		ours := e.Authorizations[0]
		in.Team, in.Enterprise = firstOf(ours.TeamID, in.Team), firstOf(ours.EnterpriseID, in.Enterprise)
	}

	parse := eventParsers[inner.Type]
	switch {
	case parse == nil:
		return ignored("an event of another type: " + typeName(inner.Type)), nil
	case e.EventID == "":
		return ignored("an event without an id"), nil
	}

	return parse(in, &e)
}

// eventParsers read the events that this service knows, by their type. Each gets what the envelope says.
var eventParsers = map[string]func(Incoming, *envelope) (Incoming, error){
	"app_mention":       parseMessage,
	"message":           parseMessage,
	"app_home_opened":   parseHome,
	EventUserChange:     parseUserChange,
	EventChannelShared:  parseChannelEvent,
	EventChannelJoined:  parseJoined,
	EventChannelArchive: parseChannelEvent,
	EventGroupArchive:   parseChannelEvent,
	EventAppUninstalled: parsePlainEvent,
	EventTokensRevoked:  parseRevoked,
}

// messageEvent is the part that is read of app_mention and message.
type messageEvent struct {
	Type        string
	Subtype     string
	User        string
	UserTeam    string `json:"user_team"`
	SourceTeam  string `json:"source_team"`
	BotID       string `json:"bot_id"`
	AppID       string `json:"app_id"`
	Text        string
	TS          string
	ThreadTS    string `json:"thread_ts"`
	Channel     string
	ChannelType string          `json:"channel_type"`
	ClientMsgID string          `json:"client_msg_id"`
	Edited      json.RawMessage // null or absent: it was not
}

// parseMessage reads a message that mentions this app, or that was sent to it directly. The same message may come
// as both; it has one RequestKey, which is made of the channel and the ts.
func parseMessage(in Incoming, e *envelope) (Incoming, error) {
	var subtype struct{ Subtype string }
	if err := decode(e.Event, &subtype); err != nil {
		return Incoming{}, err
	}
	if subtype.Subtype != "" { // bot_message, message_changed and others, whose fields differ
		in := ignored("a message of the subtype " + typeName(subtype.Subtype))
		in.Bot = subtype.Subtype == "bot_message"
		return in, nil
	}

	var m messageEvent
	if err := decode(e.Event, &m); err != nil {
		return Incoming{}, err
	}

	switch {
	case m.BotID != "" || m.AppID != "" || m.User == "USLACKBOT" || slices.Contains(e.bots(), m.User):
		in := ignored("a program wrote the message")
		in.Bot = true
		return in, nil
	case m.Type == "message" && m.ChannelType != "im":
		return ignored("a message that is not for this app"), nil
	case len(m.Edited) > 0 && string(m.Edited) != "null":
		return ignored("an edited message"), nil
	case m.User == "" || m.Channel == "" || m.TS == "":
		return ignored("a message without an author"), nil
	}

	in.Kind = KindMention
	if m.Type == "message" {
		in.Kind = KindDirect
	}

	in.User, in.UserTeam = m.User, firstOf(m.UserTeam, m.SourceTeam)
	in.Channel, in.MessageTS, in.Thread = m.Channel, m.TS, m.ThreadTS

	in.Text = normalizeText(m.Text)
	for _, bot := range e.bots() {
		in.Text = StripMention(in.Text, bot)
	}

	in.OtherKeys = []string{in.RequestKey}
	in.RequestKey = key("message", m.Channel, m.TS)
	if m.ClientMsgID != "" { // a copy with another ts has the same one
		in.OtherKeys = append(in.OtherKeys, key("client", m.User, m.ClientMsgID))
	}

	return in, nil
}

func parseHome(in Incoming, e *envelope) (Incoming, error) {
	var opened struct {
		User    string
		Channel string
		Tab     string
		View    struct{ ID, Hash string }
	}
	if err := decode(e.Event, &opened); err != nil {
		return Incoming{}, err
	}
	if opened.Tab != "home" || opened.User == "" {
		return ignored("another tab was opened"), nil
	}

	in.Kind = KindHome
	in.User = opened.User
	in.ViewID, in.ViewHash = opened.View.ID, opened.View.Hash
	return in, nil
}

func parseUserChange(in Incoming, e *envelope) (Incoming, error) {
	var changed struct {
		User struct {
			ID     string
			TeamID string `json:"team_id"`
		}
	}
	if err := decode(e.Event, &changed); err != nil {
		return Incoming{}, err
	}
	if changed.User.ID == "" {
		return ignored("a change of nobody"), nil
	}

	in.Kind, in.Event = KindEvent, EventUserChange
	in.User, in.UserTeam = changed.User.ID, changed.User.TeamID
	return in, nil
}

// parseChannelEvent reads an event about the channel whose id it has.
func parseChannelEvent(in Incoming, e *envelope) (Incoming, error) {
	var about struct{ Type, Channel, User string }
	if err := decode(e.Event, &about); err != nil {
		return Incoming{}, err
	}
	if about.Channel == "" {
		return ignored("a change of no channel"), nil
	}

	in.Kind, in.Event = KindEvent, about.Type
	in.Channel, in.User = about.Channel, about.User
	return in, nil
}

// parseJoined reads which channel this app was added to. Everybody else who joins one is of no interest.
func parseJoined(in Incoming, e *envelope) (Incoming, error) {
	in, err := parseChannelEvent(in, e)
	if err == nil && !slices.Contains(e.bots(), in.User) {
		return ignored("somebody else joined a channel"), nil
	}
	return in, err
}

// parsePlainEvent reads an event that is nothing but its type.
func parsePlainEvent(in Incoming, e *envelope) (Incoming, error) {
	var about struct{ Type string }
	if err := decode(e.Event, &about); err != nil {
		return Incoming{}, err
	}

	in.Kind, in.Event = KindEvent, about.Type
	return in, nil
}

// parseRevoked reads which tokens were revoked. Those of people are of no use to this service.
func parseRevoked(in Incoming, e *envelope) (Incoming, error) {
	var revoked struct{ Tokens struct{ Bot []string } }
	if err := decode(e.Event, &revoked); err != nil {
		return Incoming{}, err
	}
	if len(revoked.Tokens.Bot) == 0 {
		return ignored("no token of a bot was revoked"), nil
	}

	in.Kind, in.Event = KindEvent, EventTokensRevoked
	return in, nil
}

// typeName is a type or subtype as a log may show it.
func typeName(s string) string {
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '.' }
	if s == "" || len(s) > 60 || strings.ContainsFunc(s, odd) {
		return "that is none of Slack's"
	}
	return s
}
