// Package deployment holds the words and the rules: what a deployment is, which states it passes, and what each event does to it. It knows
// no vendor, no clock and no database; Rules.Apply is the only way a deployment changes.
//
// The states and the events that lead from one to the next:
//
//	waiting     -> triggering   start
//	waiting     -> running      claimed, triggered
//	waiting     -> succeeded    done
//	waiting     -> errored      not_sent, refuse, refused
//	waiting     -> canceled     cancel_asked
//	waiting     -> rejected     superseded, turned_away
//	triggering  -> waiting      not_sent, refused
//	triggering  -> unconfirmed  interrupted, unknown
//	triggering  -> running      claimed, triggered
//	triggering  -> errored      not_sent, refused, skipped
//	unconfirmed -> waiting      absent, not_sent, refused
//	unconfirmed -> running      claimed, found, triggered
//	unconfirmed -> errored      absent, doubt, not_sent, refused, skipped, unclear
//	running     -> unconfirmed  displaced
//	running     -> held         observed
//	running     -> succeeded    observed
//	running     -> failed       observed
//	running     -> errored      observed, unseen
//	running     -> canceled     observed, unseen
//	held        -> unconfirmed  displaced
//	held        -> running      observed
//	held        -> succeeded    observed
//	held        -> failed       observed
//	held        -> errored      observed, unseen
//	held        -> canceled     observed, unseen
//	failed      -> succeeded    observed
package deployment

//go:generate env UPDATE=1 go test -run TestDiagram .
