package command

import "github.com/seraph-deploy/seraph/pkg/deployment"

// Line is one line of text that somebody typed.
type Line struct {
	Text    string
	Place   string // the channel or room in which it was typed; empty: in none
	Face    string // the chat system or bot through which it came; empty: none
	Prefix  string // what is typed before a command there, with the space after it, such as "/seraph "; empty: nothing
	Asker   string // the client; requests of different clients are never the same
	Request string // names the message: the same one gives the same answer
}

// Answer is what a line is answered with.
type Answer struct {
	Text       string                 // one or more lines of plain text
	Deployment *deployment.Deployment // that the line asked for or changed; nil: none
	Changed    bool                   // the line has changed something; an answer that is given again does not say so
	Refused    error                  // why the line's command was refused, which Text says; nil: it was not
}
