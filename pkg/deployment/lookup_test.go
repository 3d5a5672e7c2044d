package deployment

import (
	"slices"
	"testing"
	"time"
)

// newUnconfirmed returns a deployment whose trigger was not answered, after three look-ups.
func newUnconfirmed(t *testing.T, carriesKey bool) Deployment {
	d := newWaiting()
	d.Target.CarriesKey = carriesKey
	d, _ = applyAll(t, d, t0, resolved, start, TriggerUnknown{Cause: "reset"})
	d.Polls = 3
	return d
}

// seenPipeline returns a pipeline that our user started on the deployment's commit of main, so long
// after the attempt.
func seenPipeline(id string, after time.Duration, change ...func(*PipelineFacts)) PipelineFacts {
	p := PipelineFacts{
		ID:          id,
		State:       "created",
		TriggerType: "api",
		ActorLogin:  "bot",
		Branch:      "main",
		Revision:    testSHA,
		CreatedAt:   t0.Add(after),
	}

	for _, c := range change {
		c(&p)
	}

	return p
}

func TestMachine_EvaluateLookup(t *testing.T) {
	var (
		deadline     = t0.Add(SendWindow + machine.TriggerTimeout + machine.LookupGrace)
		early        = t0.Add(10 * time.Second)
		afterwards   = deadline.Add(time.Second)
		muchLater    = deadline.Add(machine.LookupGrace + time.Second)
		control      = Control{PipelineID: "control", ShowsKey: true}
		controlFacts = seenPipeline("control", -time.Hour)
	)

	broken := func(p *PipelineFacts) { p.State = "errored" }
	pending := func(p *PipelineFacts) { p.State = "pending" }
	ofBranch := func(name string) func(*PipelineFacts) { return func(p *PipelineFacts) { p.Branch = name } }

	// complete returns lists that were read to the end, show the control and some pipelines.
	complete := func(list ...PipelineFacts) Listing {
		list = append(list, controlFacts)
		return Listing{Mine: list, Project: list, MineComplete: true, ProjectComplete: true, Me: "bot"}
	}

	known := map[string]KnownPipeline{
		"control": {Row: 9},
		"taken":   {Row: 8},
		"old":     {Unclaimed: true},
	}

	for name, tt := range map[string]struct {
		withoutKey bool
		listing    Listing
		evidence   map[string]KeyEvidence
		control    Control
		failure    string // what CircleCI did not answer
		now        time.Time
		want       string
	}{
		"key found": {
			listing:  complete(seenPipeline("p2", 2*time.Second), seenPipeline("p1", time.Second)),
			evidence: map[string]KeyEvidence{"p1": KeyFound, "p2": KeyAbsent},
			control:  control,
			now:      early,
			want:     "found p1",
		},
		"key found twice: the older is adopted": {
			listing:  complete(seenPipeline("p2", 2*time.Second), seenPipeline("p1", time.Second)),
			evidence: map[string]KeyEvidence{"p1": KeyFound, "p2": KeyFound},
			control:  control,
			now:      early,
			want:     "found p1 duplicate p2",
		},
		"key found in a pipeline that was left alone before": {
			listing:  complete(seenPipeline("old", time.Second)),
			evidence: map[string]KeyEvidence{"old": KeyFound},
			control:  control,
			now:      early,
			want:     "found old",
		},
		"key found, and the rest could not be read": {
			listing:  Listing{Mine: []PipelineFacts{seenPipeline("p1", time.Second)}},
			evidence: map[string]KeyEvidence{"p1": KeyFound},
			control:  control,
			failure:  "CircleCI answered 503",
			now:      early,
			want:     "found p1",
		},
		"one pipeline matches, and another one could not be asked": {
			listing:  complete(seenPipeline("p1", time.Second), seenPipeline("p2", time.Second)),
			evidence: map[string]KeyEvidence{"p1": KeyUnreadable},
			control:  control,
			failure:  "CircleCI answered 503",
			now:      muchLater,
			want:     "lookup_pending",
		},
		"only a pipeline without the key, and the control could not be asked": {
			listing:  complete(seenPipeline("p1", time.Second)),
			evidence: map[string]KeyEvidence{"p1": KeyAbsent},
			control:  Control{PipelineID: "control"},
			failure:  "CircleCI answered 503",
			now:      muchLater,
			want:     "lookup_pending",
		},
		"no key: one pipeline matches, and the lists could not be read to the end": {
			withoutKey: true,
			listing:    Listing{Mine: []PipelineFacts{seenPipeline("p1", time.Second)}},
			failure:    "CircleCI answered 503",
			now:        afterwards,
			want:       "lookup_pending",
		},
		"unreadable, and left alone before": {
			listing: complete(seenPipeline("old", time.Second)),
			control: control,
			now:     afterwards,
			want:    "lookup_absent",
		},
		"no pipeline before the deadline": {
			listing: complete(),
			control: control,
			now:     early,
			want:    "lookup_pending",
		},
		"no pipeline after the deadline": {
			listing: complete(),
			control: control,
			now:     afterwards,
			want:    "lookup_absent",
		},
		"only a pipeline without the key": {
			listing:  complete(seenPipeline("p1", time.Second)),
			evidence: map[string]KeyEvidence{"p1": KeyAbsent, "p2": KeyAbsent},
			control:  control,
			now:      afterwards,
			want:     "lookup_absent",
		},
		"only a pipeline of another deployment": {
			listing: complete(seenPipeline("taken", time.Second)),
			control: control,
			now:     afterwards,
			want:    "lookup_absent",
		},
		"only a pipeline that a push started": {
			listing: complete(seenPipeline("p3", time.Second, func(p *PipelineFacts) { p.TriggerType = "webhook" })),
			control: control,
			now:     afterwards,
			want:    "lookup_absent",
		},
		"only a pipeline of another user": {
			listing: complete(seenPipeline("p3", time.Second, func(p *PipelineFacts) { p.ActorLogin = "alice" })),
			control: control,
			now:     afterwards,
			want:    "lookup_absent",
		},
		"the control is not shown": {
			listing: Listing{MineComplete: true, ProjectComplete: true},
			control: control,
			now:     afterwards,
			want:    "lookup_pending",
		},
		"the control is never shown": {
			listing: Listing{MineComplete: true, ProjectComplete: true},
			control: control,
			now:     muchLater,
			want:    "lookup_inconclusive",
		},
		"the list of our user is always empty": {
			listing: Listing{Project: []PipelineFacts{controlFacts}, MineComplete: true, ProjectComplete: true},
			control: control,
			now:     afterwards,
			want:    "lookup_absent",
		},
		"no control, and the project's list is complete": {
			listing: Listing{ProjectComplete: true},
			now:     afterwards,
			want:    "lookup_absent",
		},
		"no control, and only the list of our user is complete": {
			listing: Listing{MineComplete: true},
			now:     muchLater,
			want:    "lookup_pending",
		},
		"the list of our user lacks the control, and the project's could not be read": {
			listing: Listing{MineComplete: true},
			control: control,
			now:     muchLater,
			want:    "lookup_pending",
		},
		"the lists could not be read": {
			listing: Listing{},
			control: control,
			now:     muchLater,
			want:    "lookup_pending",
		},
		"the configuration does not use the key": {
			listing:  complete(seenPipeline("p1", time.Second)),
			evidence: map[string]KeyEvidence{"p1": KeyAbsent, "p2": KeyAbsent},
			control:  Control{PipelineID: "control"},
			now:      muchLater,
			want:     "lookup_inconclusive",
		},
		"the configuration is not compiled yet": {
			listing:  complete(seenPipeline("p1", time.Second, func(p *PipelineFacts) { p.State = "pending" })),
			evidence: map[string]KeyEvidence{"p1": KeyAbsent, "p2": KeyAbsent},
			control:  control,
			now:      afterwards,
			want:     "lookup_pending",
		},
		"unreadable: one pipeline matches": {
			listing:  complete(seenPipeline("p1", time.Second)),
			evidence: map[string]KeyEvidence{"p1": KeyUnreadable},
			control:  control,
			now:      afterwards,
			want:     "found p1",
		},
		"unreadable: one pipeline of another branch": {
			listing:  complete(seenPipeline("p1", time.Second, func(p *PipelineFacts) { p.Branch = "dev" })),
			evidence: map[string]KeyEvidence{"p1": KeyUnreadable},
			control:  control,
			now:      muchLater,
			want:     "lookup_inconclusive",
		},
		"unreadable: two pipelines match": {
			listing:  complete(seenPipeline("p1", time.Second), seenPipeline("p2", time.Second)),
			evidence: map[string]KeyEvidence{"p1": KeyUnreadable, "p2": KeyUnreadable},
			control:  control,
			now:      muchLater,
			want:     "lookup_inconclusive",
		},
		"not compiled: one pipeline matches": {
			listing:  complete(seenPipeline("p1", time.Second, broken), seenPipeline("p2", time.Second)),
			evidence: map[string]KeyEvidence{"p1": KeyNotCompiled, "p2": KeyAbsent},
			control:  control,
			now:      afterwards,
			want:     "found p1",
		},
		"not compiled: one pipeline of another branch": {
			listing:  complete(seenPipeline("p1", time.Second, broken, ofBranch("dev"))),
			evidence: map[string]KeyEvidence{"p1": KeyNotCompiled},
			control:  control,
			now:      afterwards,
			want:     "lookup_absent",
		},
		"not compiled: one pipeline matches, one of another branch does not": {
			listing:  complete(seenPipeline("p1", time.Second, broken), seenPipeline("p2", 0, broken, ofBranch("dev"))),
			evidence: map[string]KeyEvidence{"p1": KeyNotCompiled, "p2": KeyNotCompiled},
			now:      afterwards,
			want:     "found p1",
		},
		"not compiled: two pipelines match": {
			listing:  complete(seenPipeline("p1", time.Second, broken), seenPipeline("p2", time.Second, broken)),
			evidence: map[string]KeyEvidence{"p1": KeyNotCompiled, "p2": KeyNotCompiled},
			control:  control,
			now:      muchLater,
			want:     "lookup_inconclusive",
		},
		"not compiled, and left alone before": {
			listing:  complete(seenPipeline("old", time.Second, broken)),
			evidence: map[string]KeyEvidence{"old": KeyNotCompiled},
			control:  control,
			now:      afterwards,
			want:     "lookup_absent",
		},
		"not compiled yet: one pipeline of another branch": {
			listing:  complete(seenPipeline("p1", time.Second, ofBranch("dev"), pending)),
			evidence: map[string]KeyEvidence{"p1": KeyNotCompiled},
			control:  control,
			now:      muchLater,
			want:     "lookup_inconclusive",
		},
		"errored after it was compiled, and no control shows its key": {
			listing:  complete(seenPipeline("p1", time.Second, broken, ofBranch("dev"))),
			evidence: map[string]KeyEvidence{"p1": KeyAbsent},
			control:  Control{PipelineID: "control"},
			now:      muchLater,
			want:     "lookup_inconclusive",
		},
		"errored and unreadable: one pipeline of another branch": {
			listing:  complete(seenPipeline("p1", time.Second, broken, ofBranch("dev"))),
			evidence: map[string]KeyEvidence{"p1": KeyUnreadable},
			control:  control,
			now:      muchLater,
			want:     "lookup_inconclusive",
		},
		"another deployment's key is shown": {
			listing:  complete(seenPipeline("p1", time.Second)),
			evidence: map[string]KeyEvidence{"p1": KeyOther},
			control:  control,
			now:      afterwards,
			want:     "lookup_absent",
		},
		"no key: one pipeline matches": {
			withoutKey: true,
			listing:    complete(seenPipeline("p1", time.Second)),
			control:    control,
			now:        early,
			want:       "found p1",
		},
		"no key: two pipelines match": {
			withoutKey: true,
			listing:    complete(seenPipeline("p1", time.Second), seenPipeline("p2", time.Second)),
			control:    control,
			now:        afterwards,
			want:       "lookup_inconclusive",
		},
		"no key: another commit": {
			withoutKey: true,
			listing:    complete(seenPipeline("p1", time.Second, func(p *PipelineFacts) { p.Revision = otherSHA })),
			control:    control,
			now:        afterwards,
			want:       "lookup_inconclusive",
		},
		"no key: long before the attempt": {
			withoutKey: true,
			listing:    complete(seenPipeline("p1", -5*time.Minute)),
			control:    control,
			now:        afterwards,
			want:       "lookup_inconclusive",
		},
		"no key: a second one is older than the window": {
			withoutKey: true,
			listing:    complete(seenPipeline("p2", time.Second), seenPipeline("p1", -11*time.Minute)),
			control:    control,
			now:        early,
			want:       "found p2",
		},
		"no key: CircleCI's clock is 10 min behind": {
			withoutKey: true,
			listing: Listing{
				Mine:         []PipelineFacts{seenPipeline("p1", -10*time.Minute)},
				MineComplete: true,
				Offset:       -10 * time.Minute,
			},
			control: control,
			now:     early,
			want:    "found p1",
		},
		"no key: no pipeline": {
			withoutKey: true,
			listing:    complete(),
			control:    control,
			now:        afterwards,
			want:       "lookup_inconclusive",
		},
		"no key: a pipeline that was left alone before": {
			withoutKey: true,
			listing:    complete(seenPipeline("old", time.Second)),
			control:    control,
			now:        afterwards,
			want:       "lookup_inconclusive",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newUnconfirmed(t, !tt.withoutKey)
			l := Lookup{
				Listing:  tt.listing,
				Known:    known,
				Evidence: tt.evidence,
				Control:  tt.control,
				Failure:  tt.failure,
			}
			event := machine.EvaluateLookup(d, l, tt.now)

			got := event.event()
			if found, ok := event.(LookupFound); ok {
				got = "found " + found.Pipeline.ID
				for _, id := range found.Duplicates {
					got += " duplicate " + id
				}
			}

			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// What an attempt that ended in doubt may have started makes no later deployment's attempt doubtful.
func TestMachine_DoubtIsNotRepeated(t *testing.T) {
	muchLater := t0.Add(SendWindow + machine.TriggerTimeout + 2*machine.LookupGrace + time.Second)
	unreadable := []PipelineFacts{seenPipeline("p1", time.Second), seenPipeline("p2", 2*time.Second)}
	listing := Listing{Mine: unreadable, Project: unreadable, MineComplete: true, ProjectComplete: true, Me: "bot"}

	for _, tt := range []struct {
		name       string
		carriesKey bool
	}{
		{name: "with a key", carriesKey: true},
		{name: "without a key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newUnconfirmed(t, tt.carriesKey)
			event := machine.EvaluateLookup(d, Lookup{Listing: listing}, muchLater)
			_, changes, err := machine.Apply(d, event, muchLater)
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{"p1", "p2"}; !slices.Equal(changes.Unclaimed, want) {
				t.Errorf("after %s: got %v unclaimed, want %v", event.event(), changes.Unclaimed, want)
			}
		})
	}
}

// A pipeline that came too late may have no workflow to cancel yet, so it is looked for again soon.
// Each duplicate is noted once.
func TestMachine_WatchesForDuplicates(t *testing.T) {
	d, _ := applyAll(t, newRunning(t), t0, polled("created", workflow("build", "success")))
	d.Target.CarriesKey = true

	orphaned := t0.Add(time.Minute)
	d, _ = applyAll(t, d, orphaned, PipelineOrphaned{PipelineID: "late"})
	if want := orphaned.Add(3 * time.Second); !d.DuplicateDue.Equal(want) {
		t.Fatalf("got the next look at %s, want %s", d.DuplicateDue, want)
	}

	now := d.DuplicateDue
	d, changes := applyOne(t, d, now, DuplicatesChecked{Duplicates: []string{"late"}})
	if len(changes.Timeline) != 0 {
		t.Errorf("got %v on the timeline, want nothing: it was noted before", changes.Timeline)
	}
	if want := now.Add(30 * time.Second); !d.DuplicateDue.Equal(want) {
		t.Errorf("got the next look at %s, want %s", d.DuplicateDue, want)
	}

	d, changes = applyOne(t, d, d.DuplicateDue, DuplicatesChecked{Duplicates: []string{"late", "another"}})
	if len(changes.Timeline) != 1 {
		t.Errorf("got %v on the timeline, want one line", changes.Timeline)
	}
	if want := []string{"late", "another"}; !slices.Equal(d.Duplicates, want) {
		t.Errorf("got duplicates %v, want %v", d.Duplicates, want)
	}
}

// Only a pipeline that was adopted without proof can turn out to be another deployment's.
func TestMachine_PipelineReassigned(t *testing.T) {
	for _, tt := range []struct {
		by      string
		refused bool
	}{
		{by: ByWindow, refused: false},
		{by: ByAnswer, refused: true},
		{by: ByKey, refused: true},
		{by: ByClaim, refused: true},
	} {
		t.Run(tt.by, func(t *testing.T) {
			d := newRunning(t)
			d.Pipeline.By = tt.by
			next, _, err := machine.Apply(d, PipelineReassigned{}, t0)
			if refused := err != nil; refused != tt.refused {
				t.Fatalf("refused: got %v (%v), want %v", refused, err, tt.refused)
			}
			if !tt.refused && (next.State != Unconfirmed || next.Pipeline != nil) {
				t.Errorf("got %s with pipeline %+v, want unconfirmed without one", next.State, next.Pipeline)
			}
		})
	}
}
