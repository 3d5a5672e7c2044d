package deployment

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	t0    = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	rules = Machine{
		TriggerTimeout: 15 * time.Second,
		LookupGrace:    2 * time.Minute,
		WorkflowGrace:  2 * time.Minute,
		StartTimeout:   15 * time.Minute,
		PollMin:        5 * time.Second,
		PollMax:        30 * time.Second,
		MaxAge:         time.Hour,
		AppURL:         "https://app.circleci.com",
	}
	sha   = strings.Repeat("a1b2c3d4e5", 4)
	other = strings.Repeat("0f", 20)
)

func fresh() Deployment {
	d, _ := rules.New(Request{
		ID:          42,
		Repository:  Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: "Production",
		Ref:         "main",
		SHA:         sha,
		Task:        "deploy",
		CreatedAt:   t0,
	}, Admission{Target: Target{
		Project:        "gh/acme/api",
		Ref:            ParseRef("main"),
		Revision:       RevisionStrict,
		Key:            "k",
		CarriesKey:     true,
		EnvironmentURL: "https://x.example.com",
		Timeout:        time.Hour,
		HoldTimeout:    24 * time.Hour,
	}}, t0)

	return d
}

func progress(state string, workflows ...Workflow) Progress {
	return Progress{
		Pipeline:  PipelineFacts{ID: "p1", Number: 9, Slug: "gh/acme/api", State: state, Revision: sha},
		Workflows: workflows,
	}
}

func wf(name, status string, more ...func(*Workflow)) Workflow {
	w := Workflow{ID: name + "-" + status, Name: name, Status: status, CreatedAt: t0}
	for _, m := range more {
		m(&w)
	}
	return w
}

func at(after time.Duration) func(*Workflow) {
	return func(w *Workflow) { w.CreatedAt = t0.Add(after); w.ID += after.String() }
}
func setupTag(w *Workflow) { w.Setup = true }
func auto(n, most int) func(*Workflow) {
	return func(w *Workflow) { w.AutoRerun, w.MaxAutoRerun = n, most }
}

// walk applies events in turn and gives what GitHub is owed on the way.
func walk(t *testing.T, d Deployment, now time.Time, events ...Event) (Deployment, []Report) {
	t.Helper()
	var reports []Report
	for _, e := range events {
		next, ch, err := rules.Apply(d, e, now)
		if err != nil {
			t.Fatalf("%s: %v", d.State, err)
		}

		d, reports = next, append(reports, ch.Reports...)
	}

	return d, reports
}

func started(t *testing.T) Deployment {
	d, _ := walk(t, fresh(), t0, Resolved{Project{"uuid", "gh/acme/api"}}, Start{
		SendBefore: t0.Add(SendWindow),
	}, Triggered{PipelineFacts{
		ID:     "p1",
		Number: 9,
	}})
	return d
}

func TestHappyPathTellsTwice(t *testing.T) {
	d := fresh()
	d, reports := walk(t, d, t0,
		Resolved{Project{"uuid", "gh/acme/api"}}, Start{
			SendBefore: t0.Add(SendWindow),
		}, Triggered{PipelineFacts{
			ID:     "p1",
			Number: 9,
		}},
		Polled{Progress: progress("created")},
		Polled{Progress: progress("created", wf("build", "running"))},
		Polled{Progress: progress("created", wf("build", "success"))})

	if d.State != Succeeded || d.HoldsSlot() || !d.Due.IsZero() {
		t.Fatalf("got %s, slot %v, due %v", d.State, d.HoldsSlot(), d.Due)
	}
	if len(reports) != 2 || reports[0].State != GitHubInProgress || reports[1].State != GitHubSuccess {
		t.Fatalf("reports: %+v", reports)
	}
	if want := "https://app.circleci.com/pipelines/gh/acme/api/9"; reports[0].LogURL != want {
		t.Errorf("log_url %q, want %q", reports[0].LogURL, want)
	}
	if reports[1].EnvironmentURL != "https://x.example.com" {
		t.Errorf("environment_url %q", reports[1].EnvironmentURL)
	}
}

