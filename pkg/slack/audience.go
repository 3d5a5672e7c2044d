package slack

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// codeExtShared is what cards and notes are refused with where another company reads along. Slack has no such error.
const codeExtShared = "ext_shared"

// checkAudience refuses a channel that people of another company can read, or will once they accept: what it is shown
// of repositories and people is not for them. What Slack said within KnownFor counts. Where Slack does not answer,
// nothing may be shown either. Direct messages are not asked about. All errors have Local set, or the kind SendNotSent:
// no message was sent.
func (c *Client) checkAudience(ctx context.Context, channel string) error {
	if channel != "" && strings.ContainsRune("DUW", rune(channel[0])) {
		return nil
	}

	known, err := c.KnownChannel(ctx, channel, time.Time{})
	if err != nil {
		return audienceUnknown(err)
	}
	if known.ExtShared {
		return &notify.SendError{Kind: notify.SendChannel, Code: codeExtShared, Local: true}
	}
	return nil
}

// audienceUnknown is what a message is refused with because conversations.info has failed.
func audienceUnknown(err error) error {
	var e *notify.SendError
	if !errors.As(err, &e) {
		return &notify.SendError{Kind: notify.SendNotSent, Code: codeNotSent, Err: err}
	}

	refused := *e
	switch e.Kind {
	case notify.SendLimited, notify.SendChannel, notify.SendFace, notify.SendForbidden:
		refused.Local = true
	default:
		refused.Kind = notify.SendNotSent
	}
	return &refused
}
