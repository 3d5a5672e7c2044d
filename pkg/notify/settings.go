package notify

import (
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// ends are the states in which a deployment has ended.
var ends = []deployment.State{
	deployment.Succeeded, deployment.Failed, deployment.Errored, deployment.Canceled, deployment.Rejected,
}

// shownStates are those that a channel shows where the route names none. A deployment is Triggering for so
// short a time that nobody could read it.
var shownStates = append([]deployment.State{
	deployment.Waiting, deployment.Unconfirmed, deployment.Running, deployment.Held,
}, ends...)

// withDefaults returns settings with the states that they leave open. Deployments that no person asked for, and that
// do not go to production, are shown only if they fail, each in a message of its own.
func withDefaults(n deployment.Notify, r deployment.Request, production bool) deployment.Notify {
	switch {
	case len(n.States) > 0:
	case isAutomatic(r) && !production:
		n.Posts, n.States = true, []deployment.State{deployment.Failed}
	case n.Posts:
		n.States = append([]deployment.State{deployment.Running, deployment.Held}, ends...)
	default:
		n.States = shownStates
	}
	return n
}

// isAutomatic says whether no person is known to have asked for a deployment.
func isAutomatic(r deployment.Request) bool {
	by := r.Requester()
	return by.App != "" || by.ID == 0
}

// wants says whether a channel shows a state.
func wants(n deployment.Notify, s deployment.State) bool { return slices.Contains(n.States, s) }

// Rank says which place the message about a deployment has among those that are due.
func Rank(d deployment.Deployment) deployment.MessageRank {
	switch {
	case !d.State.Open():
		return deployment.RankEnd
	case d.State == deployment.Held, d.State == deployment.Waiting:
		return deployment.RankPeople
	default:
		return deployment.RankRunning
	}
}

// Bounds of when something is said.
const (
	quietFor     = 2 * time.Second  // what changes again within this time is not said
	settleFor    = 10 * time.Second // how long a deployment may be about to start before that is said
	editEvery    = 3 * time.Second  // between two calls for one message
	startsFor    = 5 * time.Second  // how long a deployment runs before that is said, unless people waited for it
	detailEvery  = 30 * time.Second // between two edits that change neither the state nor the buttons
	unknownEvery = time.Minute      // between two questions about what decides the buttons and was not answered
	outputWait   = 30 * time.Second // how long the message about a failure waits for the failing step
	tidyAfter    = 24 * time.Hour   // after the end: buttons are taken off
	oldAfter     = time.Hour        // after the end: what was never said is only summed up
	giveUpAfter  = 24 * time.Hour   // of failures in a row
	sendWithin   = 10 * time.Second // a saved call leaves within this time
	callTimeout  = 15 * time.Second // of one call
	findFirst    = 5 * time.Second  // after a call: the first look-up for what it may have posted
	findRefused  = 10 * time.Second // after the chat system has said that it was called too often, and posted nothing
	clockMargin  = 10 * time.Minute // by which our clock may be ahead of the chat system's
	findLast     = time.Minute      // after its deadline: the look-up that proves that there is nothing
)

// Bounds of the calls for one message. All that may have had an effect count: not look-ups, and not what was refused
// because there were too many calls.
const (
	maxCalls       = 8
	maxCallsBefore = 5 // before the end; the others are kept for it
	maxCallsDetail = 4 // for edits that change neither the state nor the buttons
	maxPosts       = 2 // of one part of a message
)

// States reads the states that a route lists. The word ends stands for all in which a deployment has ended.
func States(words []string) []deployment.State {
	var all []deployment.State
	for _, word := range words {
		listed := []deployment.State{deployment.State(word)}
		if word == "ends" {
			listed = ends
		}
		for _, s := range listed {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}
