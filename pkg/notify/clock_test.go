package notify

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Times that were stored by a clock which was a day ahead neither hold a message back after the clock was set back, nor
// have it posted twice.
func TestWorker_ClockSetBack(t *testing.T) {
	const ahead = 24 * time.Hour
	failed := &SendError{Kind: SendNotSent, Code: "cut"}
	for _, tt := range []struct {
		name   string
		fault  fault // of the first call after the clock was ahead
		edits  bool  // that call edits a card
		states []deployment.State
	}{
		{
			name:   "a failure",
			fault:  fault{err: failed},
			states: []deployment.State{deployment.Running, deployment.Succeeded},
		},
		{
			name:   "a post without an answer, which was posted",
			fault:  fault{err: unknown, effect: true},
			states: []deployment.State{deployment.Running, deployment.Succeeded},
		},
		{
			name:   "a post without an answer, which was not posted",
			fault:  fault{err: unknown},
			states: []deployment.State{deployment.Succeeded},
		},
		{
			name:   "an edit without an answer",
			fault:  fault{err: unknown},
			edits:  true,
			states: []deployment.State{deployment.Waiting, deployment.Succeeded},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, "C1")
			o.room.clock = func() time.Time { return noon.Add(time.Minute) } // is right all the time
			d := o.accept(1)
			if tt.edits {
				d = o.move(d, deployment.Waiting)
				o.run(time.Minute)
			}

			o.later(ahead)
			o.start()
			if err := o.db.CheckClock(t.Context()); err != nil {
				t.Fatal(err)
			}
			do := DoPost
			if tt.edits {
				do = DoEdit
			}
			o.room.fail(do, tt.fault)
			d = o.move(d, deployment.Running)
			o.run(6 * time.Second)

			o.later(time.Minute - ahead)
			o.start()
			if err := o.db.CheckClock(t.Context()); err != nil {
				t.Fatal(err)
			}
			o.run(5 * time.Second)
			o.move(d, deployment.Succeeded)
			o.run(10 * time.Minute)
			o.wantCard("C1", tt.states...)
		})
	}
}
