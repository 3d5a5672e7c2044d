package slack

import (
	"context"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// channelInfo is the answer of conversations.info and conversations.open.
type channelInfo struct {
	Channel struct {
		ID           string `json:"id"`
		Name         string `json:"name"`
		IsArchived   bool   `json:"is_archived"`
		IsMember     bool   `json:"is_member"`
		IsPrivate    bool   `json:"is_private"`
		IsIM         bool   `json:"is_im"`
		IsShared     bool   `json:"is_shared"`
		IsOrgShared  bool   `json:"is_org_shared"`
		IsExtShared  bool   `json:"is_ext_shared"`
		IsPendingExt bool   `json:"is_pending_ext_shared"`
		IsReadOnly   bool   `json:"is_read_only"`
		IsThreadOnly bool   `json:"is_thread_only"`
		IsFrozen     bool   `json:"is_frozen"`
	} `json:"channel"`
}

// check wants the id of the channel.
func (i *channelInfo) check() *notify.SendError {
	if i.Channel.ID == "" {
		return unreadable()
	}
	return nil
}

// Channel asks Slack for a channel. Nothing is remembered.
func (c *Client) Channel(ctx context.Context, id string) (Channel, error) {
	var out channelInfo
	err := c.do(ctx, call{
		method: methodChannel,
		out:    &out,
		check:  out.check,
		send: func(ctx context.Context) error {
			_, err := c.api.GetConversationInfoContext(ctx, &goslack.GetConversationInfoInput{ChannelID: id})
			return err
		},
	})
	if err != nil {
		return Channel{}, err
	}

	in := out.Channel
	return Channel{
		ID:        in.ID,
		Name:      in.Name,
		Archived:  in.IsArchived,
		Member:    in.IsMember,
		Private:   in.IsPrivate,
		Direct:    in.IsIM,
		Shared:    in.IsShared || in.IsOrgShared || in.IsExtShared,
		ExtShared: in.IsExtShared || in.IsPendingExt,
		ReadOnly:  in.IsReadOnly || in.IsThreadOnly || in.IsFrozen,
	}, nil
}

// KnownChannel is Channel, but what Slack said within KnownFor counts, unless it is from before since or ForgetChannel
// was called.
func (c *Client) KnownChannel(ctx context.Context, id string, since time.Time) (Channel, error) {
	return c.channels.Get(ctx, id, since)
}

// ForgetChannel says that a channel has changed, so that KnownChannel asks Slack again, also before a message is posted
// there.
func (c *Client) ForgetChannel(id string) { c.channels.Forget(id) }

// OpenDirect returns the id of the direct message with a person, which begins with D. It needs the scope im:write;
// a post to the person's own id does not.
func (c *Client) OpenDirect(ctx context.Context, user string) (string, error) {
	var out channelInfo
	err := c.do(ctx, call{
		method: methodDirect,
		out:    &out,
		check:  out.check,
		send: func(ctx context.Context) error {
			with := &goslack.OpenConversationParameters{Users: []string{user}}
			_, _, _, err := c.api.OpenConversationContext(ctx, with)
			return err
		},
	})
	if err != nil {
		return "", err
	}

	return out.Channel.ID, nil
}
