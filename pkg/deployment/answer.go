package deployment

import "time"

// KeepAnswers is how long the answers to messages are kept. A message that comes again within it gets
// the answer that it got before.
const KeepAnswers = 7 * 24 * time.Hour

// Answer is what a message that somebody typed was answered with.
type Answer struct {
	Asker        string // the client to which the message came
	Request      string // the id of the message, unique among those of the asker
	Digest       string // of who asked what: another message with the same name differs in it
	Text         string
	DeploymentID int64 // GitHub's id of the deployment that the message was about; 0: none
	At           time.Time
}
