package deployment

import "fmt"

func applyAdmitted(f *draft, _ Admitted) bool {
	if f.AdmittedAt.IsZero() {
		f.AdmittedAt = f.now
	}
	return true
}

func applyTurnedAway(f *draft, e TurnedAway) bool {
	f.end(Rejected, e.Reason, "")
	f.watchForLost()
	return true
}

func applyForced(f *draft, e Forced) bool {
	force := e.Force
	f.Force = &force
	f.note("forced", "%s wants rules to be passed: %s", force.By, clean(force.Reason))
	f.LookDue = f.now
	return true
}

func applyDone(f *draft, e Done) bool {
	if f.Target.Act == "" {
		return false
	}
	f.end(Succeeded, e.Reason, "")
	return true
}

// applyCancelWaiting ends it at once.
func applyCancelWaiting(f *draft, e CancelAsked) bool {
	f.wantCancel(e)
	f.end(Canceled, f.cancelText("Canceled"), "")
	f.watchForLost()
	return true
}

// watchForLost watches for what a trigger that was given up may still bring.
func (f *draft) watchForLost() {
	if len(f.Attempts) > 0 && f.Target.CarriesKey {
		f.watch()
	}
}

// applyCancelAsked has the workflows canceled at the next look. A second ask changes nothing.
func applyCancelAsked(f *draft, e CancelAsked) bool {
	if f.Cancel != nil {
		return true
	}
	f.wantCancel(e)
	if f.Pipeline == nil {
		return true // the look-up or the answer comes first
	}
	f.LookDue = f.now
	f.tell(GitHubInProgress, f.cancelText("Being canceled"), f.pipelineURL(), f.now)
	return true
}

func (f *draft) wantCancel(e CancelAsked) {
	if f.Cancel == nil {
		f.Cancel = &Cancel{At: f.now, By: e.By, Reason: e.Reason}
		f.note("cancel_asked", "%s", f.cancelText("to be canceled"))
	}
}

// cancelText says who wants it canceled, and why.
func (f *draft) cancelText(text string) string {
	if f.Cancel.By != (Actor{}) {
		text += " by " + f.Cancel.By.String()
	}
	if f.Cancel.Reason != "" {
		text += ": " + f.Cancel.Reason
	}
	return text
}

// canceling turns what a look shows of a pipeline that is being canceled into its end. A workflow that ended by itself first tells the truth.
func (f *draft) canceling(fold Fold) bool {
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
func (f *draft) mark(text string) string {
	if !f.Forced || f.Force == nil {
		return text
	}
	return fmt.Sprintf("%s (forced by %s: %s)", text, f.Force.By, f.Force.Reason)
}
