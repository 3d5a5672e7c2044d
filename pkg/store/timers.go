package store

import (
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// timerReach is how far ahead timers are set. A row that is due later is found by the engine, which
// asks Overdue every few seconds.
const timerReach = time.Minute

// timedAlarm is an alarm that is due at a later time.
type timedAlarm struct {
	deployment.Task
	due time.Time
}

// setTimers rings for each alarm when it is due. The timers are in memory only: after a crash the
// rows are found overdue.
func (db *DB) setTimers(timed []timedAlarm, now time.Time) {
	for _, a := range timed {
		time.AfterFunc(a.due.Sub(now), func() { db.rings(a.Task) })
	}
}
