// Package deployment is the domain of the service: what a deployment is, which states it has, what
// each event does to it, and what GitHub is told about it.
//
// Machine.Apply is the only way a deployment changes. It takes a deployment, an event and the time,
// and returns the changed deployment together with what is to be written beside it: lines of the
// timeline and reports to GitHub. The package is pure: it imports only the standard library, reads
// no clock and does no input or output. Callers in pkg/engine ask CircleCI, turn the answer into an
// Event, apply it and commit the result.
//
// It knows GitHub's and CircleCI's words, because its rules are about them: the states of GitHub's
// deployment statuses, and the states of CircleCI's pipelines and workflows, which FoldPipeline
// reads. It does not know their APIs; those are pkg/github and pkg/circleci.
//
// Where to begin: State explains the states, Event lists what can happen, and the variable table
// says what each event does in each state. Machine.Judge decides how a look-up of a lost trigger
// ended.
//
// The transitions, each with the events that lead to it:
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
