package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// conflictingRows lets the first saves fail with a version conflict, as if another worker were faster.
type conflictingRows struct {
	Rows
	conflicts int
	saves     int
	kept      []bool // KeepLease of the saves that were tried
}

func (r *conflictingRows) Save(
	ctx context.Context,
	next deployment.Deployment,
	ch deployment.Changes,
	o deployment.SaveOptions,
) (deployment.Deployment, error) {
	r.saves++
	r.kept = append(r.kept, o.KeepLease)
	if r.saves <= r.conflicts {
		return next, deployment.ErrVersionConflict
	}
	return r.Rows.Save(ctx, next, ch, o)
}

var testAudit = deployment.AuditEvent{Kind: deployment.AuditCanceled, Channel: deployment.ChannelAPI}

func TestUpdate_StartsOverAfterConflicts(t *testing.T) {
	for name, c := range map[string]struct {
		conflicts int
		want      error
		saves     int
	}{
		"no conflict":        {conflicts: 0, saves: 1},
		"some conflicts":     {conflicts: 3, saves: 4},
		"too many conflicts": {conflicts: 6, want: deployment.ErrVersionConflict, saves: 6},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEngine(t)
			d := e.accept(t, 1, nil)
			rows := &conflictingRows{Rows: e.db, conflicts: c.conflicts}
			e.Rows = rows

			_, err := e.Cancel(t.Context(), d.Row, deployment.CancelRequested{Reason: "never mind"}, testAudit)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if rows.saves != c.saves {
				t.Errorf("saves: got %d, want %d", rows.saves, c.saves)
			}
		})
	}
}

// Whoever cancels a deployment that is being triggered must not end the sender's lease.
func TestUpdate_SenderKeepsItsLease(t *testing.T) {
	for name, c := range map[string]struct {
		accept func(*testEngine, *testing.T) deployment.Deployment
		want   bool
	}{
		"triggering": {
			accept: func(e *testEngine, t *testing.T) deployment.Deployment { return e.triggering(t, 1) },
			want:   true,
		},
		"running": {
			accept: func(e *testEngine, t *testing.T) deployment.Deployment { return e.running(t, 1) },
			want:   false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEngine(t)
			d := c.accept(e, t)
			rows := &conflictingRows{Rows: e.db}
			e.Rows = rows

			_, err := e.Cancel(t.Context(), d.Row, deployment.CancelRequested{Reason: "never mind"}, testAudit)
			if err != nil {
				t.Fatal(err)
			}
			if got := rows.kept[0]; got != c.want {
				t.Errorf("keepLease: got %v, want %v", got, c.want)
			}
		})
	}
}

// The answer to an older attempt says nothing about the newer one, unless it brings a pipeline.
func TestRecordTriggerResult_OlderAttempt(t *testing.T) {
	refused := deployment.TriggerRefused{Status: 400, Message: "not today"}

	for name, c := range map[string]struct {
		answer deployment.Event
		want   deployment.State
	}{
		"refused":  {answer: refused, want: deployment.Triggering},
		"unknown":  {answer: deployment.TriggerUnknown{Cause: "reset"}, want: deployment.Triggering},
		"pipeline": {answer: triggered("p1"), want: deployment.Running},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEngine(t)
			first := e.triggering(t, 1)

			// meanwhile another worker has found that there is no pipeline, and has tried again
			_, err := e.commit(t.Context(), first, commitOptions{},
				deployment.TriggerInterrupted{}, deployment.LookupAbsent{}, e.startEvent())
			if err != nil {
				t.Fatal(err)
			}

			if err := e.recordTriggerResult(t.Context(), first, c.answer); err != nil {
				t.Fatal(err)
			}

			d := e.load(t, first.Row)
			if d.State != c.want {
				t.Errorf("got %s, want %s", d.State, c.want)
			}
			if n := len(d.Attempts); n != 2 {
				t.Errorf("attempts: got %d, want 2", n)
			}
		})
	}
}

// errNoConnection is the error of a database that is away.
var errNoConnection = errors.New("connection refused")

