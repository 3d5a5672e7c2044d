package deployment

// State is where a deployment stands.
type State string

// The states, in the order in which a deployment passes them.
const (
	Waiting     State = "waiting"     // accepted, cannot start yet
	Triggering  State = "triggering"  // the call to CircleCI is being made
	Unconfirmed State = "unconfirmed" // that call's outcome is unknown; being looked up
	Running     State = "running"     // the pipeline exists
	Held        State = "held"        // nothing runs and an approval job waits
	Succeeded   State = "succeeded"   // every workflow succeeded
	Failed      State = "failed"      // a workflow failed, or the timeout passed
	Errored     State = "errored"     // did not run as asked
	Canceled    State = "canceled"    // canceled in CircleCI, by request, or by the hold timeout
	Rejected    State = "rejected"    // a rule said no, or superseded by a newer one
)

// States lists every state in order.
func States() []State {
	return []State{Waiting, Triggering, Unconfirmed, Running, Held, Succeeded, Failed, Errored, Canceled, Rejected}
}

// Valid says whether s is one of States.
func (s State) Valid() bool {
	for _, known := range States() {
		if s == known {
			return true
		}
	}
	return false
}

// Open says whether the deployment has not ended.
func (s State) Open() bool {
	switch s {
	case Waiting, Triggering, Unconfirmed, Running, Held:
		return true
	default:
		return false
	}
}
