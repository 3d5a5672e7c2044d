// Package deployment holds the words and the rules: what a deployment is, which states it passes, and what each event does to it. It knows
// no vendor, no clock and no database; Rules.Apply is the only way a deployment changes.
//
// The states and the events that lead from one to the next:
//
//	waiting     -> triggering   start
//	waiting     -> running      claimed, triggered
//	waiting     -> succeeded    done
//	waiting     -> errored      fail, trigger_not_sent, trigger_refused
//	waiting     -> canceled     cancel_requested
//	waiting     -> rejected     reject, superseded
//	triggering  -> waiting      trigger_not_sent, trigger_refused
//	triggering  -> unconfirmed  trigger_interrupted, trigger_unknown
//	triggering  -> running      claimed, triggered
//	triggering  -> errored      trigger_not_sent, trigger_refused, trigger_skipped
//	unconfirmed -> waiting      lookup_absent, trigger_not_sent, trigger_refused
//	unconfirmed -> running      claimed, lookup_found, triggered
//	unconfirmed -> errored      lookup_absent, lookup_inconclusive, lookup_pending, trigger_not_sent, trigger_refused, trigger_skipped
//	running     -> unconfirmed  pipeline_reassigned
//	running     -> held         polled
//	running     -> succeeded    polled
//	running     -> failed       polled
//	running     -> errored      poll_failed, polled
//	running     -> canceled     poll_failed, polled
//	held        -> unconfirmed  pipeline_reassigned
//	held        -> running      polled
//	held        -> succeeded    polled
//	held        -> failed       polled
//	held        -> errored      poll_failed, polled
//	held        -> canceled     poll_failed, polled
//	failed      -> succeeded    polled
package deployment

//go:generate env UPDATE=1 go test -run TestDiagram .
