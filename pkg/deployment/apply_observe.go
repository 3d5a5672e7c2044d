package deployment

import (
	"fmt"
	"time"
)

func applyPolled(f *transition, e Polled) bool {
	if !f.seen(e.Progress) {
		return false
	}
	if f.movedRevision(e.Progress.Pipeline.Revision) {
		return true
	}

	fold := f.patience(FoldPipeline(e.Progress), e.Progress)
	if f.Cancel != nil && f.canceling(fold) {
		return true
	}

	switch fold.Kind {
	case FoldEnded:
		f.end(fold.State, fold.Reason, f.workflowURL(fold.Workflow))
		return true
	case FoldHeld:
		f.to(Held)
		f.report(GitHubPending, "Waiting for approval in CircleCI", f.workflowURL(fold.Workflow), f.now)
	default:
		f.to(Running)
		f.reportRunning()
	}

	f.poll()
	f.overtime()
	return true
}

// seen takes what a look at the pipeline shows, if it is the deployment's pipeline.
func (f *transition) seen(p Progress) bool {
	if f.Pipeline == nil || f.Pipeline.ID != p.Pipeline.ID {
		return false
	}
	f.Backoffs, f.GoneSince = 0, time.Time{}
	f.completePipeline(p.Pipeline)
	return true
}

// completePipeline fills in what the trigger's answer or a claim did not tell.
func (f *transition) completePipeline(p PipelineFacts) {
	if f.Pipeline.Number == 0 {
		f.Pipeline.Number = p.Number
	}
	if p.Slug != "" {
		f.Pipeline.Slug = p.Slug
	}
}

// movedRevision handles a pipeline that CircleCI built from another commit than the deployment's.
func (f *transition) movedRevision(revision string) bool {
	if revision == "" || f.Pipeline.Revision != "" {
		return false
	}

	f.Pipeline.Revision = revision
	if revision == f.Request.SHA {
		return false
	}

	moved := fmt.Sprintf("%s moved: wanted %s, got %s", f.Target.Ref.Name, short(f.Request.SHA), short(revision))
	if f.Target.Revision != RevisionStrict {
		f.note("revision", "%s", moved)
		return false
	}

	f.end(Errored, moved, f.pipelineURL())
	f.stop()
	return true
}

// patience turns a quiet pipeline into an ended one when WorkflowGrace is over.
func (f *transition) patience(fold Fold, p Progress) Fold {
	if fold.Kind != FoldQuiet {
		f.QuietSince = time.Time{}
		return fold
	}
	if f.QuietSince.IsZero() {
		f.QuietSince = f.now
	}
	if f.now.Sub(f.QuietSince) < f.WorkflowGrace {
		return fold
	}

	fold = quietEnd(fold)
	if unsettled(p.Pipeline.State) {
		f.stop() // workflows may still show up; they must not run beside the next deployment
	}

	return fold
}

// unsettled says whether CircleCI is still working on the pipeline's configuration.
func unsettled(state string) bool {
	switch state {
	case "pending", "setup-pending", "setup":
		return true
	default:
		return false
	}
}

// poll sets the next look: POLL_MIN first, then 5 s more each time, up to POLL_MAX; earlier where a
// grace or a limit ends.
func (f *transition) poll() {
	after := min(f.PollMin+time.Duration(f.Looks)*5*time.Second, f.PollMax)
	f.Looks++
	if !f.QuietSince.IsZero() {
		after = min(after, f.QuietSince.Add(f.WorkflowGrace).Sub(f.now))
	}
	if left := f.limit(); left > 0 {
		after = min(after, left)
	}

	f.lookIn(max(after, 10*time.Millisecond))
}

// limit is the time left before the timeout of running or of holding.
func (f *transition) limit() time.Duration {
	if f.State == Held {
		return f.HeldSince.Add(f.Target.HoldTimeout).Sub(f.now)
	}
	return f.Target.Timeout - f.ran()
}

func (f *transition) ran() time.Duration {
	if f.RunningSince.IsZero() {
		return f.RanFor
	}
	return f.RanFor + f.now.Sub(f.RunningSince)
}

// overtime ends a deployment that ran or was held for too long, and has its workflows canceled.
func (f *transition) overtime() {
	if f.limit() > 0 {
		return
	}

	if f.State == Held {
		f.end(Canceled, fmt.Sprintf("Canceled: not approved within %s", f.Target.HoldTimeout), f.pipelineURL())
	} else {
		f.end(Failed, fmt.Sprintf("Timed out after %s", f.Target.Timeout), f.pipelineURL())
	}

	f.stop()
}