// failingRows fails the first saves, as a database does that is away for a moment.
type failingRows struct {
	Rows
	failures int
	saves    int
}

func (r *failingRows) Save(
	ctx context.Context,
	next deployment.Deployment,
	ch deployment.Changes,
	o deployment.SaveOptions,
) (deployment.Deployment, error) {
	r.saves++
	if r.saves <= r.failures {
		return next, errNoConnection
	}
	return r.Rows.Save(ctx, next, ch, o)
}

func TestRecordTriggerResult_TriesAgainWhenTheDatabaseFails(t *testing.T) {
	e := newTestEngine(t)
	d := e.triggering(t, 1)
	e.Rows = &failingRows{Rows: e.db, failures: 2}

	// a stop of the process does not interrupt it
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := e.recordTriggerResult(stopped, d, triggered("p1")); err != nil {
		t.Fatal(err)
	}

	if got := e.load(t, d.Row).State; got != deployment.Running {
		t.Errorf("got %s, want running", got)
	}
}

// A database that took over without the newest commits may have given the row to another deployment, even with the same
// version. That deployment stays as it is, and the pipeline is canceled.
func TestRecordTriggerResult_RowOfAnotherDeployment(t *testing.T) {
	for _, tt := range []struct {
		name   string
		behind int64 // how many versions the row is ahead
	}{
		{name: "same version"},
		{name: "another version", behind: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestEngine(t)
			circleCI := &flakyCircleCI{}
			e.Poller = circleCI
			other := e.triggering(t, 2)

			forgotten := other
			forgotten.Request.ID, forgotten.Target.Key = 1, keyOf(1)
			forgotten.Version -= tt.behind
			err := e.recordTriggerResult(t.Context(), forgotten, triggered("p1"))
			if !errors.Is(err, deployment.ErrNotFound) {
				t.Errorf("got %v, want %v", err, deployment.ErrNotFound)
			}

			got := e.load(t, other.Row)
			if got.State != deployment.Triggering || got.Pipeline != nil || got.Request.ID != 2 {
				t.Errorf("got %d %s with %v, want 2 triggering as it was", got.Request.ID, got.State, got.Pipeline)
			}
			if want := []string{"p1"}; !slices.Equal(circleCI.canceled, want) {
				t.Errorf("got %v canceled, want %v", circleCI.canceled, want)
			}
		})
	}
}

// laterPolls are what CircleCI shows of a pipeline, one after the other; the last one stays.
type laterPolls struct {
	Poller
	polls    []deployment.Progress
	failed   int // that many polls fail before
	looks    int
	canceled []string
}

func (c *laterPolls) Poll(context.Context, string) (deployment.Progress, *deployment.PollFailed) {
	c.looks++
	if c.failed > 0 {
		c.failed--
		return deployment.Progress{}, &deployment.PollFailed{Cause: "CircleCI answered 503"}
	}
	p := c.polls[0]
	if len(c.polls) > 1 {
		c.polls = c.polls[1:]
	}
	return p, nil
}

func (c *laterPolls) CancelWorkflow(_ context.Context, id string) error {
	c.canceled = append(c.canceled, id)
	return nil
}

// A pipeline that was just started has no workflow yet. One that nobody follows is canceled all the same, with what
// continues it.
func TestCancelLost_WaitsForWorkflows(t *testing.T) {
	setup := func(status string) deployment.Workflow {
		return deployment.Workflow{ID: "w1", Name: "setup", Status: status, Setup: true}
	}
	deploy := func(status string) deployment.Workflow {
		return deployment.Workflow{ID: "w2", Name: "deploy", Status: status}
	}

	e := newTestEngine(t)
	circleCI := &laterPolls{failed: 1, polls: []deployment.Progress{
		{},
		{Workflows: []deployment.Workflow{setup("running")}},
		{Workflows: []deployment.Workflow{setup("success")}},
		{Workflows: []deployment.Workflow{setup("success"), deploy("running")}},
		{Workflows: []deployment.Workflow{setup("success"), deploy("canceled")}},
	}}
	e.Poller = circleCI
	if err := e.cancelLost(t.Context(), deployment.Deployment{}, triggered("p1")); err != nil {
		t.Errorf("got error %v", err)
	}
	if want := []string{"w1", "w2"}; !slices.Equal(circleCI.canceled, want) {
		t.Errorf("got %v canceled, want %v", circleCI.canceled, want)
	}
	if len(circleCI.polls) != 1 {
		t.Errorf("got %d looks left, want one look at the end", len(circleCI.polls))
	}
}

