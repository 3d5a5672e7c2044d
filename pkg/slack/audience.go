package slack

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// For how long an answer of conversations.info counts for what is posted, and of how many channels it is remembered.
const (
	audienceKnownFor = time.Minute
	maxAudiences     = 5000
)

// codeExtShared is what cards and notes are refused with where another company reads along. Slack has no such error.
const codeExtShared = "ext_shared"

// audiences remembers who can read channels. It is safe for concurrent use.
type audiences struct {
	mu        sync.Mutex
	known     map[string]audience
	forgotten int // how often ForgetChannel was called
}

// audience is what Slack said of a channel at a moment.
type audience struct {
	extShared bool
	at        time.Time
}

// checkAudience refuses a channel that people of another company can read, or will once they accept: what it is shown
// of repositories and people is not for them. It asks conversations.info unless that was answered within
// audienceKnownFor. Where Slack does not answer, nothing may be shown either. Direct messages are not asked about. All
// errors have Local set, or the kind SendNotSent: no message was sent.
func (c *Client) checkAudience(ctx context.Context, channel string) error {
	if channel != "" && strings.ContainsRune("DUW", rune(channel[0])) {
		return nil
	}

	asked := c.o.Now()
	c.audiences.mu.Lock()
	known, ok := c.audiences.known[channel]
	forgotten := c.audiences.forgotten
	c.audiences.mu.Unlock()

	if age := asked.Sub(known.at); !ok || age < 0 || age >= audienceKnownFor {
		answer, err := c.Channel(ctx, channel)
		if err != nil {
			return audienceUnknown(err)
		}
		known = audience{extShared: answer.ExtShared, at: asked}
		c.audiences.keep(channel, known, forgotten)
	}

	if known.extShared {
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

// keep remembers an answer, unless something has changed since it was asked for.
func (a *audiences) keep(channel string, answer audience, forgotten int) {
	a.mu.Lock()
	defer a.mu.Unlock()

	if a.forgotten != forgotten {
		return
	}
	if a.known == nil || len(a.known) >= maxAudiences {
		a.known = map[string]audience{}
	}
	a.known[channel] = answer
}

// ForgetChannel says that a channel has changed, so that Slack is asked again who can read it before a message is
// posted there.
func (c *Client) ForgetChannel(channel string) {
	c.audiences.mu.Lock()
	defer c.audiences.mu.Unlock()

	delete(c.audiences.known, channel)
	c.audiences.forgotten++
}
