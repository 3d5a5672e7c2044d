package deployment

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func applyLookupFound(f *transition, e LookupFound) bool {
	f.outcome("found by " + e.By)
	f.adopt(e.Pipeline, e.By)
	if len(e.Duplicates) > 0 {
		f.noteDuplicates(e.Duplicates)
		f.DuplicateUntil, f.DuplicateDue = f.now.Add(DuplicateWatch), f.now
	}
	return true
}

func applyLookupAbsent(f *transition, e LookupAbsent) bool {
	f.outcome("absent")
	f.changes.Unclaimed = e.Unclaimed
	f.Retriggers++
	f.note("absent", "CircleCI shows no pipeline of attempt %d", f.LastAttempt().Number)
	if f.now.Sub(f.FirstAt) >= f.StartTimeout {
		f.end(Errored, fmt.Sprintf("CircleCI did not start it within %s", f.StartTimeout), "")
		f.watchForDuplicates()
		return true
	}

	f.to(Waiting)
	f.LookDue = f.now
	return true
}

func applyLookupPending(f *transition, e LookupPending) bool {
	f.changes.Unclaimed = e.Unclaimed
	f.Looks++
	if f.now.Sub(f.lookupDeadline()) > AnswerTimeout {
		return applyLookupInconclusive(f, LookupInconclusive{Reason: e.Cause})
	}
	f.lookIn(min(Backoff(f.Looks, 15*time.Second), f.untilDeadline()))
	return true
}

// untilDeadline keeps a look-up from oversleeping the moment at which it may conclude.
func (f *transition) untilDeadline() time.Duration {
	if left := f.lookupDeadline().Sub(f.now); left > 0 {
		return left + 10*time.Millisecond
	}
	return 15 * time.Second
}

func applyLookupInconclusive(f *transition, e LookupInconclusive) bool {
	f.outcome("in doubt")
	f.note("doubt", "%s", clean(e.Reason))
	f.end(Errored, "CircleCI may have started it: look at "+f.projectURL(), f.projectURL())
	if f.Target.CarriesKey {
		f.watchForDuplicates()
	}
	return true
}

// watchForDuplicates looks for pipelines with the key that show up after all, for an hour.
func (f *transition) watchForDuplicates() {
	f.DuplicateUntil, f.DuplicateDue = f.now.Add(DuplicateWatch), f.now.Add(duplicateInterval)
}

func applyDuplicatesChecked(f *transition, e DuplicatesChecked) bool {
	f.DuplicateDue = f.now.Add(duplicateInterval)
	if f.noteDuplicates(e.Duplicates) {
		f.DuplicateDue = f.now.Add(duplicateRetry) // what has not begun yet could not be canceled
	}
	if !f.now.Before(f.DuplicateUntil) {
		f.DuplicateDue, f.DuplicateUntil = time.Time{}, time.Time{}
	}
	return true
}

// noteDuplicates notes each twin once, and says whether there was a new one.
func (f *transition) noteDuplicates(ids []string) bool {
	fresh := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(f.Duplicates, id) })
	if len(fresh) == 0 {
		return false
	}
	f.Duplicates = append(slices.Clip(f.Duplicates), fresh...)
	f.note("twin", "canceled %s: it carries this deployment's key a second time", strings.Join(fresh, ", "))
	return true
}

// applyPipelineOrphaned watches for the pipeline: one that has no workflow yet can be canceled only
// when it has.
func applyPipelineOrphaned(f *transition, e PipelineOrphaned) bool {
	f.note("stray", "canceled pipeline %s: it came too late for this deployment", e.PipelineID)
	f.Duplicates = append(slices.Clip(f.Duplicates), e.PipelineID)
	if f.Target.CarriesKey && f.State != Unconfirmed {
		f.watchForDuplicates()
		f.DuplicateDue = f.now.Add(duplicateRetry)
	}
	return true
}

func applyClaimed(f *transition, e Claimed) bool {
	if len(f.Attempts) == 0 {
		return false
	}
	f.outcome("claimed")
	f.adopt(PipelineFacts{ID: e.PipelineID}, ByClaim)
	return true
}

// applyClaimedAgain lets the jobs of the deployment's own pipeline go on, and no other's, and none
// while it is being stopped.
func applyClaimedAgain(f *transition, e Claimed) bool {
	return f.Pipeline != nil && f.Pipeline.ID == e.PipelineID && f.Stopping.IsZero()
}

func applyPipelineReassigned(f *transition, _ PipelineReassigned) bool {
	if f.Pipeline == nil || f.Pipeline.By != ByWindow {
		return false
	}

	f.note("displaced", "pipeline %s was proven to be another deployment's", f.Pipeline.ID)
	f.Pipeline, f.StartedAt = nil, time.Time{}
	f.DuplicateUntil, f.DuplicateDue = time.Time{}, time.Time{} // the look-up looks for the key anyway
	f.to(Unconfirmed)
	f.LookDue = f.now

	return true
}

// lookupDeadline is the moment from which a look-up may conclude that nothing was started.
func (f *transition) lookupDeadline() time.Time { return f.Machine.LookupDeadline(f.Deployment) }

// LookupDeadline is the moment from which a look-up may conclude that the last attempt started
// nothing.
func (r Machine) LookupDeadline(d Deployment) time.Time {
	return d.LastAttempt().SendBefore.Add(r.TriggerTimeout + r.LookupGrace)
}

func (f *transition) projectURL() string {
	slug := f.Project.Slug
	if slug == "" {
		slug = f.Target.Project
	}
	return f.AppURL + "/pipelines/" + slug
}
