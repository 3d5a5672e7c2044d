package deployment

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMachine_SuccessWritesTwoStatuses(t *testing.T) {
	d, reports := applyAll(t, newWaiting(), t0,
		resolved,
		start,
		triggered,
		polled("created"),
		polled("created", workflow("build", "running")),
		polled("created", workflow("build", "success")))

	if d.State != Succeeded || d.HoldsSlot() || !d.Due.IsZero() {
		t.Errorf("got %s, slot held %v, due %v; want %s, no slot, never due", d.State, d.HoldsSlot(), d.Due, Succeeded)
	}

	want := []Report{
		{
			State:       GitHubInProgress,
			Description: "CircleCI pipeline 9 is running",
			LogURL:      "https://app.circleci.com/pipelines/gh/acme/api/9",
			Status:      ReportPending,
			CreatedAt:   t0,
			NotBefore:   t0,
		},
		{
			State:          GitHubSuccess,
			Description:    "Deployed",
			LogURL:         "https://app.circleci.com/pipelines/gh/acme/api/9/workflows/build-success",
			EnvironmentURL: "https://x.example.com",
			Final:          true,
			Status:         ReportPending,
			CreatedAt:      t0,
			NotBefore:      t0,
		},
	}
	if diff := cmp.Diff(want, reports); diff != "" {
		t.Errorf("reports differ (-want +got):\n%s", diff)
	}
}

func TestMachine_RequestTooOld(t *testing.T) {
	d, _ := machine.New(Request{CreatedAt: t0.Add(-61 * time.Minute)}, Admission{}, t0)
	d, reports := applyAll(t, d, t0, Fail{Reason: d.Problem})
	if d.State != Errored {
		t.Errorf("got %s, want %s", d.State, Errored)
	}

	want := "arrived too late, deploy again (created 1h1m0s before it arrived, the limit is 1h0m0s)"
	if got := reports[0].Description; got != want {
		t.Errorf("got description %q, want %q", got, want)
	}
}

// Whatever happens in whatever order: reports never go back, a deployment ends with one final report
// (a second one only if a rerun turns Failed into Succeeded), an impossible event changes nothing, an
// open deployment is always due again, and it can always come to an end. Every text for people can be
// read and stored, and says something at the end, whatever the vendors' words are.
func TestMachine_AnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d, now := newWaiting(), t0
		var reports []Report
		for range rapid.IntRange(0, 40).Draw(r, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(r, "pause")) * time.Second)
			e := anyEvent(r)
			next, changes, err := machine.Apply(d, e, now)
			checkStep(r, d, next, e, err)
			checkTexts(r, next, changes)
			d, reports = next, append(reports, changes.Reports...)
			checkReports(r, d, reports)
		}

		checkEnds(r, d, now)
	})
}

// anyEvent draws any event, whether or not it makes sense.
func anyEvent(r *rapid.T) Event {
	p := anyProgress(r)
	alice, bob := Actor{ID: 1, Login: "alice"}, Actor{ID: 2, Login: "bob"}
	by := rapid.SampledFrom([]string{ByKey, ByWindow}).Draw(r, "by")
	words := foreignWords(r)

	events := []Event{
		Admitted{},
		Blocked{
			By:    rapid.SampledFrom([]string{"a", "b", words}).Draw(r, "blocked by"),
			First: rapid.Bool().Draw(r, "first"),
		},
		resolved,
		Start{},
		Fail{Reason: words},
		Reject{Reason: words},
		Superseded{By: 9},
		Done{Reason: words},

		ForceRequested{Force: Force{By: alice, Reason: words}},
		CancelRequested{By: bob, Reason: words},

		Triggered{Pipeline: p.Pipeline},
		TriggerSkipped{Message: words},
		TriggerRefused{Status: 400, Message: words, RefNotFound: true},
		TriggerRefused{Status: 404, Message: words, AuthDoubt: true},
		TriggerRefused{Status: 400, Message: words},
		TriggerNotSent{Cause: words},
		TriggerUnknown{Cause: words, Refused: rapid.Bool().Draw(r, "refused")},
		TriggerInterrupted{},

		LookupFound{Pipeline: p.Pipeline, By: by, Duplicates: []string{"p9"}},
		LookupAbsent{},
		LookupPending{Cause: words},
		LookupInconclusive{Reason: words},
		PipelineReassigned{},

		Claimed{PipelineID: p.Pipeline.ID},
		Polled{Progress: p, NewerStarted: rapid.Bool().Draw(r, "newer started")},
		PollFailed{Cause: words, Gone: rapid.Bool().Draw(r, "gone")},
		PipelineOrphaned{PipelineID: "p3"},
		DuplicatesChecked{},
	}

	return rapid.SampledFrom(events).Draw(r, "event")
}

// foreignWords draws what a vendor or a person may write: nothing, or what cannot be stored or read.
func foreignWords(r *rapid.T) string {
	words := []string{"", "why", "a\x00b", "\u202eevil\u2066", "\u200b", "a\nb", "\xff", strings.Repeat("long ", 500)}
	return rapid.SampledFrom(words).Draw(r, "words")
}

