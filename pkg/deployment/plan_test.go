package deployment

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// However GitHub answers, what it hears keeps its order, the end is heard last and once, and at
// most MaxWrites words come before it.
func TestReportsArriveInOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		owed := rapid.IntRange(1, 25).Draw(r, "owed")
		var reports []Report
		var heard []int
		now := t0
		for len(heard) == 0 || heard[len(heard)-1] != owed {
			if len(reports) < owed {
				n := len(reports) + 1
				reports = append(reports, Report{
					Seq:         n,
					State:       GitHubInProgress,
					Description: string(rune('a' + n)),
					Final:       n == owed,
					CreatedAt:   now,
					NotBefore:   now,
					Status:      ReportPending,
				})
			}

			plan := PlanReports(reports, now)
			apply(reports, plan.Changed...)
			if plan.Send == nil {
				if plan.Due.After(now) {
					now = plan.Due
				}

				continue
			}

			for _, rep := range reports {
				if rep.Tries > 0 && rep.RetryAt.After(now) {
					r.Fatalf("sent %s before GitHub wants to hear of it", rep.RetryAt.Sub(now))
				}
			}

			answer(r, reports, plan, &heard, now)
			if now = now.Add(time.Second); now.After(t0.Add(20 * time.Hour)) {
				r.Fatal("the end is never heard")
			}
		}

		for i := 1; i < len(heard); i++ {
			if heard[i] <= heard[i-1] {
				r.Fatalf("heard out of order or twice: %v", heard)
			}
		}

		if len(heard) > MaxWrites+1 {
			r.Fatalf("%d writes", len(heard))
		}
	})
}

// answer plays GitHub: the word arrives or not, and we learn of it or not.
func answer(r *rapid.T, reports []Report, plan ReportPlan, heard *[]int, now time.Time) {
	rep := *plan.Send
	arrived := false
	for _, h := range *heard {
		arrived = arrived || h == rep.Seq
	}

	if plan.Look {
		var statuses []Status
		if arrived {
			statuses = []Status{{ID: int64(rep.Seq), State: rep.State, Description: rep.Description}}
		}

		rep, _ = AfterLook(rep, statuses, 0, now)
		apply(reports, rep)
		return
	}

	kind := rapid.SampledFrom([]WriteKind{WriteDone, WriteRetry, WriteUnknown}).Draw(r, "kind")
	if kind == WriteDone || kind == WriteUnknown && rapid.Bool().Draw(r, "arrives") {
		*heard = append(*heard, rep.Seq)
	}

	rep, _, _ = AfterWrite(BeforeWrite(rep, now), WriteOutcome{
		Kind:     kind,
		StatusID: int64(rep.Seq),
		After:    time.Duration(rapid.IntRange(0, 60).Draw(r, "after")) * time.Second,
	}, now)

	apply(reports, rep)
}

func apply(reports []Report, changed ...Report) {
	for _, c := range changed {
		reports[c.Seq-1] = c
	}
}

func TestPlanReports(t *testing.T) {
	queued := Report{Seq: 1, State: GitHubQueued, NotBefore: t0.Add(2 * time.Second), Status: ReportPending}
	running := Report{Seq: 2, State: GitHubInProgress, NotBefore: t0, Status: ReportPending}
	end := Report{Seq: 3, State: GitHubSuccess, Final: true, NotBefore: t0, Status: ReportPending}
	full := Report{Seq: 4, Status: ReportFull}
	sent := func(r Report) Report { r.Status = ReportSent; return r }
	for name, c := range map[string]struct {
		reports []Report
		send    int
		changed int
		due     time.Time
	}{
		"not yet worth it":         {[]Report{queued}, 0, 0, queued.NotBefore},
		"overtaken by running":     {[]Report{queued, running}, 2, 1, t0},
		"overtaken by the end":     {[]Report{queued, end}, 3, 1, t0},
		"newest before, then end":  {[]Report{running, end}, 2, 0, t0},
		"no more statuses":         {[]Report{running, end, full}, 0, 2, time.Time{}},
		"overtaken before a crash": {[]Report{queued, sent(running), end}, 3, 1, t0},
		"said already": {
			[]Report{sent(running), {Seq: 5, State: GitHubInProgress, NotBefore: t0, Status: ReportPending}},
			0,
			1,
			time.Time{},
		},
		"nothing owed": {[]Report{full}, 0, 0, time.Time{}},
		"failed, then rerun passed": {
			[]Report{end, {Seq: 4, State: GitHubSuccess, Final: true, Status: ReportPending}},
			4,
			1,
			t0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := PlanReports(c.reports, t0)
			sent := 0
			if plan.Send != nil {
				sent = plan.Send.Seq
			}
			if sent != c.send || len(plan.Changed) != c.changed || !plan.Due.Equal(c.due) {
				t.Errorf("send %d, %d changed, due %v", sent, len(plan.Changed), plan.Due)
			}
		})
	}
}

