package report

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// However GitHub answers, the statuses it gets keep their order, the final one comes last and once,
// and at most maxWrites come before it.
func TestMakePlan_StatusesArriveInOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		owed := rapid.IntRange(1, 25).Draw(r, "owed")
		var reports []deployment.Report
		var arrived []int

		now := t0
		for len(arrived) == 0 || arrived[len(arrived)-1] != owed {
			if len(reports) < owed {
				n := len(reports) + 1
				reports = append(reports, deployment.Report{
					Seq:         n,
					State:       deployment.GitHubInProgress,
					Description: string(rune('a' + n)),
					Final:       n == owed,
					CreatedAt:   now,
					NotBefore:   now,
					Status:      deployment.ReportPending,
				})
			}

			plan := MakePlan(reports, now)
			store(reports, plan.Changed...)
			if plan.Send == nil {
				if plan.Due.After(now) {
					now = plan.Due
				}

				continue
			}

			for _, rep := range reports {
				if rep.Tries > 0 && rep.RetryAt.After(now) {
					r.Fatalf("sent %s before its retry time", rep.RetryAt.Sub(now))
				}
			}

			answer(r, reports, plan, &arrived, now)
			now = now.Add(time.Second)
			if now.After(t0.Add(20 * time.Hour)) {
				r.Fatal("the final status was not written within 20 h")
			}
		}

		for i := 1; i < len(arrived); i++ {
			if arrived[i] <= arrived[i-1] {
				r.Fatalf("got %v, want ascending numbers", arrived)
			}
		}

		if len(arrived) > maxWrites+1 {
			r.Fatalf("got %d writes, want at most %d", len(arrived), maxWrites+1)
		}
	})
}

// answer simulates GitHub: a status arrives or not, and the answer arrives or not.
func answer(r *rapid.T, reports []deployment.Report, plan Plan, arrived *[]int, now time.Time) {
	rep := *plan.Send
	there := false
	for _, seq := range *arrived {
		there = there || seq == rep.Seq
	}

	if plan.Look {
		var statuses []deployment.Status
		if there {
			statuses = []deployment.Status{{ID: int64(rep.Seq), State: rep.State, Description: rep.Description}}
		}

		rep, _ = AfterLook(rep, statuses, 0, now)
		store(reports, rep)
		return
	}

	kind := rapid.SampledFrom([]deployment.WriteKind{
		deployment.WriteDone,
		deployment.WriteRetry,
		deployment.WriteUnknown,
	}).Draw(r, "kind")
	if kind == deployment.WriteDone || kind == deployment.WriteUnknown && rapid.Bool().Draw(r, "arrives") {
		*arrived = append(*arrived, rep.Seq)
	}

	rep, _, _ = AfterWrite(BeforeWrite(rep, now), deployment.WriteOutcome{
		Kind:     kind,
		StatusID: int64(rep.Seq),
		After:    time.Duration(rapid.IntRange(0, 60).Draw(r, "after")) * time.Second,
	}, now)

	store(reports, rep)
}

func store(reports []deployment.Report, changed ...deployment.Report) {
	for _, c := range changed {
		reports[c.Seq-1] = c
	}
}

func TestMakePlan_Choice(t *testing.T) {
	queued := deployment.Report{
		Seq:       1,
		State:     deployment.GitHubQueued,
		NotBefore: t0.Add(2 * time.Second),
		Status:    deployment.ReportPending,
	}
	running := deployment.Report{
		Seq:       2,
		State:     deployment.GitHubInProgress,
		NotBefore: t0,
		Status:    deployment.ReportPending,
	}
	runningSent := running
	runningSent.Status = deployment.ReportSent
	sameAgain := running
	sameAgain.Seq = 5
	final := deployment.Report{
		Seq:       3,
		State:     deployment.GitHubSuccess,
		Final:     true,
		NotBefore: t0,
		Status:    deployment.ReportPending,
	}
	finalAgain := deployment.Report{
		Seq:    4,
		State:  deployment.GitHubSuccess,
		Final:  true,
		Status: deployment.ReportPending,
	}
	full := deployment.Report{Seq: 4, Status: deployment.ReportFull}

	for name, c := range map[string]struct {
		reports []deployment.Report
		send    int
		changed int
		due     time.Time
	}{
		"not yet worth writing": {
			reports: []deployment.Report{queued},
			due:     t0.Add(2 * time.Second),
		},
		"superseded by running": {
			reports: []deployment.Report{queued, running},
			send:    2,
			changed: 1,
			due:     t0,
		},
		"superseded by the final one": {
			reports: []deployment.Report{queued, final},
			send:    3,
			changed: 1,
			due:     t0,
		},
		"newest before the final one first": {
			reports: []deployment.Report{running, final},
			send:    2,
			due:     t0,
		},
		"GitHub takes no more statuses": {
			reports: []deployment.Report{running, final, full},
			changed: 2,
		},
		"superseded before a crash": {
			reports: []deployment.Report{queued, runningSent, final},
			send:    3,
			changed: 1,
			due:     t0,
		},
		"same text as the last one": {
			reports: []deployment.Report{runningSent, sameAgain},
			changed: 1,
		},
		"nothing pending": {
			reports: []deployment.Report{full},
		},
		"failed, then a rerun passed": {
			reports: []deployment.Report{final, finalAgain},
			send:    4,
			changed: 1,
			due:     t0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := MakePlan(c.reports, t0)

			sent := 0
			if plan.Send != nil {
				sent = plan.Send.Seq
			}
			if sent != c.send {
				t.Errorf("send: got %d, want %d", sent, c.send)
			}
			if len(plan.Changed) != c.changed {
				t.Errorf("changed: got %d, want %d", len(plan.Changed), c.changed)
			}
			if !plan.Due.Equal(c.due) {
				t.Errorf("due: got %v, want %v", plan.Due, c.due)
			}
		})
	}
}