// anyEvent draws any event at all, sensible or not.
func anyEvent(r *rapid.T) Event {
	statuses := []string{
		"",
		"running",
		"queued",
		"on_hold",
		"failing",
		"success",
		"failed",
		"error",
		"canceled",
		"unauthorized",
		"not_run",
		"brand-new",
	}

	workflow := rapid.Custom(func(r *rapid.T) Workflow {
		return Workflow{
			ID:           rapid.StringN(1, 3, 3).Draw(r, "id"),
			Name:         rapid.SampledFrom([]string{"a", "b"}).Draw(r, "name"),
			Status:       rapid.SampledFrom(statuses).Draw(r, "status"),
			Setup:        rapid.Bool().Draw(r, "setup"),
			CreatedAt:    t0.Add(time.Duration(rapid.IntRange(0, 5).Draw(r, "age")) * time.Second),
			MaxAutoRerun: rapid.IntRange(0, 1).Draw(r, "auto"),
		}
	})

	p := Progress{
		Pipeline: PipelineFacts{
			ID:       rapid.SampledFrom([]string{"p1", "p2"}).Draw(r, "pid"),
			Number:   int64(rapid.IntRange(0, 9).Draw(r, "number")),
			State:    rapid.SampledFrom([]string{"created", "pending", "setup", "errored"}).Draw(r, "state"),
			Revision: rapid.SampledFrom([]string{"", sha, other}).Draw(r, "revision"),
		},
		Workflows: rapid.SliceOfN(workflow, 0, 3).Draw(r, "workflows"),
	}

	events := []Event{
		Start{}, Blocked{By: rapid.SampledFrom([]string{"a", "b"}).Draw(r, "by"), First: rapid.Bool().Draw(r, "first")},
		Resolved{Project{"uuid", "gh/acme/api"}}, Fail{"no"}, Superseded{
			By: 9,
		}, Triggered{p.Pipeline}, TriggerSkipped{"ci skip"},
		TriggerRefused{
			400,
			"Branch not found",
			true,
			false,
		}, TriggerRefused{404, "Project not found", false, true}, TriggerRefused{400, "bad", false, false},
		TriggerNotSent{
			Cause: "dial",
		}, TriggerUnknown{"reset"}, TriggerInterrupted{}, LookupFound{
			p.Pipeline,
			rapid.SampledFrom([]string{ByKey, ByWindow}).Draw(r, "how"),
			[]string{"p9"},
		}, LookupAbsent{}, LookupPending{
			Cause: "lag",
		}, LookupInconclusive{"who knows"},
		Claimed{p.Pipeline.ID}, PipelineReassigned{}, Polled{p, rapid.Bool().Draw(r, "newer")}, PollFailed{
			Cause: "503",
			Gone:  rapid.Bool().Draw(r, "gone"),
		}, DuplicatesChecked{}, PipelineOrphaned{"p3"},
		Admitted{}, Reject{"a rule"}, ForceRequested{Force{
			Actor{ID: 1, Login: "alice"},
			"fire",
		}}, CancelRequested{
			By: Actor{ID: 2, Login: "bob"},
		}, Done{"Locked"},
	}

	return rapid.SampledFrom(events).Draw(r, "event")
}

// Whatever happens in whatever order: reports never go back, an end is told once (a rerun may turn
// failed into succeeded, once), what is not possible changes nothing, an open deployment is always
// due again, and it can still come to an end.
func TestNoOrderOfEventsBreaksTheRules(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d, now := fresh(), t0
		var reports []Report
		for range rapid.IntRange(0, 40).Draw(r, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(r, "pause")) * time.Second)
			e := anyEvent(r)
			next, ch, err := rules.Apply(d, e, now)
			checkStep(r, d, next, e, err)
			d, reports = next, append(reports, ch.Reports...)
			checkReports(r, d, reports)
		}

		checkEnds(r, d, now)
	})
}

