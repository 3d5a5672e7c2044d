package deployment

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// newFailed returns a deployment that shows logs and whose workflow failed at t0.
func newFailed(t *testing.T) Deployment {
	t.Helper()
	d := newRunning(t)
	d.Target.ShowLogs = true
	d.Target.Key = "k3y-of-the-deployment"
	d.Target.Parameters = []Parameter{
		{Name: "where", Value: json.RawMessage(`"Production"`)},
		{Name: "secret", Value: json.RawMessage(`"hunter22"`)},
		{Name: "count", Value: json.RawMessage(`1234567`)},
	}

	d, _ = applyAll(t, d, t0, polled("created", workflow("deploy", "failed")))
	if d.State != Failed {
		t.Fatalf("got %s, want failed", d.State)
	}
	return d
}

func TestFailure_IsKeptOnce(t *testing.T) {
	d := newFailed(t)
	if !d.WantsFailure(t0) || d.WantsFailure(t0.Add(failureWindow)) {
		t.Error("want the failing step to be looked for, for a while")
	}

	found := FailureFound{Output: StepOutput{
		Workflow: "deploy",
		Job:      "ship",
		Step:     "Push\nimage",
		Output:   "to Production with hunter22 and k3y-of-the-deployment\n\x1b[31mdenied\x1b[0m\n",
	}}
	d, changes := applyOne(t, d, t0, found)

	want := Failure{
		Workflow: "deploy",
		Job:      "ship",
		Step:     "Push image",
		Lines:    []string{"to Production with **** and ****", "denied"},
	}
	if f := d.Failure; f == nil || f.Workflow != want.Workflow || f.Job != want.Job || f.Step != want.Step ||
		!slices.Equal(f.Lines, want.Lines) {
		t.Fatalf("got %+v, want %+v", f, want)
	}
	const line = "job ship, step Push image: to Production with **** and **** | denied"
	if len(changes.Timeline) != 1 || changes.Timeline[0].Detail != line || len(changes.Reports) != 0 {
		t.Errorf("got %+v, want the timeline %q and no report", changes, line)
	}
	if d.State != Failed || d.WantsFailure(t0) {
		t.Errorf("got %s, want failed, with nothing more to look for", d.State)
	}

	found.Output.Job = "other"
	if d, changes = applyOne(t, d, t0, found); d.Failure.Job != "ship" || len(changes.Timeline) != 0 {
		t.Errorf("again: got %+v, want the first one", d.Failure)
	}
}

func TestFailure_NoneKnown(t *testing.T) {
	d, changes := applyOne(t, newFailed(t), t0, FailureFound{})
	if d.Failure != nil || len(changes.Timeline) != 0 || d.WantsFailure(t0) {
		t.Errorf("got %+v with %+v, want nothing, and nothing more to look for", d.Failure, changes)
	}

	d, changes = applyOne(t, newFailed(t), t0, FailureFound{Output: StepOutput{Job: "ship"}})
	if d.Failure == nil || d.Failure.Lines != nil || changes.Timeline[0].Detail != "job ship" {
		t.Errorf("got %+v with %+v, want the job alone", d.Failure, changes)
	}
}

// Where the route does not show logs, and for other ends, nothing is looked for.
func TestFailure_NotWanted(t *testing.T) {
	hidden := newFailed(t)
	hidden.Target.ShowLogs = false
	succeeded := newFailed(t)
	succeeded.State = Succeeded
	for name, d := range map[string]Deployment{"hidden": hidden, "succeeded": succeeded, "running": newRunning(t)} {
		t.Run(name, func(t *testing.T) {
			if d.WantsFailure(t0) {
				t.Error("want nothing to be looked for")
			}
		})
	}
}

// The timeline shows the end of long lines.
func TestFailure_LongSummary(t *testing.T) {
	output := strings.Repeat(strings.Repeat("x", 100)+"\n", 15) + "the cause"
	found := FailureFound{Output: StepOutput{Job: "ship", Output: output}}
	_, changes := applyOne(t, newFailed(t), t0.Add(time.Second), found)
	detail := changes.Timeline[0].Detail
	if !strings.HasPrefix(detail, "job ship: … ") || !strings.HasSuffix(detail, " | the cause") {
		t.Errorf("got %q, want the end of the lines", detail)
	}
}

func TestFailedWorkflow(t *testing.T) {
	failed := workflow("deploy", "failed")
	for _, tt := range []struct {
		name string
		p    Progress
		want string
	}{
		{name: "failed", p: progress("created", failed, workflow("docs", "success")), want: failed.ID},
		{name: "succeeded", p: progress("created", workflow("deploy", "success"))},
		{name: "canceled", p: progress("created", workflow("deploy", "canceled"))},
		{name: "refused", p: progress("errored")},
		{name: "another one runs", p: progress("created", failed, workflow("docs", "running"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if w, ok := FailedWorkflow(tt.p); w.ID != tt.want && ok || ok != (tt.want != "") {
				t.Errorf("got %q %t, want %q", w.ID, ok, tt.want)
			}
		})
	}
}
