package deployment

import (
	"fmt"
	"time"
)

// applyPolled takes a look at the pipeline of a running or held deployment. It ends the deployment
// when the pipeline has ended, was built from the wrong commit, or has taken too long.
func applyPolled(t *transition, e Polled) bool {
	if !t.recordPoll(e.Progress) {
		return false
	}
	if t.endIfRevisionMoved(e.Progress.Pipeline.Revision) {
		return true
	}

	fold := t.applyQuietGrace(FoldPipeline(e.Progress), e.Progress)
	if t.Cancel != nil && t.finishCancel(fold) {
		return true
	}
	if t.endIfRevisionUnknown() || t.awaitRevision(fold) {
		return true
	}

	switch {
	case fold.Kind == FoldEnded:
		t.end(fold.State, fold.Reason, t.workflowURL(fold.Workflow))
		return true
	case fold.Kind == FoldHeld && t.approvalSettling():
		// CircleCI has taken an approval and does not show its effect yet.
	case fold.Kind == FoldHeld:
		t.moveTo(Held)
		t.report(GitHubPending, "Waiting for approval in CircleCI", t.workflowURL(fold.Workflow), t.now)
	default:
		t.moveTo(Running)
		t.reportRunning()
	}

	t.scheduleNextPoll()
	t.applyTimeout()
	return true
}

// recordPoll takes what a poll shows of the pipeline, and says whether it is the deployment's own.
func (t *transition) recordPoll(p Progress) bool {
	if t.Pipeline == nil || t.Pipeline.ID != p.Pipeline.ID {
		return false
	}
	t.Failures, t.GoneSince = 0, time.Time{}
	t.completePipeline(p.Pipeline)
	return true
}

// completePipeline fills in what the answer to the trigger, or a claim, did not tell.
func (t *transition) completePipeline(p PipelineFacts) {
	if t.Pipeline.Number == 0 {
		t.Pipeline.Number = p.Number
	}
	if p.Slug != "" {
		t.Pipeline.Slug = p.Slug
	}
}

// endIfRevisionMoved compares the commit that CircleCI built with the deployment's, once. Another
// commit ends the deployment where the route wants the same one, and is noted elsewhere.
func (t *transition) endIfRevisionMoved(revision string) (ended bool) {
	if revision == "" || t.Pipeline.Revision != "" {
		return false
	}

	t.Pipeline.Revision = revision
	if revision == t.Request.SHA {
		return false
	}

	moved := fmt.Sprintf("%s moved: wanted %s, got %s", t.Target.Ref.Name, short(t.Request.SHA), short(revision))
	if t.Target.Revision != RevisionStrict {
		t.note("revision", "%s", moved)
		return false
	}

	t.end(Errored, moved, t.pipelineURL())
	t.beginStop()
	return true
}

// endIfRevisionUnknown ends a deployment whose commit must be the one that was asked for, if CircleCI
// has not shown within WorkflowGrace which commit it built. What is not known is not taken for right.
func (t *transition) endIfRevisionUnknown() (ended bool) {
	if !t.revisionUnknown() || t.revisionTimeLeft() > 0 {
		return false
	}

	reason := fmt.Sprintf("CircleCI does not show which commit it built: wanted %s", short(t.Request.SHA))
	t.end(Errored, reason, t.pipelineURL())
	t.beginStop()
	return true
}

// awaitRevision keeps a pipeline that has succeeded from counting before its commit is known.
func (t *transition) awaitRevision(fold Fold) (waits bool) {
	if !t.revisionUnknown() || fold.Kind != FoldEnded || fold.State != Succeeded {
		return false
	}

	t.moveTo(Running)
	t.scheduleNextPoll()
	return true
}

// revisionUnknown says whether the commit must be the one that was asked for, and is not known yet.
func (t *transition) revisionUnknown() bool {
	return t.Target.Revision == RevisionStrict && t.Pipeline.Revision == ""
}

// revisionTimeLeft returns how long CircleCI may still take to show the commit.
func (t *transition) revisionTimeLeft() time.Duration {
	return t.StartedAt.Add(t.WorkflowGrace).Sub(t.now)
}

// applyQuietGrace turns a quiet pipeline into one that has ended when WorkflowGrace is over.
func (t *transition) applyQuietGrace(fold Fold, p Progress) Fold {
	if fold.Kind != FoldQuiet {
		t.QuietSince = time.Time{}
		return fold
	}
	if t.QuietSince.IsZero() {
		t.QuietSince = t.now
	}
	if t.now.Sub(t.QuietSince) < t.WorkflowGrace {
		return fold
	}

	if configPending(p.Pipeline.State) {
		t.beginStop() // workflows may still show up; they must not run beside the next deployment
	}

	return quietEnd(fold)
}