// checkTexts checks that what one step writes can be stored and read.
func checkTexts(r *rapid.T, d Deployment, changes Changes) {
	texts := []string{d.Reason, d.BlockedBy, d.LastFailure}
	for _, entry := range changes.Timeline {
		texts = append(texts, entry.Detail)
	}
	for _, report := range changes.Reports {
		texts = append(texts, report.Description)
	}

	for _, text := range texts {
		if !isReadable(text) {
			r.Fatalf("%s: got %q, which cannot be stored and read", d.State, text)
		}
	}

	if !d.State.Open() && (d.Reason == "" || strings.HasSuffix(d.Reason, ":")) {
		r.Fatalf("%s: got reason %q, want one that says something", d.State, d.Reason)
	}
}

func anyProgress(r *rapid.T) Progress {
	statuses := []string{
		"", "running", "queued", "on_hold", "failing",
		"success", "failed", "error", "canceled", "unauthorized", "not_run",
		"brand-new",
	}

	one := rapid.Custom(func(r *rapid.T) Workflow {
		return Workflow{
			ID:           rapid.StringN(1, 3, 3).Draw(r, "id"),
			Name:         rapid.SampledFrom([]string{"a", "b", foreignWords(r)}).Draw(r, "name"),
			Status:       rapid.SampledFrom(statuses).Draw(r, "status"),
			Setup:        rapid.Bool().Draw(r, "setup"),
			CreatedAt:    t0.Add(time.Duration(rapid.IntRange(0, 5).Draw(r, "age")) * time.Second),
			MaxAutoRerun: rapid.IntRange(0, 1).Draw(r, "auto-reruns"),
		}
	})

	return Progress{
		Pipeline: PipelineFacts{
			ID:       rapid.SampledFrom([]string{"p1", "p2"}).Draw(r, "pipeline"),
			Number:   int64(rapid.IntRange(0, 9).Draw(r, "number")),
			State:    rapid.SampledFrom([]string{"created", "pending", "setup", "errored"}).Draw(r, "state"),
			Errors:   []string{foreignWords(r)},
			Revision: rapid.SampledFrom([]string{"", testSHA, otherSHA}).Draw(r, "revision"),
		},
		Workflows: rapid.SliceOfN(one, 0, 3).Draw(r, "workflows"),
	}
}

func checkStep(r *rapid.T, d, next Deployment, e Event, err error) {
	if err != nil {
		var invalid *InvalidTransitionError
		if !errors.As(err, &invalid) || next.State != d.State {
			r.Fatalf("%s + %s: got %v and state %s, want no change", d.State, e.event(), err, next.State)
		}

		return
	}

	if !slices.Contains(table[d.State][e.event()].to, next.State) {
		r.Fatalf("%s + %s: got %s, which the table does not have", d.State, e.event(), next.State)
	}
	if !d.State.Open() && next.State != d.State && (d.State != Failed || next.State != Succeeded) {
		r.Fatalf("%s + %s: got %s after the end", d.State, e.event(), next.State)
	}
	if (next.State.Open() || !next.StoppingSince.IsZero()) && next.Due.IsZero() {
		r.Fatalf("%s + %s: got no due time", d.State, e.event())
	}
	if len(next.Attempts) < len(d.Attempts) || len(next.Attempts) > len(d.Attempts) && next.State != Triggering {
		r.Fatalf("%s + %s: got %d attempts after %d", d.State, e.event(), len(next.Attempts), len(d.Attempts))
	}
}

func checkReports(r *rapid.T, d Deployment, reports []Report) {
	finals, highest := 0, 0
	for _, report := range reports {
		if reportRank[report.State] < highest {
			r.Fatalf("got reports that go back: %+v", reports)
		}

		highest = reportRank[report.State]
		if report.Final {
			finals++
		}
		if n := len([]rune(report.Description)); n > MaxDescription {
			r.Fatalf("got a description of %d code points, want at most %d: %q", n, MaxDescription, report.Description)
		}
	}

	rerun := d.State == Succeeded && reports[len(reports)-1].State == GitHubSuccess
	switch {
	case d.State.Open() && finals != 0,
		!d.State.Open() && finals == 0,
		finals > 2,
		finals == 2 && !rerun:
		r.Fatalf("got %d final reports in state %s: %+v", finals, d.State, reports)
	}
}

// checkEnds lets everybody give a plain answer from here on: the deployment must end within a few
// steps.
func checkEnds(r *rapid.T, d Deployment, now time.Time) {
	for range 20 {
		if !d.State.Open() && d.StoppingSince.IsZero() {
			return
		}

		now = now.Add(time.Minute)
		next, _, err := machine.Apply(d, plainAnswer(d), now)
		if err != nil {
			r.Fatalf("%s cannot end: %v", d.State, err)
		}

		d = next
	}

	r.Fatalf("got %s after 20 plain answers, want an end", d.State)
}

// plainAnswer returns the event that brings a deployment nearer to its end.
func plainAnswer(d Deployment) Event {
	switch {
	case d.State == Waiting && d.Project.ID == "":
		return resolved
	case d.State == Waiting:
		return Start{}
	case d.State == Triggering:
		return triggered
	case d.State == Unconfirmed:
		return LookupInconclusive{Reason: "no proof"}
	default:
		p := progress("created", workflow("build", "success"))
		p.Pipeline.ID = d.Pipeline.ID
		return Polled{Progress: p}
	}
}
