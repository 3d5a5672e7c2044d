package deployment

import (
	"fmt"
	"sort"
	"strings"
)

// tableRow is one row of the state machine: where an event may lead, and what it does. do returns
// false when the event cannot have happened to this very deployment.
type tableRow struct {
	to []State
	do func(*transition, Event) bool
}

func on[E Event](do func(*transition, E) bool, to ...State) tableRow {
	return tableRow{to: to, do: func(f *transition, e Event) bool { return do(f, e.(E)) }}
}

// table is the whole machine. What is not in it is impossible.
var table = map[State]map[string]tableRow{
	Waiting: {
		"start":              on(applyStart, Triggering),
		"blocked":            on(applyBlocked, Waiting),
		"resolved":           on(applyResolved, Waiting),
		"fail":               on(applyFail, Errored),
		"superseded":         on(applySuperseded, Rejected),
		"admitted":           on(applyAdmitted, Waiting),
		"reject":             on(applyReject, Rejected),
		"force_requested":    on(applyForceRequested, Waiting),
		"cancel_requested":   on(applyCancelWaiting, Canceled),
		"done":               on(applyDone, Succeeded),
		"trigger_refused":    on(applyTriggerRefused, Waiting, Errored),
		"trigger_not_sent":   on(applyTriggerNotSent, Waiting, Errored),
		"triggered":          on(applyLateAnswer, Running),
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
		"trigger_unknown":     on(applyStillUnknown, Unconfirmed),
		"lookup_found":        on(applyLookupFound, Running),
		"lookup_absent":       on(applyLookupAbsent, Waiting, Errored),
		"lookup_pending":      on(applyLookupPending, Unconfirmed, Errored),
		"lookup_inconclusive": on(applyLookupInconclusive, Errored),
		"claimed":             on(applyClaimed, Running),
		"cancel_requested":    on(applyCancelRequested, Unconfirmed),
	},
	Running: {
		"triggered":           on(applyAnswerAfterClaim, Running),
		"claimed":             on(applyClaimedAgain, Running),
		"pipeline_reassigned": on(applyPipelineReassigned, Unconfirmed),
		"polled":              on(applyPolled, Running, Held, Succeeded, Failed, Errored, Canceled),
		"poll_failed":         on(applyPollFailed, Running, Errored, Canceled),
		"pipeline_orphaned":   on(applyPipelineOrphaned, Running),
		"duplicates_checked":  on(applyDuplicatesChecked, Running),
		"cancel_requested":    on(applyCancelRequested, Running),
	},
	Held: {
		"triggered":           on(applyAnswerAfterClaim, Held),
		"claimed":             on(applyClaimedAgain, Held),
		"pipeline_reassigned": on(applyPipelineReassigned, Unconfirmed),
		"polled":              on(applyPolled, Running, Held, Succeeded, Failed, Errored, Canceled),
		"poll_failed":         on(applyPollFailed, Held, Errored, Canceled),
		"pipeline_orphaned":   on(applyPipelineOrphaned, Held),
		"duplicates_checked":  on(applyDuplicatesChecked, Held),
		"cancel_requested":    on(applyCancelRequested, Held),
	},
	Succeeded: ended(Succeeded),
	Failed:    ended(Failed, Succeeded),
	Errored:   ended(Errored),
	Canceled:  ended(Canceled),
	Rejected:  ended(Rejected),
}

// ended is what may still happen after the end: waiting for the workflows to stop, a late rerun, a
// watch for twins.
func ended(to ...State) map[string]tableRow {
	return map[string]tableRow{
		"claimed":            on(applyClaimedAgain, to[0]),
		"polled":             on(applyPolledAfterEnd, to...),
		"poll_failed":        on(applyPollFailedAfterEnd, to[0]),
		"pipeline_orphaned":  on(applyPipelineOrphaned, to[0]),
		"duplicates_checked": on(applyDuplicatesChecked, to[0]),
	}
}

// Diagram draws the machine from its table: one line per state and next state, with the events that
// lead there. Events that leave the state as it is are left out.
func Diagram() string {
	var b strings.Builder
	for _, from := range States() {
		moves := map[State][]string{}
		for name, t := range table[from] {
			for _, to := range t.to {
				if to != from {
					moves[to] = append(moves[to], name)
				}
			}
		}

		for _, to := range States() {
			if names := moves[to]; len(names) > 0 {
				sort.Strings(names)
				fmt.Fprintf(&b, "%-11s -> %-11s  %s\n", from, to, strings.Join(names, ", "))
			}
		}
	}

	return b.String()
}
