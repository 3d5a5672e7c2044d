package deployment

import (
	"encoding/json"
	"time"
)

// Message is what is owed to one channel or person of a chat system: the card of a deployment with the replies
// below it, a message for each of its states, or a single note. Package notify decides what it shows, and sends
// it. The store writes MessageData as JSON and guards every write with Version.
type Message struct {
	ID      int64
	Version int64 // raised by each write; a write that was made from another version is refused

	// Touched counts how often the deployment has changed since. A write that was made from an older count leaves
	// the message due at once.
	Touched int64

	Topic   string      // what it is about: two messages with the same topic are one
	Row     int64       // of the deployment; 0: it is about none
	List    int64       // ID of the MessageList that shows the deployment; 0: none does
	Face    string      // the chat system
	Channel string      // id of a channel or person there
	Kind    MessageKind // of the message
	Rank    MessageRank // which of several that are due goes first
	Due     time.Time   // zero: nothing is to be done until the deployment changes

	MessageData
}

// MessageKind says what a message is.
type MessageKind string

// The kinds.
const (
	MessageCard  MessageKind = "card"  // one message that is edited, with replies below it
	MessagePosts MessageKind = "posts" // a message for each state
	MessageNote  MessageKind = "note"  // one message that is not edited
	MessageList  MessageKind = "list"  // one message that shows several deployments, and is edited

	// MessageResume is sent to nobody: it tells the process that sends messages that a channel can be used again.
	MessageResume MessageKind = "resume"
)

// MessageRank orders messages that are due. The smallest goes first.
type MessageRank int

// The ranks.
const (
	RankEnd     MessageRank = iota // a deployment has ended
	RankPeople                     // it waits for people
	RankRunning                    // anything else
	RankTidy                       // buttons are taken off
)

// MessageData is what is kept of a message and not searched.
type MessageData struct {
	CreatedAt time.Time `json:"created_at"`
	Secret    string    `json:"secret"`            // random; the keys of the parts are made from it
	Settings  Notify    `json:"settings,omitzero"` // those of the route, as they were at the beginning

	Parts    []MessagePart `json:"parts,omitempty"`    // oldest first; of a card the card itself comes first
	Calls    int           `json:"calls,omitempty"`    // that may have had an effect; look-ups do not count
	CalledAt time.Time     `json:"called_at,omitzero"` // the newest one
	Failures int           `json:"failures,omitempty"` // in a row, look-ups included
	FailedAt time.Time     `json:"failed_at,omitzero"` // the first one of these
	RetryAt  time.Time     `json:"retry_at,omitzero"`  // not to be tried again earlier

	Done     bool      `json:"done,omitempty"`     // nothing will be sent any more
	Unsent   string    `json:"unsent,omitempty"`   // why what is owed was given up; empty: it was not
	UnsentAt time.Time `json:"unsent_at,omitzero"` // when

	Before   int64 `json:"before,omitempty"`   // GitHub's id of what ran there when Ahead was counted
	Counted  bool  `json:"counted,omitempty"`  // whether the commits between were counted, or cannot be
	Ahead    int   `json:"ahead,omitempty"`    // commits that are new; with Counted
	Behind   int   `json:"behind,omitempty"`   // commits that would be gone
	Compared bool  `json:"compared,omitempty"` // Ahead and Behind are known

	Note json.RawMessage `json:"note,omitempty"` // of a MessageNote: what it shows
}

// MessagePart is one message in the chat system.
type MessagePart struct {
	About string `json:"about"` // what it is for: "card", a state, or the moment it tells of
	Key   string `json:"key"`   // random; the chat system shows it to whoever may read the channel

	Channel   string `json:"channel,omitempty"` // as the chat system answered it
	MessageID string `json:"message,omitempty"` // empty: it is not known to have been posted
	Thread    string `json:"thread,omitempty"`  // the message to which it is a reply

	Posts  int          `json:"posts,omitempty"`  // that may have been posted
	Call   *MessageCall `json:"call,omitempty"`   // one whose outcome is not known; nil: none
	Gone   string       `json:"gone,omitempty"`   // why it can neither be posted nor edited any more; empty: it can
	Plain  bool         `json:"plain,omitempty"`  // only its plain text is accepted
	First  State        `json:"first,omitempty"`  // that it showed when it was posted
	State  State        `json:"state,omitempty"`  // that it shows
	Hash   string       `json:"hash,omitempty"`   // of what it shows
	Tidied bool         `json:"tidied,omitempty"` // its buttons were taken off
}

// MessageCall is a call that is saved before it is made.
type MessageCall struct {
	Edit       bool      `json:"edit,omitempty"` // false: it posts
	At         time.Time `json:"at"`
	SendBefore time.Time `json:"send_before"`        // it must not leave after this moment
	Deadline   time.Time `json:"deadline"`           // it has no effect after this moment, as far as is known
	Returned   time.Time `json:"returned,omitzero"`  // when it came back without a usable answer; zero: not heard of
	Refused    bool      `json:"refused,omitempty"`  // the answer says that nothing was posted
	Restored   bool      `json:"restored,omitempty"` // not known to have been made: the database may be an older one
	Absent     int       `json:"absent,omitempty"`   // look-ups that count and did not find it
	Hash       string    `json:"hash,omitempty"`     // of what was sent
	State      State     `json:"state,omitempty"`
}

// Notify says which changes of a deployment a channel shows.
type Notify struct {
	Face    string `json:"face"`
	Channel string `json:"channel"`

	Posts     bool    `json:"posts,omitempty"`     // a message for each state; false: one that is edited
	Lists     bool    `json:"lists,omitempty"`     // many cards that begin together are shown as one list
	States    []State `json:"states,omitempty"`    // nil: those that NewNotify gives
	Broadcast []State `json:"broadcast,omitempty"` // those that are to reach the whole channel
	Mention   string  `json:"mention,omitempty"`   // whom to mention where approvals are missing; empty: nobody
}

// MessageTouch says that a deployment has changed, for the messages about it.
type MessageTouch struct {
	Row  int64
	Rank MessageRank
	Due  time.Time
	// New are the messages to begin if there is none about the deployment.
	New []Message
}

// MessageStats are the numbers that the metrics show of the messages to one chat system.
type MessageStats struct {
	Face      string
	Unsent    int           // that are due
	OldestDue time.Duration // how long the most overdue one has been due; 0: none is
}
