package deployment

import "slices"

// State is where a deployment stands. The variable table says which event leads from one state to
// which other.
type State string

// The open states, in the order in which a deployment passes through them.
const (
	// Waiting means that the deployment was accepted and nothing has been sent to CircleCI for it,
	// or that the last attempt certainly started nothing.
	//
	// It waits until its rules allow it, it is the first in line for its environment, no lock covers
	// the environment, and no other trigger of its CircleCI project is in flight. A worker checks
	// this whenever the deployment is due. The worker's Start leads to Triggering. It can also end
	// here: errored when it cannot run, rejected by a rule or because a newer deployment has started,
	// canceled on request, or succeeded where it only locks or unlocks its environment.
	Waiting State = "waiting"

	// Triggering means that one worker is sending the request to CircleCI.
	//
	// Only the worker whose own write moved the deployment here may send, and only once. CircleCI's
	// answer moves it on: to Running, back to Waiting, to Errored, or to Unconfirmed where the answer
	// does not tell. A worker that loads a deployment in this state is not its sender. The sender has
	// died, so that worker moves it to Unconfirmed and sends nothing.
	Triggering State = "triggering"

	// Unconfirmed means that the request may have started a pipeline, and nobody knows.
	//
	// Nothing is sent in this state. A worker looks the pipeline up at CircleCI again and again:
	// found leads to Running, proven absent back to Waiting for another attempt, and no proof within
	// the grace time to Errored. A late answer of CircleCI or a claim by the pipeline's own job moves
	// it on as well.
	Unconfirmed State = "unconfirmed"

	// Running means that a pipeline belongs to the deployment and not all of its workflows have ended.
	//
	// A worker polls the pipeline until its workflows have ended or the route's timeout has passed.
	// It becomes Held while nothing runs and an approval job waits. It goes back to Unconfirmed if
	// the pipeline, adopted without proof, turns out to be another deployment's.
	Running State = "running"

	// Held means that no workflow runs and at least one waits at an approval job in CircleCI.
	//
	// It waits for a person to approve or cancel there. A worker goes on polling and moves it to
	// Running when a workflow runs again. After the route's hold timeout it ends as Canceled.
	Held State = "held"
)

// The final states. EndedAt, Reason and the final report to GitHub are set on the way in. A
// deployment here is polled for two reasons only: while StoppingSince is set (its workflows still have
// to end), and while RerunUntil is set (see Failed).
const (
	// Succeeded means that every workflow succeeded, or that a lock task was carried out.
	Succeeded State = "succeeded"

	// Failed means that a workflow failed, or that the pipeline ran for longer than the route's
	// timeout. It is the only final state that can change: a rerun of the same pipeline that succeeds
	// within rerunWindow makes it Succeeded, once, unless a newer deployment of the environment has
	// started.
	Failed State = "failed"

	// Errored means that the deployment did not run as asked: wrong configuration, a request that
	// CircleCI refused, a pipeline without workflows, a branch that moved, or a trigger whose outcome
	// could not be proven.
	Errored State = "errored"

	// Canceled means that it was canceled in CircleCI, on request, or by the hold timeout.
	Canceled State = "canceled"

	// Rejected means that a rule said no, or that a newer deployment of the environment superseded
	// it. This happens to waiting deployments only.
	Rejected State = "rejected"
)

// States lists every state in order.
func States() []State {
	return []State{Waiting, Triggering, Unconfirmed, Running, Held, Succeeded, Failed, Errored, Canceled, Rejected}
}

// Valid says whether s is one of States.
func (s State) Valid() bool { return slices.Contains(States(), s) }

// Open says whether the deployment has not ended.
func (s State) Open() bool {
	switch s {
	case Waiting, Triggering, Unconfirmed, Running, Held:
		return true
	default:
		return false
	}
}
