package deployment

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func applyFound(f *draft, e Found) bool {
	f.outcome("found by " + e.By)
	f.adopt(e.Pipeline, e.By)
	if len(e.Twins) > 0 {
		f.noteTwins(e.Twins)
		f.TwinUntil, f.TwinDue = f.now.Add(TwinWatch), f.now
	}
	return true
}

func applyAbsent(f *draft, e Absent) bool {
	f.outcome("absent")
	f.changes.Foreign = e.Foreign
	f.Retriggers++
	f.note("absent", "CircleCI shows no pipeline of attempt %d", f.LastAttempt().Number)
	if f.now.Sub(f.FirstAt) >= f.StartTimeout {
		f.end(Errored, fmt.Sprintf("CircleCI did not start it within %s", f.StartTimeout), "")
		f.watch()
		return true
	}
	f.to(Waiting)
	f.LookDue = f.now
	return true
}

func applyUnclear(f *draft, e Unclear) bool {
	f.changes.Foreign = e.Foreign
	f.Looks++
	if f.now.Sub(f.lookupDeadline()) > Patience {
		return applyDoubt(f, Doubt{Reason: e.Cause})
	}
	f.lookIn(min(backoff(f.Looks, 15*time.Second), f.untilDeadline()))
	return true
}

// untilDeadline keeps a look-up from oversleeping the moment at which it may conclude.
func (f *draft) untilDeadline() time.Duration {
	if left := f.lookupDeadline().Sub(f.now); left > 0 {
		return left + 10*time.Millisecond
	}
	return 15 * time.Second
}

func applyDoubt(f *draft, e Doubt) bool {
	f.outcome("in doubt")
	f.note("doubt", "%s", clean(e.Reason))
	f.end(Errored, "CircleCI may have started it: look at "+f.projectURL(), f.projectURL())
	if f.Target.CarriesKey {
		f.watch()
	}
	return true
}

// watch looks for pipelines with the key that show up after all, for an hour.
func (f *draft) watch() { f.TwinUntil, f.TwinDue = f.now.Add(TwinWatch), f.now.Add(twinPace) }

func applyWatched(f *draft, e Watched) bool {
	f.TwinDue = f.now.Add(twinPace)
	if f.noteTwins(e.Twins) {
		f.TwinDue = f.now.Add(twinHaste) // what has not begun yet could not be canceled
	}
	if !f.now.Before(f.TwinUntil) {
		f.TwinDue, f.TwinUntil = time.Time{}, time.Time{}
	}
	return true
}

// noteTwins notes each twin once, and says whether there was a new one.
func (f *draft) noteTwins(ids []string) bool {
	fresh := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(f.Twins, id) })
	if len(fresh) == 0 {
		return false
	}
	f.Twins = append(slices.Clip(f.Twins), fresh...)
	f.note("twin", "canceled %s: it carries this deployment's key a second time", strings.Join(fresh, ", "))
	return true
}

// applyStray watches for the pipeline: one that has no workflow yet can be canceled only when it has.
func applyStray(f *draft, e Stray) bool {
	f.note("stray", "canceled pipeline %s: it came too late for this deployment", e.PipelineID)
	f.Twins = append(slices.Clip(f.Twins), e.PipelineID)
	if f.Target.CarriesKey && f.State != Unconfirmed {
		f.watch()
		f.TwinDue = f.now.Add(twinHaste)
	}
	return true
}

func applyClaimed(f *draft, e Claimed) bool {
	if len(f.Attempts) == 0 {
		return false
	}
	f.outcome("claimed")
	f.adopt(PipelineFacts{ID: e.PipelineID}, ByClaim)
	return true
}

// applyClaimedAgain lets the jobs of the deployment's own pipeline go on, and no other's, and none while it is being stopped.
func applyClaimedAgain(f *draft, e Claimed) bool {
	return f.Pipeline != nil && f.Pipeline.ID == e.PipelineID && f.Stopping.IsZero()
}

func applyDisplaced(f *draft, _ Displaced) bool {
	if f.Pipeline == nil || f.Pipeline.By != ByWindow {
		return false
	}
	f.note("displaced", "pipeline %s was proven to be another deployment's", f.Pipeline.ID)
	f.Pipeline, f.StartedAt = nil, time.Time{}
	f.TwinUntil, f.TwinDue = time.Time{}, time.Time{} // the look-up looks for the key anyway
	f.to(Unconfirmed)
	f.LookDue = f.now
	return true
}

// lookupDeadline is the moment from which a look-up may conclude that nothing was started.
func (f *draft) lookupDeadline() time.Time { return f.Rules.LookupDeadline(f.Deployment) }

// LookupDeadline is the moment from which a look-up may conclude that the last attempt started nothing.
func (r Rules) LookupDeadline(d Deployment) time.Time {
	return d.LastAttempt().SendBefore.Add(r.TriggerTimeout + r.LookupGrace)
}

func (f *draft) projectURL() string {
	slug := f.Project.Slug
	if slug == "" {
		slug = f.Target.Project
	}
	return f.AppURL + "/pipelines/" + slug
}
