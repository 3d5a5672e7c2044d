package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// flakyCircleCI shows pipelines, and fails some of the reads about them.
type flakyCircleCI struct {
	Poller
	listing    deployment.Listing
	listErr    error
	withKey    []string // the pipelines that show the deployment's key
	unreadable []string // the pipelines that cannot be read
	canceled   []string
	onList     func() // may be nil
}

func (c *flakyCircleCI) List(context.Context, string, time.Time, string) (deployment.Listing, error) {
	if c.onList != nil {
		c.onList()
	}
	return c.listing, c.listErr
}

func (c *flakyCircleCI) Evidence(_ context.Context, id, _ string, _ []string) (deployment.KeyEvidence, error) {
	switch {
	case slices.Contains(c.unreadable, id):
		return "", errors.New("503")
	case slices.Contains(c.withKey, id):
		return deployment.KeyFound, nil
	default:
		return deployment.KeyAbsent, nil
	}
}

func (c *flakyCircleCI) Poll(_ context.Context, id string) (deployment.Progress, *deployment.PollFailed) {
	status := "running"
	if slices.Contains(c.canceled, id) {
		status = "canceled"
	}
	return deployment.Progress{Workflows: []deployment.Workflow{{ID: id, Name: "deploy", Status: status}}}, nil
}

func (c *flakyCircleCI) CancelWorkflow(_ context.Context, id string) error {
	c.canceled = append(c.canceled, id)
	return nil
}

// A look-up concludes from what it saw, although the rest could not be read. Only that there is no
// pipeline needs everything.
func TestLookUp_FindsTheKeyAlthoughOtherReadsFail(t *testing.T) {
	whole := deployment.Listing{MineComplete: true, ProjectComplete: true}
	for _, test := range []struct {
		name       string
		listing    deployment.Listing
		listErr    error
		shown      []string
		withKey    []string
		unreadable []string
		want       deployment.State
	}{
		{
			name:    "later pages of both lists fail",
			listErr: errors.New("404"),
			shown:   []string{"p1"},
			withKey: []string{"p1"},
			want:    deployment.Running,
		},
		{
			name:       "another pipeline cannot be read",
			listing:    whole,
			shown:      []string{"p0", "p1"},
			withKey:    []string{"p1"},
			unreadable: []string{"p0"},
			want:       deployment.Running,
		},
		{
			name:    "the key was not in what was read of the lists",
			listErr: errors.New("404"),
			shown:   []string{"p1"},
			want:    deployment.Unconfirmed,
		},
		{
			name:       "the only pipeline cannot be read",
			listing:    whole,
			shown:      []string{"p1"},
			unreadable: []string{"p1"},
			want:       deployment.Unconfirmed,
		},
		{
			name:    "nothing was read",
			listErr: errors.New("404"),
			want:    deployment.Unconfirmed,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newTestEngine(t)
			d := e.accept(t, 1, nil, resolved, e.startEvent(), deployment.TriggerUnknown{Cause: "reset"})
			for _, id := range test.shown {
				test.listing.Mine = append(test.listing.Mine, deployment.PipelineFacts{ID: id, CreatedAt: e.clock()})
			}

			e.Searcher = &flakyCircleCI{
				listing:    test.listing,
				listErr:    test.listErr,
				withKey:    test.withKey,
				unreadable: test.unreadable,
			}

			e.pass(10 * time.Minute) // long after the deadline of the look-up
			if err := e.lookUp(t.Context(), d); err != nil {
				t.Fatal(err)
			}

			got := e.load(t, d.Row)
			if got.State != test.want {
				t.Errorf("got %s %q, want %s", got.State, got.Reason, test.want)
			}
		})
	}
}

// Lists that were asked for before the deadline prove nothing, however late they come: the trigger may have started
// its pipeline after they were made.
func TestLookUp_ListsAreAsOfTheQuestion(t *testing.T) {
	e := newTestEngine(t)
	d := e.accept(t, 1, nil, resolved, e.startEvent(), deployment.TriggerUnknown{Cause: "reset"})
	circleCI := &flakyCircleCI{listing: deployment.Listing{MineComplete: true, ProjectComplete: true}}
	e.Searcher = circleCI

	for _, step := range []struct {
		onList func()
		want   deployment.State
	}{
		{onList: func() { e.pass(10 * time.Minute) }, want: deployment.Unconfirmed},
		{want: deployment.Waiting}, // another attempt
	} {
		circleCI.onList = step.onList
		if err := e.lookUp(t.Context(), e.load(t, d.Row)); err != nil {
			t.Fatal(err)
		}
		if got := e.load(t, d.Row); got.State != step.want {
			t.Fatalf("got %s %q, want %s", got.State, got.Reason, step.want)
		}
	}
}

