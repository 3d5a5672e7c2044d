package deployment

import (
	"fmt"
	"time"
)

// applyStart records the attempt before its request leaves. It refuses a deployment that cannot be
// triggered: one with a problem, without a resolved project, or for a ref that is no branch and no tag.
func applyStart(t *transition, e Start) bool {
	kind := t.Target.Ref.Kind
	if t.Problem != "" || t.Project.ID == "" || kind == RefSHA || kind == RefOther {
		return false
	}
	if t.FirstSince.IsZero() {
		t.FirstSince = t.now
	}

	t.BlockedBy, t.Reason = "", ""
	t.Forced = t.Forced || e.Forced
	t.Attempts = append(t.Attempts, Attempt{
		Number:     len(t.Attempts) + 1,
		IntendedAt: t.now,
		SendBefore: e.SendBefore,
		Ref:        t.nextRef(),
	})

	t.moveTo(Triggering)
	t.StepDue = t.now // the sender's lease keeps others away; who loads the row after it finds an interrupted trigger
	return true
}

// nextRef returns what to ask CircleCI for. A bare name that GitHub did not show is a branch and a tag
// by turns.
func (t *transition) nextRef() Ref {
	ref := t.Target.Ref
	if t.BuildRef.Name != "" {
		return t.BuildRef
	}
	if ref.Kind != RefBare {
		return ref
	}
	if t.RefTries%2 == 0 {
		return Ref{Kind: RefBranch, Name: ref.Name}
	}
	return Ref{Kind: RefTag, Name: ref.Name}
}

func applyAdmitted(t *transition, _ Admitted) bool {
	if t.AdmittedAt.IsZero() {
		t.AdmittedAt = t.now
	}
	return true
}

// applyBlocked keeps it waiting and says at GitHub what for, unless that changes soon.
func applyBlocked(t *transition, e Blocked) bool {
	if !e.First {
		t.FirstSince = time.Time{}
	}

	by := Readable(e.By)
	if t.BlockedBy != by {
		t.BlockedBy = by
		t.note("blocked", "waiting for %s", by)
	}

	t.report(GitHubQueued, "Waiting for "+by, "", t.AcceptedAt.Add(waitingReportDelay))
	t.dueIn(blockedRecheck)
	if e.After > 0 {
		t.dueIn(e.After)
	}

	return true
}

func applyResolved(t *transition, e Resolved) bool {
	t.Project = e.Project
	t.StepDue = t.now
	if e.Learned {
		t.changes.Project = e.Project
	}

	return true
}

func applyRefResolved(t *transition, e RefResolved) bool {
	t.BuildRef = e.Ref
	return true
}

func applyFail(t *transition, e Fail) bool {
	t.end(Errored, e.Reason, "")
	return true
}

func applySuperseded(t *transition, e Superseded) bool {
	t.end(Rejected, fmt.Sprintf("superseded by #%d", e.By), "")
	return true
}

func applyReject(t *transition, e Reject) bool {
	t.end(Rejected, e.Reason, "")
	t.watchForLatePipeline()
	return true
}

// applyDisown refuses a deployment that may have been triggered: GitHub showed it as its event did then.
func applyDisown(t *transition, e Disown) bool {
	if len(t.Attempts) > 0 {
		return false
	}

	t.Reason, t.BlockedBy = Readable(e.Reason), ""
	t.moveTo(Rejected)
	t.EndedAt, t.StepDue = t.now, time.Time{}
	t.changes.Disowned = true
	return true
}

// applyDone refuses a deployment that is to start a pipeline.
func applyDone(t *transition, e Done) bool {
	if t.Target.LockTask == "" {
		return false
	}
	t.end(Succeeded, e.Reason, "")
	return true
}

func applyTriggered(t *transition, e Triggered) bool {
	t.setOutcome("201")
	t.adopt(e.Pipeline, ByAnswer)
	return true
}

// applyTriggeredLate takes a 201 that is written after a look-up gave the attempt up. It is proof
// all the same.
func applyTriggeredLate(t *transition, e Triggered) bool {
	if len(t.Attempts) == 0 {
		return false
	}
	return applyTriggered(t, e)
}

// applyTriggeredAfterClaim completes a pipeline whose job claimed the deployment before CircleCI's
// 201 was written.
func applyTriggeredAfterClaim(t *transition, e Triggered) bool {
	if t.Pipeline == nil || t.Pipeline.ID != e.Pipeline.ID {
		return false
	}
	t.setOutcome("201")
	t.completePipeline(e.Pipeline)
	return true
}

// adopt makes a pipeline the deployment's own. After an attempt that was given up, the project is
// watched for a duplicate that this attempt may have started after all.
func (t *transition) adopt(p PipelineFacts, by string) {
	t.Pipeline = &Pipeline{ID: p.ID, Number: p.Number, Slug: p.Slug, By: by}
	if t.Pipeline.Slug == "" {
		t.Pipeline.Slug = t.Project.Slug
	}

	t.StartedAt, t.Reason, t.BlockedBy, t.LastFailure = t.now, "", "", ""
	t.Failures = 0
	if t.Retriggers > 0 {
		t.watchForDuplicates()
	}

	t.moveTo(Running)
	t.note("pipeline", "pipeline %s, identified by %s", p.ID, by)
	t.reportRunning()

	t.dueIn(t.PollMin)
	if t.Target.Revision == RevisionStrict || p.Number == 0 || t.Cancel != nil {
		t.StepDue = t.now
	}
}