func checkStep(r *rapid.T, d, next Deployment, e Event, err error) {
	var impossible *InvalidTransitionError
	if err != nil {
		if !errors.As(err, &impossible) || next.State != d.State {
			r.Fatalf("%s + %s: %v", d.State, e.event(), err)
		}

		return
	}

	if !slices.Contains(table[d.State][e.event()].to, next.State) {
		r.Fatalf("%s + %s led to %s, which the table does not show", d.State, e.event(), next.State)
	}
	if !d.State.Open() && next.State != d.State && (d.State != Failed || next.State != Succeeded) {
		r.Fatalf("%s is an end, and became %s", d.State, next.State)
	}
	if (next.State.Open() || !next.Stopping.IsZero()) && next.Due.IsZero() {
		r.Fatalf("%s + %s: nobody will look again", d.State, e.event())
	}
	if len(next.Attempts) < len(d.Attempts) || len(next.Attempts) > len(d.Attempts) && next.State != Triggering {
		r.Fatalf("attempts went from %d to %d by %s", len(d.Attempts), len(next.Attempts), e.event())
	}
}

func checkReports(r *rapid.T, d Deployment, reports []Report) {
	ends, highest := 0, 0
	for _, rep := range reports {
		if rank[rep.State] < highest {
			r.Fatalf("reports go back: %+v", reports)
		}

		highest = rank[rep.State]
		if rep.Final {
			ends++
		}
		if len([]rune(rep.Description)) > MaxDescription {
			r.Fatalf("description too long: %q", rep.Description)
		}
	}

	switch {
	case d.State.Open() && ends != 0,
		!d.State.Open() && ends == 0,
		ends > 2,
		ends == 2 && (d.State != Succeeded || reports[len(reports)-1].State != GitHubSuccess):
		r.Fatalf("%s has %d final reports: %+v", d.State, ends, reports)
	}
}

// checkEnds lets the world answer plainly from here on: the deployment must end within a few steps.
func checkEnds(r *rapid.T, d Deployment, now time.Time) {
	for range 20 {
		if !d.State.Open() && d.Stopping.IsZero() {
			return
		}

		var e Event
		switch {
		case d.State == Waiting && d.Project.ID == "":
			e = Resolved{Project{"uuid", "gh/acme/api"}}
		case d.State == Waiting:
			e = Start{}
		case d.State == Triggering:
			e = Triggered{PipelineFacts{ID: "p1", Number: 9}}
		case d.State == Unconfirmed:
			e = LookupInconclusive{"who knows"}
		default:
			p := progress("created", wf("build", "success"))
			p.Pipeline.ID = d.Pipeline.ID
			e = Polled{Progress: p}
		}

		now = now.Add(time.Minute)
		next, _, err := rules.Apply(d, e, now)
		if err != nil {
			r.Fatalf("%s cannot end: %v", d.State, err)
		}

		d = next
	}

	r.Fatalf("%s does not end", d.State)
}

