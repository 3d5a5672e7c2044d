package deployment

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func applyLookupFound(t *transition, e LookupFound) bool {
	t.setOutcome("found by " + e.By)
	t.adopt(e.Pipeline, e.By)
	if len(e.Duplicates) > 0 {
		t.noteDuplicates(e.Duplicates)
		t.watchForDuplicates()
		t.DuplicateDue = t.now
	}

	return true
}

// maxRefusals is how many refusals without CircleCI's own message are believed, where a look-up showed
// each time that nothing was started. The first one may be that of a proxy for a moment.
const maxRefusals = 2

// applyLookupAbsent makes the deployment wait for another attempt, unless the start timeout is over or
// the answer was a refusal again.
func applyLookupAbsent(t *transition, e LookupAbsent) bool {
	t.setOutcome("absent")
	t.changes.Unclaimed = e.Unclaimed
	t.Retriggers++
	t.note("absent", "CircleCI shows no pipeline for attempt %d", t.LastAttempt().Number)

	if t.Refusals >= maxRefusals {
		t.end(Errored, withCause("CircleCI started nothing", t.LastFailure), "")
		t.watchForDuplicates()
		return true
	}

	if t.now.Sub(t.FirstSince) >= t.StartTimeout {
		t.end(Errored, withCause(fmt.Sprintf("CircleCI did not start it within %s", t.StartTimeout), t.LastFailure), "")
		t.watchForDuplicates()
		return true
	}

	t.moveTo(Waiting)
	t.StepDue = t.now
	return true
}

// applyLookupPending looks again with growing pauses. Without an answer from CircleCI for
// answerTimeout after the deadline, the look-up counts as inconclusive.
func applyLookupPending(t *transition, e LookupPending) bool {
	t.changes.Unclaimed = e.Unclaimed
	t.Polls++
	if t.now.Sub(t.lookupDeadline()) > answerTimeout {
		return applyLookupInconclusive(t, LookupInconclusive{Reason: e.Cause, Unclaimed: e.Unclaimed})
	}

	t.dueIn(min(Backoff(t.Polls, 15*time.Second), t.untilLookupDeadline()))
	return true
}

// untilLookupDeadline returns how long a look-up may pause without missing its deadline.
func (t *transition) untilLookupDeadline() time.Duration {
	if left := t.lookupDeadline().Sub(t.now); left > 0 {
		return left + 10*time.Millisecond
	}
	return 15 * time.Second
}

func applyLookupInconclusive(t *transition, e LookupInconclusive) bool {
	t.changes.Unclaimed = e.Unclaimed
	t.setOutcome("in doubt")
	t.note("doubt", "%s", clean(e.Reason))
	reason := "CircleCI may have started it: look at " + t.projectURL()
	if t.LastFailure != "" {
		reason += " (" + t.LastFailure + ")"
	}

	t.end(Errored, reason, t.projectURL())
	if t.Target.CarriesKey {
		t.watchForDuplicates()
	}

	return true
}

// watchForLatePipeline watches for a pipeline that an attempt which was given up may still bring.
// Without a key in the parameters it could not be distinguished from others.
func (t *transition) watchForLatePipeline() {
	if len(t.Attempts) > 0 && t.Target.CarriesKey {
		t.watchForDuplicates()
	}
}

// watchForDuplicates begins to look for pipelines that carry the deployment's key a second time.
func (t *transition) watchForDuplicates() {
	t.DuplicateUntil = t.now.Add(duplicateWatch)
	t.DuplicateDue = t.now.Add(duplicateInterval)
}

func applyDuplicatesChecked(t *transition, e DuplicatesChecked) bool {
	t.DuplicateDue = t.now.Add(duplicateInterval)
	if t.noteDuplicates(e.Duplicates) {
		t.DuplicateDue = t.now.Add(duplicateRetry) // a workflow that had not begun yet could not be canceled
	}

	if !t.now.Before(t.DuplicateUntil) {
		t.DuplicateDue, t.DuplicateUntil = time.Time{}, time.Time{}
	}

	return true
}

