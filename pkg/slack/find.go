package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// Bounds of a look-up.
const (
	lookBack = 30 * time.Second // by how much Slack's clock may be behind ours
	pageSize = 100              // messages of one page
	maxPages = 50
)

// page is a page of messages of a channel or a thread. The messages are of anybody, and are read one by one, so
// that one of an unknown shape hides no other.
type page struct {
	Messages []json.RawMessage `json:"messages"`
	HasMore  bool              `json:"has_more"`
	Metadata struct {
		Cursor string `json:"next_cursor"`
	} `json:"response_metadata"`
}

// foundMessage is what a look-up reads of a message.
type foundMessage struct {
	TS       string `json:"ts"`
	User     string `json:"user"`
	Bot      string `json:"bot_id"`
	App      string `json:"app_id"`
	Metadata struct {
		Event   string `json:"event_type"`
		Payload struct {
			Key string `json:"key"` // metadataField
		} `json:"event_payload"`
	} `json:"metadata"`
}

// FindMessage looks for a message of this app with a key, in a channel, or in a thread if f.Thread is set. Where
// f.Channel is a person, it looks in the direct message with that person.
//
// It reads the messages since 30 s before f.Since, at most 5000 of them. The second result is false only where it has
// read all of them; otherwise the error is SendUnknown. Slack may show a new message late.
//
// The bot must be in the channel and have the scope channels:history, groups:history or im:history; otherwise the error
// is SendChannel or SendForbidden.
func (c *Client) FindMessage(ctx context.Context, f notify.Find) (notify.MessageID, bool, error) {
	me, err := c.Identity(ctx)
	if err != nil {
		return notify.MessageID{}, false, err
	}
	if isPerson(f.Channel) {
		if f.Channel, err = c.OpenDirect(ctx, f.Channel); err != nil {
			return notify.MessageID{}, false, err
		}
	}

	cursor := ""
	for range maxPages {
		p, err := c.readPage(ctx, f, cursor)
		if err != nil {
			return notify.MessageID{}, false, err
		}
		if ts := p.find(f.Key, me); ts != "" {
			return notify.MessageID{Channel: f.Channel, Message: ts}, true, nil
		}

		next := p.Metadata.Cursor
		if next == "" && !p.HasMore {
			return notify.MessageID{}, false, nil
		}
		if next == "" || next == cursor {
			break
		}
		cursor = next
	}

	return notify.MessageID{}, false, &notify.SendError{
		Kind: notify.SendUnknown,
		Code: codeUnreadable,
		Err:  errors.New("the messages of the channel could not be read to the end"),
	}
}

// readPage reads one page of a channel or a thread.
func (c *Client) readPage(ctx context.Context, f notify.Find, cursor string) (page, error) {
	var p page
	since := f.Since.Add(-lookBack)
	oldest := fmt.Sprintf("%d.%06d", since.Unix(), since.Nanosecond()/1000)

	k := call{
		method: methodHistory,
		out:    &p,
		check: func() *notify.SendError {
			if p.Messages == nil {
				return unreadable()
			}
			return nil
		},
		send: func(ctx context.Context) error {
			_, err := c.api.GetConversationHistoryContext(ctx, &goslack.GetConversationHistoryParameters{
				ChannelID:          f.Channel,
				Oldest:             oldest,
				Inclusive:          true,
				Limit:              pageSize,
				Cursor:             cursor,
				IncludeAllMetadata: true,
			})
			return err
		},
	}
	if f.Thread != "" {
		k.method = methodReplies
		k.send = func(ctx context.Context) error {
			_, _, _, err := c.api.GetConversationRepliesContext(ctx, &goslack.GetConversationRepliesParameters{
				ChannelID:          f.Channel,
				Timestamp:          f.Thread,
				Oldest:             oldest,
				Inclusive:          true,
				Limit:              pageSize,
				Cursor:             cursor,
				IncludeAllMetadata: true,
			})
			return err
		}
	}

	if err := c.do(ctx, k); err != nil {
		return page{}, err
	}
	return p, nil
}

// find returns the ts of the message that me has posted with a key; empty: the page has none.
func (p page) find(key string, me Identity) string {
	for _, raw := range p.Messages {
		var m foundMessage
		if json.Unmarshal(raw, &m) != nil {
			continue
		}

		if key != "" && m.by(me) && m.Metadata.Event == metadataEvent && m.Metadata.Payload.Key == key {
			return m.TS
		}
	}
	return ""
}

// by says whether the app that the token speaks for has posted a message: as its bot, as the bot's user, or as the app.
func (m foundMessage) by(me Identity) bool {
	return me.Bot != "" && m.Bot == me.Bot || me.User != "" && m.User == me.User || me.App != "" && m.App == me.App
}

// isPerson says whether a post would go to a person instead of a channel.
func isPerson(channel string) bool {
	return strings.HasPrefix(channel, "U") || strings.HasPrefix(channel, "W")
}