// setOutcome records what came of the current attempt.
func (t *transition) setOutcome(text string) {
	if n := len(t.Attempts); n > 0 {
		t.Attempts[n-1].Outcome = text
	}
}

func applyTriggerSkipped(t *transition, e TriggerSkipped) bool {
	t.setOutcome("skipped")
	t.end(Errored, withCause("CircleCI skipped it", e.Message), "")
	return true
}

// applyTriggerRefused ends the deployment, except where the answer may change: a ref may not be
// visible at CircleCI yet, and an answer that may be about the token is believed the second time.
func applyTriggerRefused(t *transition, e TriggerRefused) bool {
	t.setOutcome(fmt.Sprintf("refused %d", e.Status))
	switch {
	case e.RefNotFound:
		t.retryRef(e)
	case e.AuthDoubt && t.AuthTries == 0:
		t.AuthTries++
		t.note("refused", "CircleCI answered %d %q; trying once more in a minute", e.Status, clean(e.Message))
		t.backToWaiting("CircleCI to accept the credentials", authPause)
	default:
		t.end(Errored, withCause(fmt.Sprintf("CircleCI refused it (%d)", e.Status), e.Message), "")
	}

	return true
}

// retryRef tries a ref again that CircleCI does not know, because CircleCI may see a push late: a
// bare name at once as the other kind of ref, and every ref again after 5 s and after 20 s.
func (t *transition) retryRef(e TriggerRefused) {
	ref := t.LastAttempt().Ref
	t.RefTries++
	t.note("refused", "CircleCI does not know the %s %q yet", ref.Kind, clean(ref.Name))

	round, roundOver := t.RefTries, true
	if t.Target.Ref.Kind == RefBare && t.BuildRef.Name == "" {
		round, roundOver = t.RefTries/2, t.RefTries%2 == 0
	}

	name := t.Target.Ref.Name
	pauses := []time.Duration{5 * time.Second, 20 * time.Second}
	switch {
	case !roundOver:
		t.backToWaiting("CircleCI to see "+name, 0)
	case round <= len(pauses):
		t.backToWaiting("CircleCI to see "+name, pauses[round-1])
	default:
		t.end(Errored, withCause("CircleCI does not know the ref "+name, e.Message), "")
	}
}

// backToWaiting waits for something at CircleCI before the next attempt, however often it is woken.
func (t *transition) backToWaiting(by string, after time.Duration) {
	t.moveTo(Waiting)
	t.BlockedBy = by
	t.report(GitHubQueued, "Waiting for "+by, "", t.now.Add(waitingReportDelay))
	t.dueIn(after)
	t.NotBefore = t.StepDue
}

// applyTriggerNotSent tries again with growing pauses until the start timeout, and ends at once
// where CircleCI asks for a longer pause than is left of it.
func applyTriggerNotSent(t *transition, e TriggerNotSent) bool {
	if t.FirstSince.IsZero() {
		t.FirstSince = t.now
	}
	if t.State != Waiting {
		t.setOutcome("not sent")
	}

	t.LastFailure = Readable(e.Cause)
	left := t.StartTimeout - t.now.Sub(t.FirstSince)
	switch {
	case left <= 0:
		t.end(Errored, withCause(fmt.Sprintf("could not be started within %s", t.StartTimeout), e.Cause), "")
	case e.After > left:
		reason := fmt.Sprintf(
			"CircleCI asks to wait %s, longer than what is left of the start timeout of %s",
			e.After.Round(time.Second),
			t.StartTimeout,
		)
		t.end(Errored, withCause(reason, e.Cause), "")
	default:
		t.Failures++
		t.note("not_sent", "%s", withDetail(e.Cause, e.Detail))
		t.backToWaiting("CircleCI to answer", max(e.After, min(Backoff(t.Failures, time.Minute), left)))
	}

	return true
}

func applyTriggerUnknown(t *transition, e TriggerUnknown) bool {
	t.setOutcome("unknown")
	t.Refusals++
	if !e.Refused {
		t.Refusals = 0
	}

	t.becomeUnconfirmed(e.Cause, e.Detail)
	return true
}

func applyTriggerInterrupted(t *transition, _ TriggerInterrupted) bool {
	t.setOutcome(OutcomeInterrupted)
	t.becomeUnconfirmed("the worker was interrupted while it triggered CircleCI", "")
	return true
}

// becomeUnconfirmed begins the look-ups.
func (t *transition) becomeUnconfirmed(cause, detail string) {
	t.LastFailure = Readable(cause)
	t.moveTo(Unconfirmed)
	t.note("unknown", "%s; checking whether CircleCI started it", withDetail(cause, detail))
	t.report(GitHubQueued, "Checking whether CircleCI started it", "", t.now.Add(unconfirmedReportDelay))
	t.dueIn(time.Second)
}

// applyTriggerUnknownLate notes the sender's answer on a deployment that another worker has already
// found interrupted.
func applyTriggerUnknownLate(t *transition, e TriggerUnknown) bool {
	t.LastFailure = Readable(e.Cause)
	t.note("unknown", "%s", withDetail(e.Cause, e.Detail))
	return true
}