// noteDuplicates notes each duplicate once, and says whether there was a new one.
func (t *transition) noteDuplicates(ids []string) bool {
	noted := func(id string) bool { return slices.Contains(t.Duplicates, id) }
	found := slices.DeleteFunc(slices.Clone(ids), noted)
	if len(found) == 0 {
		return false
	}

	t.Duplicates = append(slices.Clip(t.Duplicates), found...)
	t.note("twin", "canceled duplicate pipelines with this deployment's key: %s", strings.Join(found, ", "))
	return true
}

// applyPipelineOrphaned notes the pipeline and watches for it: while it has no workflow yet there is
// nothing to cancel. An unconfirmed deployment needs no watch, because its look-up sees the
// pipeline.
func applyPipelineOrphaned(t *transition, e PipelineOrphaned) bool {
	t.note("stray", "canceled pipeline %s, which came too late for this deployment", e.PipelineID)
	t.Duplicates = append(slices.Clip(t.Duplicates), e.PipelineID)
	if t.Target.CarriesKey && t.State != Unconfirmed {
		t.watchForDuplicates()
		t.DuplicateDue = t.now.Add(duplicateRetry)
	}

	return true
}

// applyClaimed adopts the pipeline whose job presented the key. A deployment that was never
// triggered has no pipeline to claim it.
func applyClaimed(t *transition, e Claimed) bool {
	if len(t.Attempts) == 0 {
		return false
	}
	t.setOutcome("claimed")
	t.adopt(PipelineFacts{ID: e.PipelineID}, ByClaim)
	t.stopClaimingJob()
	return true
}

// applyClaimedAgain lets jobs of the deployment's own pipeline go on, unless it is being stopped. It
// refuses every other pipeline.
func applyClaimedAgain(t *transition, e Claimed) bool {
	if !t.isOwn(e) {
		return false
	}
	t.stopClaimingJob()
	return true
}

// isOwn says whether the claim is of the deployment's own pipeline, and the pipeline is not being stopped.
func (t *transition) isOwn(e Claimed) bool {
	return t.Pipeline != nil && t.Pipeline.ID == e.PipelineID && t.StoppingSince.IsZero()
}

// stopClaimingJob notes, once, that a job has claimed a deployment that is being canceled. Its claim is answered with
// ErrClaimCanceled, so that nothing more is deployed between the request to cancel and its effect.
func (t *transition) stopClaimingJob() {
	if t.Cancel == nil || t.Cancel.StoppedJob {
		return
	}

	cancel := *t.Cancel
	cancel.StoppedJob = true
	t.Cancel = &cancel
	t.note("claim", "refused a job of pipeline %s, because of the cancel", t.Pipeline.ID)
}

// applyClaimedAfterEnd lets jobs of the deployment's own pipeline go on after its end where their result is
// still the deployment's: after a success, and after a failure while a rerun can turn it into one. A pipeline that
// was refused or canceled must not deploy because somebody runs it again, nor one that failed before a cancel took
// effect.
func applyClaimedAfterEnd(t *transition, e Claimed) bool {
	rerun := t.now.Before(t.RerunUntil) && !e.NewerStarted && t.Cancel == nil
	return (t.State == Succeeded || rerun) && t.isOwn(e)
}

// applyPipelineReassigned gives the pipeline up and looks for the right one. Only a pipeline that
// was adopted without proof can be another deployment's.
func applyPipelineReassigned(t *transition, _ PipelineReassigned) bool {
	if t.Pipeline == nil || t.Pipeline.By != ByWindow {
		return false
	}

	t.note("displaced", "pipeline %s was proven to belong to another deployment", t.Pipeline.ID)
	t.Pipeline, t.StartedAt = nil, time.Time{}
	t.DuplicateUntil, t.DuplicateDue = time.Time{}, time.Time{} // the look-up looks for the key anyway
	t.moveTo(Unconfirmed)
	t.StepDue = t.now
	return true
}