func TestAfterWrite(t *testing.T) {
	for kind, want := range map[WriteKind]ReportStatus{
		WriteDone:    ReportSent,
		WriteRetry:   ReportPending,
		WriteUnknown: ReportUnknown,
		WriteFull:    ReportFull,
		WriteDropped: ReportDropped,
		WritePaced:   ReportPending,
	} {
		r, _, _ := AfterWrite(BeforeWrite(Report{CreatedAt: t0}, t0), WriteOutcome{Kind: kind}, t0)
		if r.Status != want {
			t.Errorf("%s: %s, want %s", kind, r.Status, want)
		}

		r, _, note := AfterWrite(Report{
			Status:    ReportPending,
			CreatedAt: t0,
		}, WriteOutcome{
			Kind: kind,
		}, t0.Add(25*time.Hour))

		if kind == WriteRetry && (r.Status != ReportUndeliverable || note == nil) {
			t.Errorf("%s for a day: %s", kind, r.Status)
		}
	}

	if _, due, _ := AfterWrite(Report{
		CreatedAt: t0,
		Tries:     3,
	}, WriteOutcome{
		Kind:  WriteRetry,
		After: time.Hour,
	}, t0); !due.Equal(t0.Add(time.Hour)) {
		t.Errorf("Retry-After is not honoured: %v", due)
	}
}

// A write without any answer may still take effect: nothing newer is sent until it is seen, or
// cannot come any more.
func TestLateWrites(t *testing.T) {
	sent := BeforeWrite(Report{Seq: 1, State: GitHubInProgress, CreatedAt: t0}, t0)
	late, _, _ := AfterWrite(sent, WriteOutcome{Kind: WriteUnknown, Late: true}, t0)
	answered, _, _ := AfterWrite(sent, WriteOutcome{Kind: WriteUnknown}, t0)
	seen := []Status{{ID: 5, State: GitHubInProgress}}
	for name, c := range map[string]struct {
		r        Report
		statuses []Status
		after    time.Duration
		want     ReportStatus
		again    bool
	}{
		"crashed, not seen yet":   {sent, nil, time.Second, ReportUnknown, true},
		"no answer, not seen yet": {late, nil, time.Second, ReportUnknown, true},
		"no answer, seen":         {late, seen, time.Second, ReportSent, false},
		"no answer, too late":     {late, nil, lateFor, ReportPending, false},
		"answered, not there":     {answered, nil, time.Second, ReportPending, false},
		"answered, there":         {answered, seen, time.Second, ReportSent, false},
	} {
		if got, again := AfterLook(c.r, c.statuses, 0, t0.Add(c.after)); got.Status != c.want ||
			again.IsZero() == c.again {
			t.Errorf("%s: %s, again at %v", name, got.Status, again)
		}
	}
}

func TestStrangers(t *testing.T) {
	ours := Report{State: GitHubQueued, Description: "d", Status: ReportUnknown, Tries: 1}
	sent := Report{State: GitHubInProgress, Status: ReportSent, StatusID: 5, Tries: 1}
	statuses := []Status{
		{ID: 4, State: GitHubQueued, Description: "d"},
		{ID: 5, State: GitHubInProgress},
		{ID: 6, State: GitHubSuccess},
	}

	if got := UnknownStatuses(statuses, []Report{ours, sent}); len(got) != 1 || got[0].ID != 6 {
		t.Errorf("got %+v", got)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{"a\nb\x00c": "a b c", " x ": "x", "😀 ok": "ok", "ünï": "ünï"} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

// Ten changes of what it waits for leave room for what happens then.
func TestQueuedWordsLeaveRoom(t *testing.T) {
	var reports []Report
	for seq := 1; seq <= 20; seq++ {
		state := GitHubQueued
		if seq == 20 {
			state = GitHubInProgress
		}

		reports = append(reports, Report{Seq: seq, State: state, Description: fmt.Sprint(seq), Status: ReportPending})
		if plan := PlanReports(reports, t0); plan.Send != nil {
			sent, _, _ := AfterWrite(*plan.Send, WriteOutcome{Kind: WriteDone, StatusID: int64(seq)}, t0)
			apply(reports, append(plan.Changed, sent)...)
		}
	}

	if last := reports[19]; last.Status != ReportSent {
		t.Errorf("in_progress was %s", last.Status)
	}
}

// When GitHub takes no more statuses, nothing stays owed.
func TestFullLeavesNothingOwed(t *testing.T) {
	reports := []Report{
		{Seq: 1, State: GitHubInProgress, Status: ReportPending},
		{Seq: 2, State: GitHubSuccess, Final: true, Status: ReportPending},
	}

	full, _, _ := AfterWrite(*PlanReports(reports, t0).Send, WriteOutcome{Kind: WriteFull}, t0)
	apply(reports, full)
	apply(reports, PlanReports(reports, t0).Changed...)
	if reports[1].Status != ReportFull {
		t.Errorf("the end is %s", reports[1].Status)
	}
}

// After a backup was restored GitHub may show the same word from before: it is not the one that was
// just written.
func TestOlderWordIsAnother(t *testing.T) {
	end := Report{State: GitHubSuccess, Description: "Deployed", Final: true, Status: ReportUnknown, Tries: 1}
	statuses := []Status{
		{ID: 5, State: GitHubSuccess, Description: "Deployed"},
		{ID: 7, State: GitHubQueued, Description: "Waiting for a lock"},
	}

	if got, _ := AfterLook(end, statuses, 7, t0); got.Status != ReportPending {
		t.Errorf("the end is %s, though GitHub shows something newer", got.Status)
	}

	if got, _ := AfterLook(end, append(statuses, Status{
		ID:          9,
		State:       GitHubSuccess,
		Description: "Deployed",
	}), 7, t0); got.Status != ReportSent || got.StatusID != 9 {
		t.Errorf("the end is %s by status %d", got.Status, got.StatusID)
	}
}
