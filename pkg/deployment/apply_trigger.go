package deployment

import (
	"fmt"
	"time"
)

func applyStart(f *transition, e Start) bool {
	if f.Problem != "" || f.Project.ID == "" || f.Target.Ref.Kind == RefSHA {
		return false
	}
	if f.FirstAt.IsZero() {
		f.FirstAt = f.now
	}

	f.Blocked, f.Reason = "", ""
	f.Forced = f.Forced || e.Forced
	f.Attempts = append(f.Attempts, Attempt{
		Number:     len(f.Attempts) + 1,
		Intent:     f.now,
		SendBefore: e.SendBefore,
		Ref:        f.nextRef(),
	})

	f.to(Triggering)
	f.LookDue = f.now // the sender holds the lease; whoever comes after it finds an interrupted trigger
	return true
}

// nextRef is what to ask CircleCI for: a bare name is a branch and a tag in turn.
func (f *transition) nextRef() Ref {
	ref := f.Target.Ref
	if ref.Kind != RefBare {
		return ref
	}
	if f.RefTries%2 == 0 {
		return Ref{Kind: RefBranch, Name: ref.Name}
	}
	return Ref{Kind: RefTag, Name: ref.Name}
}

func applyBlocked(f *transition, e Blocked) bool {
	if !e.First {
		f.FirstAt = time.Time{}
	}
	if f.Blocked != e.By {
		f.Blocked = e.By
		f.note("blocked", "waits for %s", e.By)
	}

	f.report(GitHubQueued, "Waiting for "+e.By, "", f.AcceptedAt.Add(quietReport))
	f.lookIn(blockedRecheck)
	if e.After > 0 {
		f.lookIn(e.After)
	}

	return true
}

func applyResolved(f *transition, e Resolved) bool {
	f.Project = e.Project
	f.LookDue = f.now
	return true
}

func applyFail(f *transition, e Fail) bool {
	f.end(Errored, e.Reason, "")
	return true
}

func applySuperseded(f *transition, e Superseded) bool {
	f.end(Rejected, fmt.Sprintf("superseded by #%d", e.By), "")
	return true
}

func applyTriggered(f *transition, e Triggered) bool {
	f.outcome("201")
	f.adopt(e.Pipeline, ByAnswer)
	return true
}

// applyLateAnswer takes a 201 that came in after a look-up had given the attempt up: it is proof
// all the same.
func applyLateAnswer(f *transition, e Triggered) bool {
	if len(f.Attempts) == 0 {
		return false
	}
	return applyTriggered(f, e)
}

// applyAnswerAfterClaim completes a pipeline whose job claimed the key before the answer to the
// trigger was written.
func applyAnswerAfterClaim(f *transition, e Triggered) bool {
	if f.Pipeline == nil || f.Pipeline.ID != e.Pipeline.ID {
		return false
	}
	f.outcome("201")
	f.completePipeline(e.Pipeline)
	return true
}

// adopt makes a pipeline the deployment's own.
func (f *transition) adopt(p PipelineFacts, by string) {
	f.Pipeline = &Pipeline{ID: p.ID, Number: p.Number, Slug: p.Slug, By: by}
	if f.Pipeline.Slug == "" {
		f.Pipeline.Slug = f.Project.Slug
	}

	f.StartedAt, f.Reason, f.Blocked = f.now, "", ""
	f.Backoffs = 0
	if f.Retriggers > 0 {
		f.DuplicateUntil, f.DuplicateDue = f.now.Add(DuplicateWatch), f.now.Add(duplicateInterval)
	}

	f.to(Running)
	f.note("pipeline", "%s is the pipeline (by %s)", p.ID, by)
	f.reportRunning()
	f.lookIn(f.PollMin)
	if f.Target.Revision == RevisionStrict || p.Number == 0 || f.Cancel != nil {
		f.LookDue = f.now
	}
}

func (f *transition) outcome(text string) {
	if n := len(f.Attempts); n > 0 {
		f.Attempts[n-1].Outcome = text
	}
}