// What a deployment waits for may change many times; the report that it runs is written all the
// same.
func TestMakePlan_QueuedReportsLeaveWrites(t *testing.T) {
	var reports []deployment.Report
	for seq := 1; seq <= 20; seq++ {
		state := deployment.GitHubQueued
		if seq == 20 {
			state = deployment.GitHubInProgress
		}

		reports = append(reports, deployment.Report{
			Seq:         seq,
			State:       state,
			Description: fmt.Sprint(seq),
			Status:      deployment.ReportPending,
		})
		if plan := MakePlan(reports, t0); plan.Send != nil {
			done := deployment.WriteOutcome{Kind: deployment.WriteDone, StatusID: int64(seq)}
			sent, _, _ := AfterWrite(*plan.Send, done, t0)
			store(reports, append(plan.Changed, sent)...)
		}
	}

	if got := reports[19].Status; got != deployment.ReportSent {
		t.Errorf("in_progress: got %s, want %s", got, deployment.ReportSent)
	}
}

func TestMakePlan_FullLeavesNothingPending(t *testing.T) {
	reports := []deployment.Report{
		{Seq: 1, State: deployment.GitHubInProgress, Status: deployment.ReportPending},
		{Seq: 2, State: deployment.GitHubSuccess, Final: true, Status: deployment.ReportPending},
	}

	full, _, _ := AfterWrite(
		*MakePlan(reports, t0).Send,
		deployment.WriteOutcome{Kind: deployment.WriteFull},
		t0,
	)
	store(reports, full)
	store(reports, MakePlan(reports, t0).Changed...)

	if got := reports[1].Status; got != deployment.ReportFull {
		t.Errorf("final report: got %s, want %s", got, deployment.ReportFull)
	}
}

func TestAfterWrite_Status(t *testing.T) {
	for kind, want := range map[deployment.WriteKind]deployment.ReportStatus{
		deployment.WriteDone:    deployment.ReportSent,
		deployment.WriteRetry:   deployment.ReportPending,
		deployment.WriteUnknown: deployment.ReportUnknown,
		deployment.WriteFull:    deployment.ReportFull,
		deployment.WriteDropped: deployment.ReportDropped,
		deployment.WritePaced:   deployment.ReportPending,
	} {
		t.Run(string(kind), func(t *testing.T) {
			sending := BeforeWrite(deployment.Report{CreatedAt: t0}, t0)
			got, _, _ := AfterWrite(sending, deployment.WriteOutcome{Kind: kind}, t0)
			if got.Status != want {
				t.Errorf("got %s, want %s", got.Status, want)
			}
		})
	}
}

func TestAfterWrite_GivesUpAfterADay(t *testing.T) {
	pending := deployment.Report{Status: deployment.ReportPending, CreatedAt: t0}
	retry := deployment.WriteOutcome{Kind: deployment.WriteRetry}

	got, _, entry := AfterWrite(pending, retry, t0.Add(25*time.Hour))
	if got.Status != deployment.ReportUndeliverable {
		t.Errorf("got %s, want %s", got.Status, deployment.ReportUndeliverable)
	}
	if entry == nil {
		t.Error("got no line for the timeline")
	}
}

func TestAfterWrite_KeepsRetryAfter(t *testing.T) {
	tried := deployment.Report{CreatedAt: t0, Tries: 3}
	retry := deployment.WriteOutcome{Kind: deployment.WriteRetry, After: time.Hour}

	_, due, _ := AfterWrite(tried, retry, t0)
	if want := t0.Add(time.Hour); !due.Equal(want) {
		t.Errorf("got %v, want %v", due, want)
	}
}

