package slack

import (
	"context"
	"errors"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// Face shows cards and notes in Slack. It implements notify.Face.
type Face struct {
	Client *Client
	Render RenderOptions
}

// Post posts a card or a note, unless another company can read the channel: then the error has the kind SendChannel.
func (f Face) Post(ctx context.Context, p notify.Post) (notify.MessageID, error) {
	var m Message
	switch {
	case p.Card != nil:
		m = RenderCard(*p.Card, f.Render)
	case p.Note != nil:
		m = RenderNote(*p.Note, f.Render)
	default:
		err := errors.New("neither a card nor a note")
		return notify.MessageID{}, &notify.SendError{Kind: notify.SendNotSent, Code: codeNotSent, Err: err}
	}

	if err := f.Client.checkAudience(ctx, p.Channel); err != nil {
		return notify.MessageID{}, err
	}
	m.Channel, m.Key, m.Thread, m.Broadcast = p.Channel, p.Key, p.Thread, p.Broadcast
	return f.Client.PostMessage(ctx, m)
}

// Edit replaces what a message shows, unless another company can read the channel by now.
func (f Face) Edit(ctx context.Context, id notify.MessageID, c notify.Card) error {
	if err := f.Client.checkAudience(ctx, id.Channel); err != nil {
		return err
	}
	return f.Client.UpdateMessage(ctx, id, RenderCard(c, f.Render))
}

// Find looks for a message of this app by its key.
func (f Face) Find(ctx context.Context, find notify.Find) (notify.MessageID, bool, error) {
	return f.Client.FindMessage(ctx, find)
}