// It does not go on for ever, and not while the process is being stopped.
func TestCancelLost_GivesUp(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		pause time.Duration
		want  int
	}{
		{name: "never a workflow", ctx: t.Context(), pause: time.Millisecond, want: lostTries},
		{name: "stopped", ctx: stopped, pause: time.Hour, want: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestEngine(t)
			circleCI := &laterPolls{polls: []deployment.Progress{{}}}
			e.Poller, e.lostPause = circleCI, tt.pause
			if err := e.cancelLost(tt.ctx, deployment.Deployment{}, triggered("p1")); err != nil {
				t.Errorf("got error %v", err)
			}
			if circleCI.looks != tt.want {
				t.Errorf("got %d looks, want %d", circleCI.looks, tt.want)
			}
		})
	}
}

// The log shows why the answer was not saved.
func TestRecordTriggerResult_GivesUpWithTheLastError(t *testing.T) {
	e := newTestEngine(t)
	d := e.triggering(t, 1)
	rows := &failingRows{Rows: e.db, failures: recordTries}
	e.Rows = rows

	err := e.recordTriggerResult(t.Context(), d, triggered("p1"))
	if !errors.Is(err, errNoConnection) {
		t.Errorf("got %v, want %v in it", err, errNoConnection)
	}
	if rows.saves != recordTries {
		t.Errorf("saves: got %d, want %d", rows.saves, recordTries)
	}
}

// A look-up gave the pipeline of a late answer to another deployment, because its own trigger seemed
// to have started none. It goes back to the deployment whose trigger it answers.
func TestRecordTriggerResult_TakesItsPipelineBack(t *testing.T) {
	e := newTestEngine(t)
	d := e.triggering(t, 1)
	_, err := e.commit(t.Context(), d, commitOptions{}, deployment.TriggerInterrupted{}, deployment.LookupAbsent{})
	if err != nil {
		t.Fatal(err)
	}

	other := e.accept(
		t, 2,
		func(d *deployment.Deployment) { d.Request.Environment = "staging" },
		resolved,
		e.startEvent(),
		deployment.TriggerUnknown{},
		deployment.LookupFound{Pipeline: deployment.PipelineFacts{ID: "p1"}, By: deployment.ByWindow},
	)

	if err := e.recordTriggerResult(t.Context(), d, triggered("p1")); err != nil {
		t.Fatal(err)
	}

	if got := e.load(t, d.Row); got.State != deployment.Running || got.Pipeline.ID != "p1" {
		t.Errorf("got %s, pipeline %+v, want running p1", got.State, got.Pipeline)
	}
	if got := e.load(t, other.Row).State; got != deployment.Unconfirmed {
		t.Errorf("the other deployment: got %s, want unconfirmed", got)
	}
}