func applyPollFailed(f *transition, e PollFailed) bool {
	if f.Pipeline == nil {
		return false
	}

	f.missed(e)
	switch {
	case e.Gone && f.now.Sub(f.GoneSince) >= goneAfter:
		f.end(Errored, "CircleCI no longer shows the pipeline", f.pipelineURL())
	case f.Cancel != nil && f.now.Sub(f.Cancel.At) >= StopGrace:
		f.note(
			"warning",
			"CircleCI could not be asked whether the workflows ended; the environment is free all the same",
		)

		f.end(Canceled, f.cancelText("Canceled"), f.pipelineURL())
	case f.limit() < -AnswerTimeout:
		f.end(Errored, "CircleCI could not be asked how it ended: "+e.Cause, f.pipelineURL())
		f.stop()
	}

	return true
}

// missed notes a look that showed nothing, and when to look again.
func (f *transition) missed(e PollFailed) {
	f.Backoffs++
	if f.Backoffs == 1 {
		f.note("unseen", "%s", clean(e.Cause))
	}

	if !e.Gone {
		f.GoneSince = time.Time{}
	} else if f.GoneSince.IsZero() {
		f.GoneSince = f.now
	}

	f.lookIn(max(min(max(e.After, Backoff(f.Backoffs, max(f.PollMax, time.Second))), f.untilDecision()), time.Second))
}

// untilDecision is how long a look may wait before something must be decided without it, whatever
// CircleCI asks for.
func (f *transition) untilDecision() time.Duration {
	switch {
	case !f.Stopping.IsZero():
		return f.Stopping.Add(StopGrace).Sub(f.now)
	case !f.RerunUntil.IsZero():
		return f.RerunUntil.Sub(f.now)
	case f.Cancel != nil:
		return max(f.Cancel.At.Add(StopGrace).Sub(f.now), time.Second)
	default:
		return max(f.limit(), time.Minute)
	}
}

func applyPolledAfterEnd(f *transition, e Polled) bool {
	if !f.seen(e.Progress) {
		return false
	}

	f.LookDue = time.Time{}
	if !f.Stopping.IsZero() {
		f.stopping(e.Progress)
	}
	if f.Stopping.IsZero() && !f.RerunUntil.IsZero() {
		f.rerun(e)
	}

	return true
}

// stopping frees the slot when every workflow has ended, or after StopGrace with a warning.
func (f *transition) stopping(p Progress) {
	fresh := f.now.Sub(f.Stopping) < f.WorkflowGrace && FoldPipeline(p).Kind == FoldQuiet // workflows may still show up
	more := fresh || len(Active(p)) > 0 || len(p.Workflows) == 0 && unsettled(p.Pipeline.State)
	if more && f.now.Sub(f.Stopping) < StopGrace {
		f.lookIn(min(f.stopPace(f.now.Sub(f.Stopping)), f.Stopping.Add(StopGrace).Sub(f.now)))
		return
	}

	if more {
		f.note(
			"warning",
			"CircleCI still shows active workflows %s after the cancel; the environment is free all the same",
			StopGrace,
		)
	}

	f.Stopping = time.Time{}
}

// stopPace is how often CircleCI is asked so long after a cancel: a workflow that starts only now
// must not get far.
func (f *transition) stopPace(after time.Duration) time.Duration {
	if after < fastStopPoll {
		return min(f.PollMin, time.Second)
	}
	return f.PollMin
}

// rerun lets a successful rerun of the same pipeline turn failed into succeeded, once.
func (f *transition) rerun(e Polled) {
	if e.NewerStarted || f.now.Sub(f.RerunUntil) > lastLook { // the last look is just after the end
		f.RerunUntil = time.Time{}
		return
	}

	fold := FoldPipeline(e.Progress)
	if fold.Kind == FoldEnded && fold.State == Succeeded {
		f.RerunUntil = time.Time{}
		f.Reason = "Deployed by a rerun"
		f.to(Succeeded)
		f.EndedAt = f.now
		f.reportFinal(f.pipelineURL())

		return
	}

	if !f.now.Before(f.RerunUntil) {
		f.RerunUntil = time.Time{}
		return
	}

	f.lookIn(min(max(f.now.Sub(f.EndedAt)/4, time.Minute), 30*time.Minute, f.RerunUntil.Sub(f.now)))
}

func applyPollFailedAfterEnd(f *transition, e PollFailed) bool {
	if f.Pipeline == nil {
		return false
	}

	f.LookDue = time.Time{}
	if f.Stopping.IsZero() && f.RerunUntil.IsZero() {
		return true
	}

	f.missed(e)
	gone := e.Gone && f.now.Sub(f.GoneSince) >= goneAfter // CircleCI hides a bad token behind one 404, too
	if !f.Stopping.IsZero() && (f.now.Sub(f.Stopping) >= StopGrace || gone) {
		f.note(
			"warning",
			"CircleCI could not be asked whether the workflows ended; the environment is free all the same",
		)

		f.Stopping = time.Time{}
	}

	if !f.RerunUntil.IsZero() && (gone || !f.now.Before(f.RerunUntil)) {
		f.RerunUntil = time.Time{}
	}
	if f.Stopping.IsZero() && f.RerunUntil.IsZero() {
		f.LookDue = time.Time{}
	}

	return true
}

func short(sha string) string { return sha[:min(7, len(sha))] }
