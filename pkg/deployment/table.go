package deployment

import (
	"fmt"
	"sort"
	"strings"
)

// transition is one row of the state machine: where an event may lead, and what it does. do returns false when the event cannot have
// happened to this very deployment.
type transition struct {
	to []State
	do func(*draft, Event) bool
}

func on[E Event](do func(*draft, E) bool, to ...State) transition {
	return transition{to: to, do: func(f *draft, e Event) bool { return do(f, e.(E)) }}
}

// table is the whole machine. What is not in it is impossible.
var table = map[State]map[string]transition{
	Waiting: {
		"start":        on(applyStart, Triggering),
		"blocked":      on(applyBlocked, Waiting),
		"resolved":     on(applyResolved, Waiting),
		"refuse":       on(applyRefuse, Errored),
		"superseded":   on(applySuperseded, Rejected),
		"admitted":     on(applyAdmitted, Waiting),
		"turned_away":  on(applyTurnedAway, Rejected),
		"forced":       on(applyForced, Waiting),
		"cancel_asked": on(applyCancelWaiting, Canceled),
		"done":         on(applyDone, Succeeded),
		"refused":      on(applyRefused, Waiting, Errored),
		"not_sent":     on(applyNotSent, Waiting, Errored),
		"triggered":    on(applyLateAnswer, Running),
		"claimed":      on(applyClaimed, Running),
		"stray":        on(applyStray, Waiting),
		"watched":      on(applyWatched, Waiting),
	},
	Triggering: {
		"triggered":    on(applyTriggered, Running),
		"skipped":      on(applySkipped, Errored),
		"refused":      on(applyRefused, Waiting, Errored),
		"not_sent":     on(applyNotSent, Waiting, Errored),
		"unknown":      on(applyUnknown, Unconfirmed),
		"interrupted":  on(applyInterrupted, Unconfirmed),
		"claimed":      on(applyClaimed, Running),
		"cancel_asked": on(applyCancelAsked, Triggering),
	},
	Unconfirmed: {
		"triggered":    on(applyTriggered, Running),
		"skipped":      on(applySkipped, Errored),
		"refused":      on(applyRefused, Waiting, Errored),
		"not_sent":     on(applyNotSent, Waiting, Errored),
		"unknown":      on(applyStillUnknown, Unconfirmed),
		"found":        on(applyFound, Running),
		"absent":       on(applyAbsent, Waiting, Errored),
		"unclear":      on(applyUnclear, Unconfirmed, Errored),
		"doubt":        on(applyDoubt, Errored),
		"claimed":      on(applyClaimed, Running),
		"cancel_asked": on(applyCancelAsked, Unconfirmed),
	},
	Running: {
		"triggered":    on(applyAnswerAfterClaim, Running),
		"claimed":      on(applyClaimedAgain, Running),
		"displaced":    on(applyDisplaced, Unconfirmed),
		"observed":     on(applyObserved, Running, Held, Succeeded, Failed, Errored, Canceled),
		"unseen":       on(applyUnseen, Running, Errored, Canceled),
		"stray":        on(applyStray, Running),
		"watched":      on(applyWatched, Running),
		"cancel_asked": on(applyCancelAsked, Running),
	},
	Held: {
		"triggered":    on(applyAnswerAfterClaim, Held),
		"claimed":      on(applyClaimedAgain, Held),
		"displaced":    on(applyDisplaced, Unconfirmed),
		"observed":     on(applyObserved, Running, Held, Succeeded, Failed, Errored, Canceled),
		"unseen":       on(applyUnseen, Held, Errored, Canceled),
		"stray":        on(applyStray, Held),
		"watched":      on(applyWatched, Held),
		"cancel_asked": on(applyCancelAsked, Held),
	},
	Succeeded: ended(Succeeded),
	Failed:    ended(Failed, Succeeded),
	Errored:   ended(Errored),
	Canceled:  ended(Canceled),
	Rejected:  ended(Rejected),
}

// ended is what may still happen after the end: waiting for the workflows to stop, a late rerun, a watch for twins.
func ended(to ...State) map[string]transition {
	return map[string]transition{
		"claimed":  on(applyClaimedAgain, to[0]),
		"observed": on(applyObservedAfterEnd, to...),
		"unseen":   on(applyUnseenAfterEnd, to[0]),
		"stray":    on(applyStray, to[0]),
		"watched":  on(applyWatched, to[0]),
	}
}

// Diagram draws the machine from its table: one line per state and next state, with the events that lead there. Events that leave the
// state as it is are left out.
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
