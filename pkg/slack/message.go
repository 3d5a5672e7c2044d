package slack

import (
	goslack "github.com/slack-go/slack"
)

// metadataEvent is the event type of the metadata of a message that is posted with a Key. The payload has one field,
// metadataField, which holds the Key.
const (
	metadataEvent = "seraph_card"
	metadataField = "key"
)

// Message is what one call posts, edits or answers with.
type Message struct {
	// Channel is the id of a channel, or of a person for a direct message. UpdateMessage, PostEphemeral and
	// Respond do not read it: their own arguments say where.
	Channel string

	// Text is mrkdwn, already escaped: what notifications show, and what is shown where Blocks is empty. It must not be
	// empty, because Slack removes the text of a message that is edited without one.
	Text string

	// Blocks are what the message shows instead of Text; at most 50.
	Blocks []goslack.Block

	// Key is written into the metadata of a posted message, where FindMessage looks for it; empty: no metadata. Whoever
	// can read the channel can read it.
	Key string

	// Thread is the ts of the message to which this one is a reply; empty: none. With Broadcast the channel
	// shows the reply, too.
	Thread    string
	Broadcast bool

	// ReplaceOriginal makes Respond edit the message whose response_url it is, instead of posting another one.
	ReplaceOriginal bool

	// InChannel makes Respond post for everybody in the channel, instead of for the one who asked.
	InChannel bool
}

// View is a modal, or the home tab of one person, which has only Blocks, Callback and Metadata.
type View struct {
	Callback string // callback_id: which view it is; at most 255 characters
	Metadata string // private_metadata: comes back with each interaction; at most 3000 characters
	Title    string // plain text, at most 24 characters
	Submit   string // label of the button that submits, at most 24 characters; empty: there is none
	Close    string // label of the button that closes, at most 24 characters; empty: Slack's own word
	Blocks   []goslack.Block
}

// ViewID names a view that is open. UpdateView with a Hash changes the view only if nobody else has changed it since.
type ViewID struct {
	ID   string
	Hash string
}

// User is who a Slack user is, as users.info says it. No single field says that somebody belongs to this
// workspace.
type User struct {
	ID         string
	Team       string   // the workspace that the user belongs to
	Enterprise string   // id of the Enterprise Grid organization; empty: none
	Teams      []string // on Enterprise Grid: the workspaces of the organization that the user is in
	Name       string   // for display only; anybody may take any name
	Timezone   string   // such as Europe/Berlin

	Deleted         bool // deactivated
	Bot             bool
	WorkflowBot     bool
	Restricted      bool // guest of several channels
	UltraRestricted bool // guest of one channel
	Stranger        bool // of another workspace, known only from a shared channel
	Invited         bool // has not accepted the invitation yet
}

// Channel is what conversations.info says of a channel.
type Channel struct {
	ID        string
	Name      string
	Archived  bool
	Member    bool // the bot is in it
	Private   bool
	Direct    bool // a direct message with one person
	Shared    bool // with another workspace, perhaps one of the same organization
	ExtShared bool // with another organization, or about to be
	ReadOnly  bool // the app may not post there, or only into threads
}

// Identity is who the bot token speaks for, as auth.test says it.
type Identity struct {
	Team       string // id of the workspace
	TeamName   string
	TeamURL    string
	Enterprise string // id of the Enterprise Grid organization; empty: none
	User       string // user id of the bot
	Bot        string // id of the bot
	App        string // id of the app; empty if Slack does not tell it
	Scopes     []string
}
