package notify

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// TestWorker_EndIsShownAfterFailures checks that a card shows the end although edits failed before, as often as they do:
// what was refused because there were too many calls takes none of the calls of the message, and the last one is made
// only once the chat system works again.
func TestWorker_EndIsShownAfterFailures(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    *SendError
		times  int
		down   time.Duration // how long nothing works after that
		counts int           // calls of the message
	}{
		{
			name: "limited", times: 12, counts: 2,
			err: &SendError{Kind: SendLimited, Code: "429", Wait: 30 * time.Second},
		},
		{name: "no answer", times: 3, counts: 5, err: &SendError{Kind: SendUnknown, Code: "503"}},
		{name: "down for hours", down: 3 * time.Hour, err: &SendError{Kind: SendUnknown, Code: "503"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, "C1")
			d := o.move(o.accept(1), deployment.Running)
			o.run(10 * time.Second)
			m := o.message(d)
			if tt.down > 0 {
				m.Calls = maxCalls - 3
				if err := o.s.save(t.Context(), &m); err != nil {
					t.Fatal(err)
				}
			}

			for range tt.times {
				o.room.fail(DoEdit, fault{err: tt.err})
			}
			o.room.down = tt.down > 0
			o.move(d, deployment.Succeeded)
			o.run(tt.down)
			o.room.down = false
			o.run(time.Hour)

			o.wantCard("C1", deployment.Running, deployment.Succeeded)
			m = o.message(d)
			if m.Unsent != "" || m.Calls > maxCalls || tt.counts != 0 && m.Calls != tt.counts {
				t.Errorf("got %d calls, and %q unsent, want %d and nothing", m.Calls, m.Unsent, tt.counts)
			}
		})
	}
}
