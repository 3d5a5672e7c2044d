package deployment

func applyForceRequested(t *transition, e ForceRequested) bool {
	force := e.Force
	t.Force = &force
	t.note("forced", "%s asked to bypass the rules: %s", force.By, clean(force.Reason))
	t.StepDue = t.now
	return true
}

// applyCancelWaiting ends a waiting deployment at once: nothing runs that would have to stop.
func applyCancelWaiting(t *transition, e CancelRequested) bool {
	t.recordCancel(e)
	t.end(Canceled, t.withCanceler("Canceled"), "")
	t.watchForLatePipeline()
	return true
}

// applyCancelRequested has the workflows canceled at the next poll. While the outcome of the trigger
// is not known there is no pipeline to cancel, and the request waits for one. A second request
// changes nothing.
func applyCancelRequested(t *transition, e CancelRequested) bool {
	if t.Cancel != nil {
		return true
	}

	t.recordCancel(e)
	if t.Pipeline == nil {
		return true
	}

	t.StepDue = t.now
	t.report(GitHubInProgress, t.withCanceler("Being canceled"), t.pipelineURL(), t.now)
	return true
}

// recordCancel keeps the first request to cancel.
func (t *transition) recordCancel(e CancelRequested) {
	if t.Cancel != nil {
		return
	}
	t.Cancel = &Cancel{At: t.now, By: e.By, Reason: e.Reason}
	t.note("cancel_asked", "%s", t.withCanceler("cancel requested"))
}

// withCanceler adds to a text who asked to cancel, and why.
func (t *transition) withCanceler(text string) string {
	if t.Cancel.By != (Actor{}) {
		text += " by " + t.Cancel.By.String()
	}
	return withCause(text, t.Cancel.Reason)
}

// finishCancel ends a deployment that is being canceled when its workflows have ended, and polls on
// until they have. It leaves to the caller a pipeline that succeeded or failed before the cancel took
// effect, because that is how it ended. A failure after the claim of a job was refused is an effect of the cancel.
func (t *transition) finishCancel(fold Fold) (handled bool) {
	waited := t.now.Sub(t.Cancel.At)
	stopped := t.Cancel.StoppedJob && fold.State == Failed
	switch {
	case fold.Kind == FoldEnded && fold.State != Canceled && fold.State != Errored && !stopped:
		return false
	case fold.Kind == FoldEnded:
		t.end(Canceled, t.withCanceler("Canceled"), t.workflowURL(fold.Workflow))
	case waited >= stopGrace:
		t.note("warning", "CircleCI still shows active workflows %s after the cancel", stopGrace)
		t.end(Canceled, t.withCanceler("Canceled"), t.pipelineURL())
	default:
		t.dueIn(min(t.stopPollInterval(waited), stopGrace-waited))
	}

	return true
}
