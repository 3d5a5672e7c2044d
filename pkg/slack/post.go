package slack

import (
	"context"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// posted is the answer to a post or an edit.
type posted struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

// PostMessage posts a message to m.Channel. It succeeds only if Slack names the message. After SendUnknown, and after
// SendLimited that is not Local, the message may be there: look with FindMessage before another post.
func (c *Client) PostMessage(ctx context.Context, m Message) (notify.MessageID, error) {
	if m.Text == "" {
		return notify.MessageID{}, errNoText()
	}

	options := content(m)
	if m.Key != "" {
		options = append(options, goslack.MsgOptionMetadata(goslack.SlackMetadata{
			EventType:    metadataEvent,
			EventPayload: map[string]any{metadataField: m.Key},
		}))
	}
	options = append(options, thread(m)...)

	var out posted
	err := c.do(ctx, call{
		method:  methodPost,
		channel: m.Channel,
		out:     &out,
		check: func() *notify.SendError {
			if out.Channel == "" || out.TS == "" {
				return noID()
			}
			return nil
		},
		send: func(ctx context.Context) error {
			_, _, err := c.api.PostMessageContext(ctx, m.Channel, options...)
			return err
		},
	})
	if err != nil {
		return notify.MessageID{}, err
	}

	return notify.MessageID{Channel: out.Channel, Message: out.TS}, nil
}

// UpdateMessage replaces the text and the blocks of a message of this app. Its metadata stays. It can be repeated.
func (c *Client) UpdateMessage(ctx context.Context, id notify.MessageID, m Message) error {
	if m.Text == "" {
		return errNoText()
	}

	var out posted
	return c.do(ctx, call{
		method: methodUpdate,
		out:    &out,
		check: func() *notify.SendError {
			if out.TS == "" {
				return noID()
			}
			return nil
		},
		send: func(ctx context.Context) error {
			_, _, _, err := c.api.UpdateMessageContext(ctx, id.Channel, id.Message, content(m)...)
			return err
		},
	})
}

// PostEphemeral shows a message to one person in a channel. Slack does not promise that it is shown, does not keep
// it, and cannot edit it.
func (c *Client) PostEphemeral(ctx context.Context, channel, user string, m Message) error {
	if m.Text == "" {
		return errNoText()
	}

	return c.do(ctx, call{
		method:  methodEphemeral,
		channel: channel,
		send: func(ctx context.Context) error {
			_, err := c.api.PostEphemeralContext(ctx, channel, user, append(content(m), thread(m)...)...)
			return err
		},
	})
}

// content are the options of what a message shows. Blocks are always sent: without any, an edit would leave
// the old ones. parse=none is sent each time because chat.update does not default to it: Slack would make links and
// mentions of plain words.
func content(m Message) []goslack.MsgOption {
	return []goslack.MsgOption{
		goslack.MsgOptionText(m.Text, false),
		goslack.MsgOptionBlocks(m.Blocks...),
		goslack.MsgOptionParse(false),
		goslack.MsgOptionDisableLinkUnfurl(),
		goslack.MsgOptionDisableMediaUnfurl(),
	}
}

// thread are the options of a reply.
func thread(m Message) []goslack.MsgOption {
	var options []goslack.MsgOption
	if m.Thread != "" {
		options = append(options, goslack.MsgOptionTS(m.Thread))
		if m.Broadcast {
			options = append(options, goslack.MsgOptionBroadcast())
		}
	}
	return options
}

// errNoText is the error for a message without text, which is not sent.
func errNoText() error {
	return &notify.SendError{Kind: notify.SendContent, Code: "no_text"}
}
