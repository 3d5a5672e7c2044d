package notify

import (
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Card is what one message about a deployment shows, or a list of several. It has no word of any chat system: a Face
// renders it.
type Card struct {
	Deployment int64  // GitHub's id; 0: a list
	Row        int64  // of the deployment
	Generation string // changes when the buttons, or what they would act on, mean something else; see Generation

	State   deployment.State
	Title   string   // app, environment and state in words; at most 150 characters
	Summary string   // one line of plain text, for notifications
	Facts   []Fact   // label and value: commit, requester, commits since, times
	Lines   []Text   // why it waits, who can help, its place in line
	Rows    []Row    // of a list: a line for each deployment; at most 40
	Buttons []Button // in the order in which they are shown
	Plain   bool     // only Summary is shown, as plain text: anything else was refused
}

// Row is the line of one deployment in a list.
type Row struct {
	State deployment.State
	Text  Text
}

// Fact is one labeled value.
type Fact struct {
	Label string
	Value Text
}

// Text is what is shown in one line. Its parts may come from strangers: a Face escapes them.
type Text []Span

// Span is a part of a line. At most one of Code, URL, Person and Time is set.
type Span struct {
	Text   string
	Code   bool      // Text is a ref, a commit or the name of a job
	URL    string    // Text links to this address
	Person int64     // GitHub id of somebody whose login is Text
	Time   time.Time // Text is the same moment in UTC, for faces that cannot show each reader's own time
}

// Plain is a Text of one span.
func Plain(s string) Text { return Text{{Text: s}} }

// Verb is what a button asks for.
type Verb string

// The verbs. Those with a URL open it and ask this service for nothing.
const (
	VerbApprove     Verb = "approve"
	VerbApproveHold Verb = "approve-hold"
	VerbCancel      Verb = "cancel"
	VerbRollback    Verb = "rollback"
	VerbWhy         Verb = "why"
	VerbAgain       Verb = "again"
	VerbAskForLock  Verb = "ask-for-lock" // tell the owner of a lock that somebody waits for it
	VerbOpen        Verb = "open"         // follow URL
)

// Button is something that a reader may ask for. Seeing a button gives no right: each press is judged.
type Button struct {
	Verb    Verb
	Label   string // at most 30 characters
	Job     string // with VerbApproveHold: the name of the held job
	URL     string // with VerbOpen
	Back    string // with VerbRollback: the commit and deployment that it goes back to
	Primary bool   // the button that is usually meant; at most one per card
	Danger  bool

	// Confirm asks before anything happens. ConfirmWord is the name of the environment that has to be typed,
	// for production; empty: a yes is enough.
	Confirm     bool
	ConfirmWord string
}

// Note is a message that is not edited: a reply in the thread of a card, a message for one state, or a direct
// message to somebody.
type Note struct {
	Summary string // one line of plain text, for notifications
	Lines   []Text
	Output  []string // the last lines of a failing step; nil: none
	Mention string   // id of a group or person of the chat system to mention; empty: nobody
	Buttons []Button // of direct messages
	Plain   bool     // only Summary is shown, as plain text: anything else was refused

	// Row and Generation say what the Buttons act on, as in a Card.
	Row        int64
	Generation string
}
