package slack

import "time"

// Secret is a text with which anybody can act at Slack, such as a response URL. Formatting and marshaling hide it.
type Secret string

const hidden = "[redacted]"

// Reveal returns the secret itself, for the code that sends or stores it.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret from %v and %s.
func (Secret) String() string { return hidden }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return hidden }

// MarshalText hides the secret from JSON and logs.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Kind says what a request of Slack is.
type Kind string

// The kinds of requests that ask for something.
const (
	KindCommand Kind = "command" // a slash command
	KindMention Kind = "mention" // a message in a channel that mentions this app
	KindDirect  Kind = "direct"  // a direct message to this app
	KindClick   Kind = "click"   // a button of a message or of the home tab was pressed
	KindSubmit  Kind = "submit"  // a modal was submitted
	KindHome    Kind = "home"    // the home tab was opened
	KindEvent   Kind = "event"   // something changed at Slack: see Event
)

// The kinds of requests for which nothing is to be done.
const (
	KindProbe     Kind = "probe"     // Slack checks the certificate
	KindChallenge Kind = "challenge" // Slack checks the address: the answer is Challenge
	KindIgnored   Kind = "ignored"   // see Ignored
)

// The changes that a KindEvent reports, as Slack calls them. All others are KindIgnored.
const (
	EventUserChange     = "user_change"           // of User: perhaps deactivated, or a guest now
	EventChannelShared  = "channel_shared"        // Channel is shared with another organization now
	EventChannelJoined  = "member_joined_channel" // this app was added to Channel
	EventChannelArchive = "channel_archive"       // Channel can no longer be posted to
	EventGroupArchive   = "group_archive"         // the same of a private channel
	EventAppUninstalled = "app_uninstalled"
	EventTokensRevoked  = "tokens_revoked"
)

// Incoming is one request of Slack, as far as this service reads it. Nothing in it is proof of who may do
// what: the signature proves only that Slack sent it.
type Incoming struct {
	Kind       Kind
	ReceivedAt time.Time // when this service received it; ParseIncoming leaves it zero

	// Key identifies the request. It is the same for every copy of it that Slack sends, and another one for
	// each time that somebody types, clicks or submits. At most 100 characters, without secrets. Empty for the kinds
	// for which nothing is to be done.
	Key string
	// OtherKeys also identify the request: it is a copy of each request that has one of them, or Key, among its keys.
	OtherKeys []string

	Team       string // id of the workspace in which the app is installed
	Enterprise string // id of the organization of that workspace; empty: none
	User       string // id of whoever asks; with EventUserChange: of whom it is about
	UserTeam   string // id of the user's own workspace, where the request has it. users.info decides

	Channel       string // id of the channel or direct message; empty: none, as in modals and the home tab
	SharedChannel bool   // the request says that another organization can read the channel
	Thread        string // ts of the message that began the thread; empty: not in a thread
	MessageTS     string // ts of the message that was typed, or has the button
	Ephemeral     bool   // the message that has the button is shown to User only

	Command string // with KindCommand: the command with its slash, in lower case
	Text    string // what was typed, as normalizeText leaves it

	ActionID    string // with KindClick
	ActionValue string // with KindClick
	BlockID     string // with KindClick

	ViewID          string            // of the modal, or of the home tab
	ViewHash        string            // of the view's content, for an update that must not overwrite a newer one
	ViewCallback    string            // callback_id of the view
	PrivateMetadata string            // what this service wrote into the view
	Values          map[string]string // with KindSubmit: what was typed or chosen, by the block_id of the input

	Event string // with KindEvent: one of the Event constants

	TriggerID   Secret `json:"-"` // opens one modal, for 3 s; empty: none
	ResponseURL Secret `json:"-"` // answers at most 5 times in 30 minutes; empty: none

	Challenge string // with KindChallenge
	Ignored   string // with KindIgnored: why, in words
	Bot       bool   // a program wrote the message; always KindIgnored
}

// ViewErrors is what a modal shows instead of being closed, by the block_id of the input. At least one.
type ViewErrors map[string]string
