// Package grammar reads one line of text that a person typed into a Command. Chat, Hubot and the API
// use it, so that the same words work everywhere. It is pure: which apps and environments there are comes
// in as Names. A line that is no command comes out as an *Error, with the nearest line that is one.
package grammar

import (
	"fmt"
	"strings"
	"time"
)

// Verb is what a command does.
type Verb string

// The verbs.
const (
	Deploy      Verb = "deploy"
	Rollback    Verb = "rollback"
	Approve     Verb = "approve"
	ApproveHold Verb = "approve-hold"
	Cancel      Verb = "cancel"
	Why         Verb = "why"
	Status      Verb = "status"
	Deploys     Verb = "deploys"
	Where       Verb = "where"
	Lock        Verb = "lock"
	Unlock      Verb = "unlock"
	Locks       Verb = "locks"
	WhoAmI      Verb = "whoami"
	Link        Verb = "link"
	Unlink      Verb = "unlink"
	Help        Verb = "help"
)

// Verbs returns all verbs, in the order in which help shows them.
func Verbs() []Verb {
	return []Verb{
		Deploy, Rollback, Approve, ApproveHold, Cancel, Why, Status, Deploys, Where,
		Lock, Unlock, Locks, WhoAmI, Link, Unlink, Help,
	}
}

// Form returns how a command with a verb is written. What stands in brackets may be left out.
func Form(v Verb) string {
	switch v {
	case Deploy:
		return "deploy APP[@REF] [to ENV] [KEY=VALUE...] [because REASON]"
	case Rollback:
		return "rollback APP in ENV [to #ID or SHA] [because REASON]"
	case Approve:
		return "approve #ID [COMMENT]"
	case ApproveHold:
		return "approve-hold #ID [JOB]"
	case Cancel:
		return "cancel #ID [because REASON]"
	case Why:
		return "why #ID"
	case Status:
		return "status [APP] [in ENV]"
	case Deploys:
		return "deploys APP [in ENV]"
	case Where:
		return "where can I deploy APP"
	case Lock:
		return "lock APP in ENV [for 2h] because REASON"
	case Unlock:
		return "unlock APP in ENV"
	case Link:
		return "link [CODE]"
	case Help:
		return "help [VERB]"
	default:
		return string(v)
	}
}

// Value is one entry of a deployment's payload.
type Value struct {
	Key  string
	Text string
}

// Command is what a line asks for. Fields that the verb does not use are zero.
type Command struct {
	Verb Verb

	App         string // a route's name, or owner/name, as Names spells it
	Repository  string // owner/name of App
	Environment string // as Names spells it; where only a pattern matches, as it was typed
	Ref         string // a branch, a tag or a commit; empty: the default branch

	Task   string  // what follows "deploy:"; empty: the usual task
	Force  bool    // "deploy!"; there is a Reason then
	Values []Value // of the payload, in the order typed, each key once; ENV/HOSTS gives the key "hosts"

	ID  int64  // of a deployment at GitHub
	SHA string // what to roll back to: 7 to 64 hex digits in lower case

	Job      string        // that CircleCI holds; empty: the only one
	Comment  string        // on an approval
	Reason   string        // what follows "because"
	Duration time.Duration // of a lock, in whole seconds; 0: until it is released
	Code     string        // of a link
	Topic    Verb          // that help is asked about; empty: all
}

// String writes the command as a line that Parse reads back to an equal command.
func (c Command) String() string {
	words := []string{c.verb()}
	add := func(prefix, word string) {
		if word != "" {
			words = append(words, prefix+word)
		}
	}

	switch c.Verb {
	case Deploy:
		app := c.App
		if c.Ref != "" {
			app += "@" + c.Ref
		}
		add("", app)
		add("to ", c.Environment)
	case Where:
		add("can I deploy ", c.App)
	default:
		add("", c.App)
		add("in ", c.Environment)
	}

	if c.ID != 0 {
		id := fmt.Sprintf("#%d", c.ID)
		if c.Verb == Rollback {
			id = "to " + id
		}
		add("", id)
	}
	add("to ", c.SHA)
	for _, v := range c.Values {
		add("", v.String())
	}
	if c.Duration != 0 {
		add("for ", FormatDuration(c.Duration))
	}

	add("", c.Job)
	add("", c.Comment)
	add("", c.Code)
	add("", string(c.Topic))
	add("because ", c.Reason)
	return strings.Join(words, " ")
}

// verb is the first word of the command.
func (c Command) verb() string {
	word := string(c.Verb)
	if c.Task != "" {
		word += ":" + c.Task
	}
	if c.Force {
		word += "!"
	}
	return word
}

// String writes the value as KEY=VALUE, with quotes where the text needs them.
func (v Value) String() string {
	if v.Text == "" || strings.Contains(v.Text, " ") {
		return v.Key + `="` + v.Text + `"`
	}
	return v.Key + "=" + v.Text
}
