package notify

import (
	"context"
	"fmt"
	"time"
)

// Face is a chat system in which messages are shown. All errors of its methods are *SendError.
type Face interface {
	// Post posts a new message. It returns only with an id, or with an error.
	Post(ctx context.Context, p Post) (MessageID, error)
	// Edit replaces what a message shows.
	Edit(ctx context.Context, m MessageID, c Card) error
	// Find looks for a message that this service has posted with a key since a moment. Both results may be
	// zero: then the chat system shows no such message.
	Find(ctx context.Context, f Find) (MessageID, bool, error)
}

// MessageID is how a chat system names a message. Channel differs from the one that was posted to where that
// was a person.
type MessageID struct {
	Channel string
	Message string
}

// Post is one message to be posted. Exactly one of Card and Note is set.
type Post struct {
	Channel   string // id of a channel, or of a person for a direct message
	Key       string // random, and unique among all messages: Find looks for it
	Thread    string // the message to which it is a reply; empty: none
	Broadcast bool   // a reply that the channel shows, too
	Card      *Card
	Note      *Note
}

// Find says which message is looked for.
type Find struct {
	Channel string
	Thread  string
	Key     string
	Since   time.Time
}

// SendKind says what an error of a Face means for the message and for those that wait behind it.
type SendKind string

// The kinds.
const (
	// SendUnknown: the message may have been posted, or edited.
	SendUnknown SendKind = "unknown"
	// SendNotSent: nothing has left this machine.
	SendNotSent SendKind = "not_sent"
	// SendLimited: this method of this workspace must wait for Wait. Unless Local is set, the chat system was asked: it
	// has most likely posted nothing, but look before another post.
	SendLimited SendKind = "limited"
	// SendGone: the message does not exist any more.
	SendGone SendKind = "gone"
	// SendFinal: this message cannot be edited any more.
	SendFinal SendKind = "final"
	// SendChannel: this channel cannot be used as it is configured.
	SendChannel SendKind = "channel"
	// SendFace: the chat system refuses this service altogether: its token, or the scopes of it.
	SendFace SendKind = "face"
	// SendContent: what the message shows was refused; its plain text may be accepted.
	SendContent SendKind = "content"
	// SendForbidden: this method is not allowed with the scopes there are; others are.
	SendForbidden SendKind = "forbidden"
)

// SendError says why a call did not succeed.
type SendError struct {
	Kind SendKind
	Code string        // the chat system's word for it, or the HTTP status
	Wait time.Duration // with SendLimited: how long to wait
	Err  error         // nil: Code says it all

	// Local: the chat system was not asked to post or edit anything. With SendLimited the wait was known before.
	Local bool
}

// Error names the chat system's word, and the kind.
func (e *SendError) Error() string {
	text := fmt.Sprintf("call the chat system: %s (%s)", e.Code, e.Kind)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap is the cause.
func (e *SendError) Unwrap() error { return e.Err }