// A write without any answer may still take effect: nothing newer is written until it is seen, or
// cannot arrive any more.
func TestAfterLook_LateWrites(t *testing.T) {
	report := deployment.Report{Seq: 1, State: deployment.GitHubInProgress, CreatedAt: t0}
	sent := BeforeWrite(report, t0)
	late, _, _ := AfterWrite(sent, deployment.WriteOutcome{Kind: deployment.WriteUnknown, Late: true}, t0)
	answered, _, _ := AfterWrite(sent, deployment.WriteOutcome{Kind: deployment.WriteUnknown}, t0)
	seen := []deployment.Status{{ID: 5, State: deployment.GitHubInProgress}}

	for name, c := range map[string]struct {
		report   deployment.Report
		statuses []deployment.Status
		after    time.Duration
		want     deployment.ReportStatus
		again    bool
	}{
		"crashed, not seen yet": {
			report: sent,
			after:  time.Second,
			want:   deployment.ReportUnknown,
			again:  true,
		},
		"no answer, not seen yet": {
			report: late,
			after:  time.Second,
			want:   deployment.ReportUnknown,
			again:  true,
		},
		"no answer, seen": {
			report:   late,
			statuses: seen,
			after:    time.Second,
			want:     deployment.ReportSent,
		},
		"no answer, too late to arrive": {
			report: late,
			after:  20 * time.Second,
			want:   deployment.ReportPending,
		},
		"answered, not there": {
			report: answered,
			after:  time.Second,
			want:   deployment.ReportPending,
		},
		"answered, there": {
			report:   answered,
			statuses: seen,
			after:    time.Second,
			want:     deployment.ReportSent,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, again := AfterLook(c.report, c.statuses, 0, t0.Add(c.after))
			if got.Status != c.want {
				t.Errorf("status: got %s, want %s", got.Status, c.want)
			}
			if !again.IsZero() != c.again {
				t.Errorf("again: got %v, want %v", again, c.again)
			}
		})
	}
}

// A report that was stored, or tried, by a clock which was hours ahead is written soon after the clock is right.
func TestMakePlan_ClockSetBack(t *testing.T) {
	const ahead = 5 * time.Hour
	pending := deployment.Report{Seq: 1, Status: deployment.ReportPending, Final: true, CreatedAt: t0, NotBefore: t0}

	stored := pending
	stored.CreatedAt, stored.NotBefore = t0.Add(ahead), t0.Add(ahead)

	failed := deployment.WriteOutcome{Kind: deployment.WriteRetry, After: time.Hour}
	retried, _, _ := AfterWrite(BeforeWrite(pending, t0.Add(ahead)), failed, t0.Add(ahead))

	unanswered := deployment.WriteOutcome{Kind: deployment.WriteUnknown, Late: true}
	unknown, _, _ := AfterWrite(BeforeWrite(pending, t0.Add(ahead)), unanswered, t0.Add(ahead))

	for name, report := range map[string]deployment.Report{
		"stored ahead":          stored,
		"tried ahead":           retried,
		"tried ahead, no reply": unknown,
	} {
		t.Run(name, func(t *testing.T) {
			now, looks := t0, 0
			for now.Before(t0.Add(time.Minute)) {
				plan := MakePlan([]deployment.Report{report}, now)
				switch {
				case plan.Send == nil && !plan.Due.After(now):
					t.Fatalf("got nothing to do and nothing due: %+v", plan)
				case plan.Send == nil:
					now = plan.Due
				case plan.Look:
					looks++
					report, now = afterLook(report, now)
				default:
					if looks > 10 {
						t.Errorf("got %d looks at GitHub, want a few", looks)
					}
					return
				}
			}

			t.Errorf("not written within a minute: %+v", report)
		})
	}
}

// afterLook is AfterLook where GitHub shows no status, and when to go on.
func afterLook(report deployment.Report, now time.Time) (deployment.Report, time.Time) {
	report, again := AfterLook(report, nil, 0, now)
	if again.IsZero() {
		return report, now
	}
	return report, again
}

// After a backup was restored GitHub may show the same text from before. It is not the status that
// was just written.
func TestAfterLook_IgnoresOlderStatuses(t *testing.T) {
	final := deployment.Report{
		State:       deployment.GitHubSuccess,
		Description: "Deployed",
		Final:       true,
		Status:      deployment.ReportUnknown,
		Tries:       1,
	}
	older := []deployment.Status{
		{ID: 5, State: deployment.GitHubSuccess, Description: "Deployed"},
		{ID: 7, State: deployment.GitHubQueued, Description: "Waiting for a lock"},
	}
	newer := append(older, deployment.Status{ID: 9, State: deployment.GitHubSuccess, Description: "Deployed"})

	if got, _ := AfterLook(final, older, 7, t0); got.Status != deployment.ReportPending {
		t.Errorf("only an older status: got %s, want %s", got.Status, deployment.ReportPending)
	}

	got, _ := AfterLook(final, newer, 7, t0)
	if got.Status != deployment.ReportSent || got.StatusID != 9 {
		t.Errorf("a newer status: got %s by status %d, want %s by 9", got.Status, got.StatusID, deployment.ReportSent)
	}
}