// The pipeline is found although the clock was an hour ahead at the trigger and is right again. Otherwise the trigger
// would be repeated as soon as the attempt lies in the past.
func TestLookUp_ClockSetBack(t *testing.T) {
	const ahead = time.Hour
	for _, tt := range []struct {
		name   string
		outage bool // CircleCI answers no look-up before the attempt lies in the past
	}{
		{name: "found by the first look-up"},
		{name: "CircleCI does not answer for so long", outage: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestEngine(t)
			created := e.clock()
			e.pass(ahead)
			d := e.accept(t, 1,
				func(d *deployment.Deployment) { d.Request.CreatedAt = created },
				resolved, e.startEvent(), deployment.TriggerUnknown{Cause: "reset"})
			e.pass(10*time.Second - ahead)

			if tt.outage {
				e.Searcher = &flakyCircleCI{listErr: errors.New("503")}
				if err := e.lookUp(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				e.pass(ahead + 5*time.Minute)
			}

			pipeline := deployment.PipelineFacts{ID: "p1", CreatedAt: created.Add(time.Second)}
			circleCI := &flakyCircleCI{withKey: []string{pipeline.ID}}
			circleCI.listing = deployment.Listing{
				Project:         []deployment.PipelineFacts{pipeline},
				MineComplete:    true,
				ProjectComplete: true,
			}
			e.Searcher, e.Poller = circleCI, circleCI
			if err := e.lookUp(t.Context(), e.load(t, d.Row)); err != nil {
				t.Fatal(err)
			}

			got := e.load(t, d.Row)
			if got.State != deployment.Running || got.Pipeline == nil || got.Pipeline.ID != pipeline.ID {
				t.Errorf("got %s %q, want the pipeline found", got.State, got.Reason)
			}
		})
	}
}

// The watch for duplicates cancels what it sees, although the rest could not be read.
func TestCheckDuplicates_CancelsWhatItSees(t *testing.T) {
	e := newTestEngine(t)
	d := e.running(t, 1)
	circleCI := &flakyCircleCI{
		listing: deployment.Listing{Project: []deployment.PipelineFacts{
			{ID: "p1", CreatedAt: e.clock()}, // the deployment's own
			{ID: "p8", CreatedAt: e.clock()},
			{ID: "p9", CreatedAt: e.clock()},
		}},
		listErr:    errors.New("404"),
		withKey:    []string{"p1", "p9"},
		unreadable: []string{"p8"},
	}

	e.Searcher, e.Poller = circleCI, circleCI
	got, err := e.duplicates(t.Context(), d)
	if err == nil || !slices.Equal(got, []string{"p9"}) {
		t.Errorf("got %v and %v, want p9 and an error", got, err)
	}
	if err := e.checkDuplicates(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if want := []string{"p9"}; !slices.Equal(circleCI.canceled, want) {
		t.Errorf("got %v canceled, want %v", circleCI.canceled, want)
	}
}

// The watch for duplicates goes on after the clock was set back, also beside polls.
func TestDuplicateCheckDue(t *testing.T) {
	e := newTestEngine(t)
	for _, tt := range []struct {
		name  string
		state deployment.State
		in    time.Duration // until the check is due
		want  bool
	}{
		{name: "overdue", state: deployment.Running, in: -time.Second, want: true},
		{name: "later", state: deployment.Running, in: 30 * time.Second},
		{name: "a day later, which a clock ahead has stored", state: deployment.Running, in: 24 * time.Hour, want: true},
		{name: "the look-up sees them", state: deployment.Unconfirmed, in: -time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := deployment.Deployment{State: tt.state, StepDue: e.clock(), DuplicateDue: e.clock().Add(tt.in)}
			if got := e.duplicateCheckDue(d); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
