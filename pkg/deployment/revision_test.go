package deployment

import (
	"testing"
	"time"
)

// withoutRevision is a poll that does not show which commit was built.
func withoutRevision(state string, workflows ...Workflow) Polled {
	p := polled(state, workflows...)
	p.Progress.Pipeline.Revision = ""
	return p
}

// Where the commit must be the one that was asked for, one that CircleCI does not show is not taken for it.
func TestMachine_UnknownRevision(t *testing.T) {
	const unknown = "CircleCI does not show which commit it built: wanted a1b2c3d"

	for _, c := range []struct {
		name     string
		revision Revision
		polls    []Event
		after    time.Duration
		want     State
		reason   string
		stopping bool
	}{
		{
			name:     "strict, success within the grace",
			revision: RevisionStrict,
			polls:    []Event{withoutRevision("created", workflow("deploy", "success"))},
			after:    time.Minute,
			want:     Running,
		},
		{
			name:     "strict, success, shown at last",
			revision: RevisionStrict,
			polls: []Event{
				withoutRevision("created", workflow("deploy", "success")),
				polled("created", workflow("deploy", "success")),
			},
			after: time.Minute,
			want:  Succeeded,
		},
		{
			name:     "strict, success, never shown",
			revision: RevisionStrict,
			polls:    []Event{withoutRevision("created", workflow("deploy", "success"))},
			after:    2 * time.Minute,
			want:     Errored,
			reason:   unknown,
			stopping: true,
		},
		{
			name:     "strict, still running, never shown",
			revision: RevisionStrict,
			polls:    []Event{withoutRevision("created", workflow("deploy", "running"))},
			after:    2 * time.Minute,
			want:     Errored,
			reason:   unknown,
			stopping: true,
		},
		{
			name:     "strict, failed",
			revision: RevisionStrict,
			polls:    []Event{withoutRevision("created", workflow("deploy", "failed"))},
			after:    time.Minute,
			want:     Failed,
		},
		{
			name:     "strict, failed, a rerun succeeds, never shown",
			revision: RevisionStrict,
			polls: []Event{
				withoutRevision("created", workflow("deploy", "failed")),
				withoutRevision("created", workflow("deploy", "failed"), workflow("deploy", "success", createdAfter(time.Minute))),
			},
			after: time.Minute,
			want:  Failed,
		},
		{
			name:     "note, success, never shown",
			revision: RevisionNote,
			polls:    []Event{withoutRevision("created", workflow("deploy", "success"))},
			after:    2 * time.Minute,
			want:     Succeeded,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newRunning(t)
			d.Target.Revision = c.revision
			d, _ = applyAll(t, d, t0.Add(c.after), c.polls...)

			if d.State != c.want || c.reason != "" && d.Reason != c.reason {
				t.Errorf("got %s %q, want %s %q", d.State, d.Reason, c.want, c.reason)
			}
			if stopping := !d.StoppingSince.IsZero(); stopping != c.stopping {
				t.Errorf("got its workflows stopped: %v, want %v", stopping, c.stopping)
			}
		})
	}
}
