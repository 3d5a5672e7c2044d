package deployment

import (
	"cmp"
	"time"
)

// applyPolledAfterEnd takes a look at the pipeline of a deployment that has ended: first until its
// workflows have ended too, then for a rerun that succeeds.
func applyPolledAfterEnd(t *transition, e Polled) bool {
	if !t.recordPoll(e.Progress) {
		return false
	}

	t.StepDue = time.Time{}
	if !t.StoppingSince.IsZero() {
		t.checkStopped(e.Progress)
	}
	if t.StoppingSince.IsZero() && !t.RerunUntil.IsZero() {
		t.checkRerun(e)
	}

	return true
}

// checkStopped frees the slot when every workflow has ended, or after stopGrace with a warning.
func (t *transition) checkStopped(p Progress) {
	waited := t.now.Sub(t.StoppingSince)
	mayStart := waited < t.WorkflowGrace && FoldPipeline(p).Kind == FoldQuiet // workflows may still show up
	compiling := len(p.Workflows) == 0 && configPending(p.Pipeline.State)
	active := mayStart || compiling || len(ActiveWorkflows(p)) > 0

	if active && waited < stopGrace {
		t.dueIn(min(t.stopPollInterval(waited), stopGrace-waited))
		return
	}

	if active {
		t.note(
			"warning",
			"CircleCI still shows active workflows %s after the cancel; the environment is freed anyway",
			stopGrace,
		)
	}

	t.StoppingSince = time.Time{}
}

// stopPollInterval returns how often to poll so long after a cancel. At first it is every second,
// because a workflow that starts only now must not get far.
func (t *transition) stopPollInterval(waited time.Duration) time.Duration {
	if waited < fastStopPoll {
		return min(t.PollMin, time.Second)
	}
	return t.PollMin
}

// checkRerun lets a rerun of the same pipeline that succeeds turn Failed into Succeeded, once. It
// stops looking when a newer deployment of the environment has started, and when rerunWindow is over.
// The poll that is due at its end may be late by rerunSlack.
func (t *transition) checkRerun(e Polled) {
	if e.NewerStarted || t.now.Sub(t.RerunUntil) > rerunSlack {
		t.RerunUntil = time.Time{}
		return
	}

	fold := FoldPipeline(e.Progress)
	if fold.Kind == FoldEnded && fold.State == Succeeded && t.builtAsAsked(e.Progress.Pipeline) {
		t.RerunUntil = time.Time{}
		t.Reason = "Deployed by a rerun"
		t.moveTo(Succeeded)
		t.EndedAt = t.now
		t.reportFinal(t.pipelineURL())
		return
	}

	if !t.now.Before(t.RerunUntil) {
		t.RerunUntil = time.Time{}
		return
	}

	pause := max(t.now.Sub(t.EndedAt)/4, time.Minute)
	t.dueIn(min(pause, 30*time.Minute, t.RerunUntil.Sub(t.now)))
}

// builtAsAsked says whether the pipeline is known to have built the commit that was asked for, or need
// not have.
func (t *transition) builtAsAsked(p PipelineFacts) bool {
	built := cmp.Or(t.Pipeline.Revision, p.Revision)
	return t.Target.Revision != RevisionStrict || built == t.Request.SHA
}

// applyPollFailedAfterEnd tries again later while there is something to find out. It frees the slot
// after stopGrace, or when the pipeline is gone, and then looks for no rerun either.
func applyPollFailedAfterEnd(t *transition, e PollFailed) bool {
	if t.Pipeline == nil {
		return false
	}

	t.StepDue = time.Time{}
	if t.StoppingSince.IsZero() && t.RerunUntil.IsZero() {
		return true
	}

	t.recordPollFailure(e)
	gone := t.pipelineGone(e)
	if !t.StoppingSince.IsZero() && (gone || t.now.Sub(t.StoppingSince) >= stopGrace) {
		t.noteUnansweredStop()
		t.StoppingSince = time.Time{}
	}
	if gone || !t.now.Before(t.RerunUntil) {
		t.RerunUntil = time.Time{}
	}
	if t.StoppingSince.IsZero() && t.RerunUntil.IsZero() {
		t.StepDue = time.Time{}
	}

	return true
}