// configPending says whether CircleCI is still working on the pipeline's configuration, so that more
// workflows may follow.
func configPending(state string) bool {
	switch state {
	case "pending", "setup-pending", "setup":
		return true
	default:
		return false
	}
}

// scheduleNextPoll polls next after PollMin, and 5 s later each time, up to PollMax; earlier where
// the quiet grace or a timeout ends before that.
func (t *transition) scheduleNextPoll() {
	after := min(t.PollMin+time.Duration(t.Polls)*5*time.Second, t.PollMax)
	t.Polls++
	if !t.QuietSince.IsZero() {
		after = min(after, t.QuietSince.Add(t.WorkflowGrace).Sub(t.now))
	}
	if left := t.timeLeft(); left > 0 {
		after = min(after, left)
	}
	if left := t.revisionTimeLeft(); left > 0 && t.revisionUnknown() {
		after = min(after, left)
	}

	t.dueIn(max(after, 10*time.Millisecond))
}

// timeLeft returns how long the deployment may go on running, or being held. It is negative after
// that.
func (t *transition) timeLeft() time.Duration {
	if t.State == Held {
		return t.HeldSince.Add(t.Target.HoldTimeout).Sub(t.now)
	}
	return t.Target.Timeout - t.runningTime()
}

// runningTime returns the time spent in Running. Time spent in Held does not count.
func (t *transition) runningTime() time.Duration {
	if t.RunningSince.IsZero() {
		return t.RanFor
	}
	return t.RanFor + t.now.Sub(t.RunningSince)
}

// applyTimeout ends a deployment that has run or been held for too long, and has its workflows
// canceled.
func (t *transition) applyTimeout() {
	if t.timeLeft() > 0 {
		return
	}

	if t.State == Held {
		t.end(Canceled, fmt.Sprintf("Canceled: not approved within %s", t.Target.HoldTimeout), t.pipelineURL())
	} else {
		t.end(Failed, fmt.Sprintf("Timed out after %s", t.Target.Timeout), t.pipelineURL())
	}

	t.beginStop()
}

// applyPollFailed tries again later, unless nothing will come of it: CircleCI has denied the
// pipeline for goneAfter, a cancel is stopGrace old, or the timeout is over by answerTimeout.
func applyPollFailed(t *transition, e PollFailed) bool {
	if t.Pipeline == nil {
		return false
	}

	t.recordPollFailure(e)
	switch {
	case t.pipelineGone(e):
		t.end(Errored, "CircleCI no longer shows the pipeline", t.pipelineURL())
	case t.Cancel != nil && t.now.Sub(t.Cancel.At) >= stopGrace:
		t.noteUnansweredStop()
		t.end(Canceled, t.withCanceler("Canceled"), t.pipelineURL())
	case t.timeLeft() < -answerTimeout:
		t.end(Errored, withCause("CircleCI could not be asked how it ended", e.Cause), t.pipelineURL())
		t.beginStop()
	}

	return true
}

// recordPollFailure notes the first of several failures, and schedules the next poll with growing
// pauses.
func (t *transition) recordPollFailure(e PollFailed) {
	t.Failures++
	if t.Failures == 1 {
		t.note("unseen", "%s", withDetail(e.Cause, e.Detail))
	}

	if !e.Gone {
		t.GoneSince = time.Time{}
	} else if t.GoneSince.IsZero() {
		t.GoneSince = t.now
	}

	pause := max(e.After, Backoff(t.Failures, max(t.PollMax, time.Second)))
	t.dueIn(max(min(pause, t.untilDecision()), time.Second))
}

// pipelineGone says whether CircleCI has denied the pipeline for so long that it is believed. It
// also answers 404 to a bad token.
func (t *transition) pipelineGone(e PollFailed) bool {
	return e.Gone && t.now.Sub(t.GoneSince) >= goneAfter
}

// noteUnansweredStop warns that the slot is given up although workflows may still run.
func (t *transition) noteUnansweredStop() {
	t.note("warning", "CircleCI could not be asked whether the workflows ended; the environment is freed anyway")
}

// untilDecision returns how long the next poll may wait, whatever CircleCI asks for: until the
// deployment has to be decided without it.
func (t *transition) untilDecision() time.Duration {
	switch {
	case !t.StoppingSince.IsZero():
		return t.StoppingSince.Add(stopGrace).Sub(t.now)
	case !t.RerunUntil.IsZero():
		return t.RerunUntil.Sub(t.now)
	case t.Cancel != nil:
		return max(t.Cancel.At.Add(stopGrace).Sub(t.now), time.Second)
	default:
		return max(t.timeLeft(), time.Minute)
	}
}

// short returns the beginning of a commit's hash, for people.
func short(sha string) string { return sha[:min(7, len(sha))] }
