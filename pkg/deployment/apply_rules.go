package deployment

import "fmt"

func applyAdmitted(f *transition, _ Admitted) bool {
	if f.AdmittedAt.IsZero() {
		f.AdmittedAt = f.now
	}
	return true
}

func applyReject(f *transition, e Reject) bool {
	f.end(Rejected, e.Reason, "")
	f.watchForLost()
	return true
}

func applyForceRequested(f *transition, e ForceRequested) bool {
	force := e.Force
	f.Force = &force
	f.note("forced", "%s wants rules to be passed: %s", force.By, clean(force.Reason))
	f.LookDue = f.now
	return true
}

func applyDone(f *transition, e Done) bool {
	if f.Target.LockTask == "" {
		return false
	}
	f.end(Succeeded, e.Reason, "")
	return true
}

// applyCancelWaiting ends it at once.
func applyCancelWaiting(f *transition, e CancelRequested) bool {
	f.wantCancel(e)
	f.end(Canceled, f.cancelText("Canceled"), "")
	f.watchForLost()
	return true
}

// watchForLost watches for what a trigger that was given up may still bring.
func (f *transition) watchForLost() {
	if len(f.Attempts) > 0 && f.Target.CarriesKey {
		f.watchForDuplicates()
	}
}

// applyCancelRequested has the workflows canceled at the next look. A second ask changes nothing.
func applyCancelRequested(f *transition, e CancelRequested) bool {
	if f.Cancel != nil {
		return true
	}

	f.wantCancel(e)
	if f.Pipeline == nil {
		return true // the look-up or the answer comes first
	}

	f.LookDue = f.now
	f.report(GitHubInProgress, f.cancelText("Being canceled"), f.pipelineURL(), f.now)
	return true
}

func (f *transition) wantCancel(e CancelRequested) {
	if f.Cancel == nil {
		f.Cancel = &Cancel{At: f.now, By: e.By, Reason: e.Reason}
		f.note("cancel_asked", "%s", f.cancelText("to be canceled"))
	}
}

// cancelText says who wants it canceled, and why.
func (f *transition) cancelText(text string) string {
	if f.Cancel.By != (Actor{}) {
		text += " by " + f.Cancel.By.String()
	}
	if f.Cancel.Reason != "" {
		text += ": " + f.Cancel.Reason
	}
	return text
}

// canceling turns what a look shows of a pipeline that is being canceled into its end. A workflow
// that ended by itself first tells the truth.
func (f *transition) canceling(fold Fold) bool {
	over := f.now.Sub(f.Cancel.At)
	switch {
	case fold.Kind == FoldEnded && fold.State != Canceled && fold.State != Errored:
		return false
	case fold.Kind == FoldEnded:
		f.end(Canceled, f.cancelText("Canceled"), f.workflowURL(fold.Workflow))
	case over >= StopGrace:
		f.note("warning", "CircleCI still shows active workflows %s after the cancel", StopGrace)
		f.end(Canceled, f.cancelText("Canceled"), f.pipelineURL())
	default:
		f.lookIn(min(f.stopPace(over), StopGrace-over))
	}

	return true
}

// mark says for people that rules were passed.
func (f *transition) mark(text string) string {
	if !f.Forced || f.Force == nil {
		return text
	}
	return fmt.Sprintf("%s (forced by %s: %s)", text, f.Force.By, f.Force.Reason)
}