func TestRefsAreTriedAsBranchAndTag(t *testing.T) {
	notFound := TriggerRefused{Status: 400, Message: "Branch not found", BranchNotFound: true}
	for name, c := range map[string]struct {
		ref   string
		asked []RefKind
		waits []time.Duration
	}{
		"bare": {
			"main",
			[]RefKind{RefBranch, RefTag, RefBranch, RefTag, RefBranch, RefTag},
			[]time.Duration{0, 5 * time.Second, 0, 20 * time.Second, 0},
		},
		"branch": {
			"refs/heads/main",
			[]RefKind{RefBranch, RefBranch, RefBranch},
			[]time.Duration{5 * time.Second, 20 * time.Second},
		},
		"tag": {
			"refs/tags/v1",
			[]RefKind{RefTag, RefTag, RefTag},
			[]time.Duration{5 * time.Second, 20 * time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := fresh()
			d.Target.Ref, d.Project.ID = ParseRef(c.ref), "uuid"
			var waits []time.Duration
			for d.State.Open() {
				d, _ = walk(t, d, t0, Start{}, notFound)
				if d.State.Open() {
					waits = append(waits, d.Due.Sub(t0))
				}
			}

			var asked []RefKind
			for _, a := range d.Attempts {
				asked = append(asked, a.Ref.Kind)
			}

			if !slices.Equal(asked, c.asked) || !slices.Equal(waits, c.waits) || d.State != Errored {
				t.Errorf("asked %v after %v, %s", asked, waits, d.State)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	running := Polled{Progress: progress("created", wf("build", "running"))}
	held := Polled{Progress: progress("created", wf("build", "on_hold"))}
	over := Polled{Progress: progress("created", wf("build", "canceled"))}

	t.Run("held time does not count as running", func(t *testing.T) {
		d, _ := walk(t, started(t), t0.Add(30*time.Minute), running, held)
		d, _ = walk(t, d, t0.Add(20*time.Hour), running)
		if d.State != Running {
			t.Fatal(d.State)
		}

		d, reports := walk(t, d, t0.Add(20*time.Hour+31*time.Minute), running)
		if d.State != Failed || reports[0].State != GitHubFailure || !d.HoldsSlot() {
			t.Fatalf("%s %+v", d.State, reports)
		}
		if d, _ = walk(t, d, t0.Add(20*time.Hour+32*time.Minute), over); d.HoldsSlot() || d.State != Failed {
			t.Fatalf("%s holds %v", d.State, d.HoldsSlot())
		}
	})

	t.Run("hold timeout", func(t *testing.T) {
		d, _ := walk(t, started(t), t0, held)
		d, reports := walk(t, d, t0.Add(25*time.Hour), held)
		if d.State != Canceled || reports[0].State != GitHubError ||
			!strings.HasPrefix(reports[0].Description, "Canceled") {
			t.Fatalf("%s %+v", d.State, reports)
		}
		if d, _ = walk(t, d, t0.Add(25*time.Hour+16*time.Minute), held); d.HoldsSlot() {
			t.Fatal("a cancel that CircleCI never confirms keeps the environment for ever")
		}
	})

	t.Run("start timeout", func(t *testing.T) {
		d, _ := walk(t, fresh(), t0, TriggerNotSent{Cause: "dial"})
		if d, _ = walk(t, d, t0.Add(16*time.Minute), TriggerNotSent{Cause: "dial"}); d.State != Errored {
			t.Fatal(d.State)
		}
	})
}

func TestStrictRevision(t *testing.T) {
	p := progress("created", wf("build", "running"))
	p.Pipeline.Revision = other
	d, reports := walk(t, started(t), t0, Polled{Progress: p})
	if d.State != Errored || d.Stopping.IsZero() ||
		reports[0].Description != "main moved: wanted a1b2c3d, got 0f0f0f0" {
		t.Fatalf("%s %+v", d.State, reports)
	}

	d = started(t)
	d.Target.Revision = RevisionNote
	if d, _ = walk(t, d, t0, Polled{Progress: p}); d.State != Running {
		t.Fatal(d.State)
	}
}

func TestLateRerun(t *testing.T) {
	failed := Polled{Progress: progress("created", wf("build", "failed"))}
	rerun := Polled{Progress: progress("created", wf("build", "failed"), wf("build", "success", at(time.Hour)))}
	for name, c := range map[string]struct {
		event Polled
		after time.Duration
		want  State
	}{
		"within a day":    {rerun, 23 * time.Hour, Succeeded},
		"after a day":     {rerun, 25 * time.Hour, Failed},
		"newer has begun": {Polled{rerun.Progress, true}, time.Hour, Failed},
		"fails once more": {failed, time.Hour, Failed},
		"still running": {
			Polled{Progress: progress("created", wf("build", "failed"), wf("build", "running", at(time.Hour)))},
			time.Hour,
			Failed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := walk(t, started(t), t0, failed)
			if d, _ = walk(t, d, t0.Add(c.after), c.event); d.State != c.want {
				t.Errorf("got %s, want %s", d.State, c.want)
			}
		})
	}
}

func TestTooLate(t *testing.T) {
	d, _ := rules.New(Request{CreatedAt: t0.Add(-61 * time.Minute)}, Admission{}, t0)
	if d, reports := walk(t, d, t0, Fail{d.Problem}); d.State != Errored ||
		!strings.HasPrefix(reports[0].Description, "arrived too late, deploy again") {
		t.Fatalf("%s %+v", d.State, reports)
	}
}

// One 404 after a cancel says nothing yet: CircleCI hides a bad token behind it. The slot stays
// taken until the workflows have ended, CircleCI has said so for a while, or StopGrace is over,
// whatever Retry-After asks for.
func TestStoppingIsNotCutShort(t *testing.T) {
	running := Polled{Progress: progress("created", wf("deploy", "running"))}
	stopped := t0.Add(2 * time.Hour)
	d, _ := walk(t, started(t), t0.Add(time.Second), running)
	d, _ = walk(t, d, stopped, running)
	d, _ = walk(t, d, stopped.Add(time.Second), PollFailed{Cause: "404", Gone: true})
	if !d.HoldsSlot() || d.RerunUntil.IsZero() {
		t.Fatalf("slot held %v, rerun until %v after one 404", d.HoldsSlot(), d.RerunUntil)
	}

	d, _ = walk(t, d, stopped.Add(2*time.Second), PollFailed{Cause: "429", After: 6 * time.Hour})
	if late := d.Due.Sub(stopped); late > StopGrace {
		t.Fatalf("the next look is %s after the stop", late)
	}

	d, _ = walk(t, d, d.Due, PollFailed{Cause: "429", After: 6 * time.Hour})
	if d.HoldsSlot() {
		t.Error("the slot is never given up")
	}
}

// A trigger that CircleCI wants to hear of only after START_TIMEOUT ends the deployment now.
func TestRetryAfterStartTimeout(t *testing.T) {
	d, _ := walk(t, fresh(), t0, Resolved{Project{"uuid", "gh/acme/api"}}, Start{
		SendBefore: t0.Add(SendWindow),
	}, TriggerNotSent{
		Cause: "429",
		After: 6 * time.Hour,
	})

	if d.State != Errored || !strings.Contains(d.Reason, "asks to wait 6h") {
		t.Errorf("%s %q", d.State, d.Reason)
	}
}

// A rerun that succeeds in the last minutes of its day counts.
func TestLastLookAtARerun(t *testing.T) {
	d, _ := walk(t, started(t), t0, Polled{Progress: progress("created", wf("build", "failed"))})
	d, _ = walk(t, d, t0.Add(23*time.Hour+50*time.Minute), Polled{Progress: progress("created", wf("build", "failed"))})
	if !d.Due.Equal(d.RerunUntil) {
		t.Fatalf("the last look is due %s, the day ends %s", d.Due, d.RerunUntil)
	}

	d, _ = walk(t, d, d.Due, Polled{
		Progress: progress("created", wf("build", "failed"), wf("build", "success", at(23*time.Hour+55*time.Minute))),
	})
	if d.State != Succeeded {
		t.Error(d.State)
	}
}

// A pipeline that came too late may have no workflow to cancel yet: it is watched for. Each twin is
// noted once.
func TestStrayIsWatched(t *testing.T) {
	d, _ := walk(t, started(t), t0, Polled{Progress: progress("created", wf("build", "success"))})
	d.Target.CarriesKey = true
	d, _ = walk(t, d, t0.Add(time.Minute), PipelineOrphaned{PipelineID: "late"})
	if d.DuplicateDue.IsZero() || d.DuplicateDue.After(t0.Add(time.Minute+5*time.Second)) {
		t.Fatalf("watched at %s", d.DuplicateDue)
	}

	next, changes, err := rules.Apply(d, DuplicatesChecked{Duplicates: []string{"late"}}, d.DuplicateDue)
	if err != nil || len(changes.Timeline) != 0 || !next.DuplicateDue.Equal(d.DuplicateDue.Add(duplicateInterval)) {
		t.Errorf("noted twice: %v, %v", changes.Timeline, err)
	}

	next, changes, err = rules.Apply(next, DuplicatesChecked{
		Duplicates: []string{"late", "another"},
	}, next.DuplicateDue)
	if err != nil || len(changes.Timeline) != 1 || !slices.Equal(next.Duplicates, []string{"late", "another"}) {
		t.Errorf("%v, %v, %v", changes.Timeline, next.Duplicates, err)
	}
}