func applyTriggerSkipped(f *transition, e TriggerSkipped) bool {
	f.outcome("skipped")
	f.end(Errored, "CircleCI skipped it: "+e.Message, "")
	return true
}

func applyTriggerRefused(f *transition, e TriggerRefused) bool {
	f.outcome(fmt.Sprintf("refused %d", e.Status))
	switch {
	case e.BranchNotFound:
		f.retryRef(e)
	case e.AuthDoubt && f.AuthTries == 0:
		f.AuthTries++
		f.note("refused", "CircleCI answered %d %q: asked once more in a minute", e.Status, clean(e.Message))
		f.backToWaiting("CircleCI to accept the credentials", authPause)
	default:
		f.end(Errored, fmt.Sprintf("CircleCI refused it (%d): %s", e.Status, e.Message), "")
	}

	return true
}

// retryRef asks for the ref's other meaning at once, and for both again after 5 s and 20 s, because
// CircleCI's view of refs may lag.
func (f *transition) retryRef(e TriggerRefused) {
	ref := f.LastAttempt().Ref
	f.RefTries++
	f.note("refused", "CircleCI knows no %s %q yet", ref.Kind, clean(ref.Name))
	round, whole := f.RefTries, true
	if f.Target.Ref.Kind == RefBare {
		round, whole = f.RefTries/2, f.RefTries%2 == 0
	}

	pauses := []time.Duration{5 * time.Second, 20 * time.Second}
	switch {
	case !whole:
		f.backToWaiting("CircleCI to see "+f.Target.Ref.Name, 0)
	case round <= len(pauses):
		f.backToWaiting("CircleCI to see "+f.Target.Ref.Name, pauses[round-1])
	default:
		f.end(Errored, fmt.Sprintf("CircleCI does not know the ref %s: %s", f.Target.Ref.Name, e.Message), "")
	}
}

func (f *transition) backToWaiting(by string, after time.Duration) {
	f.to(Waiting)
	f.Blocked = by
	f.report(GitHubQueued, "Waiting for "+by, "", f.now.Add(quietReport))
	f.lookIn(after)
	f.NotBefore = f.LookDue
}

func applyTriggerNotSent(f *transition, e TriggerNotSent) bool {
	if f.FirstAt.IsZero() {
		f.FirstAt = f.now
	}
	if f.State != Waiting {
		f.outcome("not sent")
	}
	if f.now.Sub(f.FirstAt) >= f.StartTimeout {
		f.end(Errored, fmt.Sprintf("could not be started for %s: %s", f.StartTimeout, e.Cause), "")
		return true
	}

	left := f.StartTimeout - f.now.Sub(f.FirstAt)
	if e.After > left {
		f.end(
			Errored,
			fmt.Sprintf(
				"CircleCI asks to wait %s, longer than is left of %s: %s",
				e.After.Round(time.Second),
				f.StartTimeout,
				e.Cause,
			),
			"",
		)

		return true
	}

	f.Backoffs++
	f.note("not_sent", "%s", clean(e.Cause))
	f.backToWaiting("CircleCI to answer", max(e.After, min(Backoff(f.Backoffs, time.Minute), left)))
	return true
}

func applyTriggerUnknown(f *transition, e TriggerUnknown) bool {
	f.outcome("unknown")
	f.becomeUnconfirmed(e.Cause)
	return true
}

func applyTriggerInterrupted(f *transition, _ TriggerInterrupted) bool {
	f.outcome("interrupted")
	f.becomeUnconfirmed("the worker that triggered it was interrupted")
	return true
}

func (f *transition) becomeUnconfirmed(cause string) {
	f.to(Unconfirmed)
	f.note("unknown", "%s; looking whether CircleCI started it", clean(cause))
	f.report(GitHubQueued, "Checking whether CircleCI started it", "", f.now.Add(unconfirmedReport))
	f.lookIn(time.Second)
}

func applyStillUnknown(f *transition, e TriggerUnknown) bool {
	f.note("unknown", "%s", clean(e.Cause))
	return true
}