func TestClaim(t *testing.T) {
	for name, c := range map[string]struct {
		events   []deployment.Event // before the claim, after the trigger was sent
		pipeline string
		want     error
		saves    int
	}{
		"first claim": {
			pipeline: "p1",
			saves:    1,
		},
		"own pipeline again": {
			events:   []deployment.Event{triggered("p1")},
			pipeline: "p1",
			saves:    0,
		},
		"another pipeline": {
			events:   []deployment.Event{triggered("p1")},
			pipeline: "p2",
			want:     deployment.ErrClaimRefused,
		},
		"own pipeline, being canceled": {
			events:   []deployment.Event{triggered("p1"), deployment.CancelRequested{}},
			pipeline: "p1",
			want:     deployment.ErrClaimCanceled,
			saves:    1,
		},
		"first claim, being canceled": {
			events:   []deployment.Event{deployment.CancelRequested{}},
			pipeline: "p1",
			want:     deployment.ErrClaimCanceled,
			saves:    1,
		},
		"another pipeline, being canceled": {
			events:   []deployment.Event{triggered("p1"), deployment.CancelRequested{}},
			pipeline: "p2",
			want:     deployment.ErrClaimRefused,
		},
		"ended": {
			events:   []deployment.Event{deployment.TriggerSkipped{Message: "skipped"}},
			pipeline: "p1",
			want:     deployment.ErrClaimRefused,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEngine(t)
			e.accept(t, 1, nil, append([]deployment.Event{resolved, e.startEvent()}, c.events...)...)
			rows := &failingRows{Rows: e.db}
			e.Rows = rows

			if err := e.Claim(t.Context(), keyOf(1), c.pipeline); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if rows.saves != c.saves {
				t.Errorf("saves: got %d, want %d", rows.saves, c.saves)
			}
		})
	}
}

// A rerun of a failed deployment must not deploy over a newer one.
func TestClaim_AfterAFailure(t *testing.T) {
	e := newTestEngine(t)
	failed := deployment.Polled{Progress: deployment.Progress{
		Pipeline:  deployment.PipelineFacts{ID: "p1", State: "created"},
		Workflows: []deployment.Workflow{{ID: "w1", Name: "deploy", Status: "failed"}},
	}}
	d := e.accept(t, 1, nil, resolved, e.startEvent(), triggered("p1"), failed)
	if d.State != deployment.Failed {
		t.Fatalf("got %s, want %s", d.State, deployment.Failed)
	}

	if err := e.Claim(t.Context(), keyOf(1), "p1"); err != nil {
		t.Errorf("no newer one has started: got %v, want no error", err)
	}

	newer := e.triggering(t, 2)
	if err := e.Claim(t.Context(), keyOf(1), "p1"); !errors.Is(err, deployment.ErrClaimRefused) {
		t.Errorf("a newer one is being triggered: got %v, want %v", err, deployment.ErrClaimRefused)
	}

	if _, err := e.commit(t.Context(), newer, commitOptions{}, triggered("p2")); err != nil {
		t.Fatal(err)
	}
	if err := e.Claim(t.Context(), keyOf(1), "p1"); !errors.Is(err, deployment.ErrClaimRefused) {
		t.Errorf("a newer one has started: got %v, want %v", err, deployment.ErrClaimRefused)
	}
}

func TestClaim_UnknownKey(t *testing.T) {
	e := newTestEngine(t)
	if err := e.Claim(t.Context(), "no such key", "p1"); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("got %v, want %v", err, deployment.ErrNotFound)
	}
}

func TestPauses_AreOfProjectsOrAll(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var p pauses
	p.pause("a", now.Add(time.Minute))

	if got := p.left("a", now); got != time.Minute {
		t.Errorf("the paused project: got %v, want 1m", got)
	}
	if got := p.left("b", now); got > 0 {
		t.Errorf("another project: got %v, want none", got)
	}

	p.pause("", now.Add(2*time.Minute))
	if got := p.left("b", now); got != 2*time.Minute {
		t.Errorf("another project while all are paused: got %v, want 2m", got)
	}
}

func TestPauses_KeepTheLaterEnd(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		second time.Duration
		want   time.Duration
	}{
		{name: "the second pause is shorter", second: time.Second, want: 30 * time.Second},
		{name: "the second pause is longer", second: time.Minute, want: time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p pauses
			p.pause("a", now.Add(30*time.Second))
			p.pause("a", now.Add(c.second))

			if got := p.left("a", now); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestPauses_ClockSetBack(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var p pauses
	p.pause("a", now.Add(time.Minute))
	p.pause("", now.Add(time.Minute))

	now = now.Add(-time.Hour)
	if got := p.left("a", now); got > longestPause {
		t.Errorf("got %v, want at most %v", got, longestPause)
	}
	if got := p.left("a", now.Add(longestPause)); got > 0 {
		t.Errorf("after the longest pause: got %v, want none", got)
	}
}
