package deployment

// tableRow says what an event does in a state, and to which states it may lead. do returns false
// when the event cannot have happened to this deployment; then nothing is changed.
type tableRow struct {
	to []State
	do func(*transition, Event) bool
}

// on makes the row for events of type E.
func on[E Event](do func(*transition, E) bool, to ...State) tableRow {
	return tableRow{to: to, do: func(t *transition, e Event) bool { return do(t, e.(E)) }}
}

// table is the state machine: for each state, the events that it takes, by their names. Apply
// refuses every other event. deploy/docs/states.md lists its transitions.
var table = map[State]map[string]tableRow{
	Waiting: {
		"admitted":           on(applyAdmitted, Waiting),
		"blocked":            on(applyBlocked, Waiting),
		"resolved":           on(applyResolved, Waiting),
		"ref_resolved":       on(applyRefResolved, Waiting),
		"start":              on(applyStart, Triggering),
		"fail":               on(applyFail, Errored),
		"reject":             on(applyReject, Rejected),
		"disown":             on(applyDisown, Rejected),
		"superseded":         on(applySuperseded, Rejected),
		"done":               on(applyDone, Succeeded),
		"force_requested":    on(applyForceRequested, Waiting),
		"cancel_requested":   on(applyCancelWaiting, Canceled),
		"trigger_refused":    on(applyTriggerRefused, Waiting, Errored),
		"trigger_not_sent":   on(applyTriggerNotSent, Waiting, Errored),
		"triggered":          on(applyTriggeredLate, Running),
		"claimed":            on(applyClaimed, Running),
		"pipeline_orphaned":  on(applyPipelineOrphaned, Waiting),
		"duplicates_checked": on(applyDuplicatesChecked, Waiting),
	},
	Triggering: {
		"triggered":           on(applyTriggered, Running),
		"trigger_skipped":     on(applyTriggerSkipped, Errored),
		"trigger_refused":     on(applyTriggerRefused, Waiting, Errored),
		"trigger_not_sent":    on(applyTriggerNotSent, Waiting, Errored),
		"trigger_unknown":     on(applyTriggerUnknown, Unconfirmed),
		"trigger_interrupted": on(applyTriggerInterrupted, Unconfirmed),
		"claimed":             on(applyClaimed, Running),
		"cancel_requested":    on(applyCancelRequested, Triggering),
	},
	Unconfirmed: {
		"triggered":           on(applyTriggered, Running),
		"trigger_skipped":     on(applyTriggerSkipped, Errored),
		"trigger_refused":     on(applyTriggerRefused, Waiting, Errored),
		"trigger_not_sent":    on(applyTriggerNotSent, Waiting, Errored),
		"trigger_unknown":     on(applyTriggerUnknownLate, Unconfirmed),
		"lookup_found":        on(applyLookupFound, Running),
		"lookup_absent":       on(applyLookupAbsent, Waiting, Errored),
		"lookup_pending":      on(applyLookupPending, Unconfirmed, Errored),
		"lookup_inconclusive": on(applyLookupInconclusive, Errored),
		"claimed":             on(applyClaimed, Running),
		"cancel_requested":    on(applyCancelRequested, Unconfirmed),
	},
	Running: {
		"triggered":           on(applyTriggeredAfterClaim, Running),
		"claimed":             on(applyClaimedAgain, Running),
		"pipeline_reassigned": on(applyPipelineReassigned, Unconfirmed),
		"polled":              on(applyPolled, Running, Held, Succeeded, Failed, Errored, Canceled),
		"poll_failed":         on(applyPollFailed, Running, Errored, Canceled),
		"pipeline_orphaned":   on(applyPipelineOrphaned, Running),
		"duplicates_checked":  on(applyDuplicatesChecked, Running),
		"cancel_requested":    on(applyCancelRequested, Running),
		"hold_asked":          on(applyHoldAsked, Running),
		"hold_approved":       on(applyHoldApproved, Running),
	},
	Held: {
		"triggered":           on(applyTriggeredAfterClaim, Held),
		"claimed":             on(applyClaimedAgain, Held),
		"pipeline_reassigned": on(applyPipelineReassigned, Unconfirmed),
		"polled":              on(applyPolled, Running, Held, Succeeded, Failed, Errored, Canceled),
		"poll_failed":         on(applyPollFailed, Held, Errored, Canceled),
		"pipeline_orphaned":   on(applyPipelineOrphaned, Held),
		"duplicates_checked":  on(applyDuplicatesChecked, Held),
		"cancel_requested":    on(applyCancelRequested, Held),
		"hold_asked":          on(applyHoldAsked, Held),
		"hold_approved":       on(applyHoldApproved, Held),
	},
	Succeeded: afterEnd(Succeeded),
	Failed:    afterEnd(Failed, Succeeded),
	Errored:   afterEnd(Errored),
	Canceled:  afterEnd(Canceled),
	Rejected:  afterEnd(Rejected),
}

// afterEnd returns the rows of a final state. to begins with that state and lists the states that it
// may change to: the workflows may still have to end, a rerun may succeed, and duplicates may show up.
func afterEnd(to ...State) map[string]tableRow {
	return map[string]tableRow{
		"claimed":            on(applyClaimedAfterEnd, to[0]),
		"polled":             on(applyPolledAfterEnd, to...),
		"poll_failed":        on(applyPollFailedAfterEnd, to[0]),
		"pipeline_orphaned":  on(applyPipelineOrphaned, to[0]),
		"duplicates_checked": on(applyDuplicatesChecked, to[0]),
		"hold_approved":      on(applyHoldApprovedAfterEnd, to[0]),
		"failure_found":      on(applyFailureFound, to[0]),
	}
}
