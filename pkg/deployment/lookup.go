package deployment

import (
	"fmt"
	"slices"
	"time"
)

// Lookup is what one look-up of an unconfirmed trigger found out. The engine gathers it; EvaluateLookup
// decides what it means.
type Lookup struct {
	Listing  Listing
	Known    map[string]KnownPipeline // what is on record about the listed pipelines, by their ids
	Evidence map[string]KeyEvidence   // of each of Candidates, by their ids; empty unless the target carries its key
	Control  Control
	Failure  string // what could not be read: only a pipeline that shows the key proves something then
}

// Control is what pipelines of the project that belong to other deployments show.
type Control struct {
	// PipelineID is the newest of them; empty: there is none yet. CircleCI's lists certainly have it, so
	// a list that does not show it is not complete, and what else it lacks proves nothing.
	PipelineID string

	// ShowsKey: the newest of them with a compiled configuration from the same place shows its own key,
	// so the deployment's key would be seen in a pipeline with a compiled configuration as well.
	ShowsKey bool
}

// LookupDeadline returns the moment from which a look-up may conclude that the last attempt started
// nothing: its request cannot arrive any more, and CircleCI has had LookupGrace to show the pipeline.
func (m Machine) LookupDeadline(d Deployment) time.Time {
	return d.LastAttempt().SendBefore.Add(m.TriggerTimeout + m.LookupGrace)
}

func (t *transition) lookupDeadline() time.Time { return t.LookupDeadline(t.Deployment) }

// Candidates returns the listed pipelines that the unconfirmed trigger may have started, oldest first:
// those that belong to no deployment, are not older than the first attempt, and were started through
// the API by our user.
func (d Deployment) Candidates(l Listing, known map[string]KnownPipeline) []PipelineFacts {
	since := d.LookupSince(l.Offset)
	seen := map[string]bool{}
	var candidates []PipelineFacts
	for _, p := range slices.Concat(l.Mine, l.Project) {
		k := known[p.ID]
		// One that an earlier look-up saw and left alone can only be recognized by its key.
		leftAlone := k.Unclaimed && !d.Target.CarriesKey
		if seen[p.ID] || p.CreatedAt.Before(since) || k.Row != 0 || leftAlone || !mayBeOurs(p, l) {
			continue
		}

		seen[p.ID] = true
		candidates = append(candidates, p)
	}

	slices.SortFunc(candidates, func(a, b PipelineFacts) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return candidates
}

// mayBeOurs says whether our user may have started a pipeline through the API. What CircleCI does
// not show counts as possible.
func mayBeOurs(p PipelineFacts, l Listing) bool {
	if p.TriggerType != "" && p.TriggerType != "api" && p.TriggerType != "explicit" {
		return false
	}
	if p.ActorID != "" && l.MeID != "" {
		return p.ActorID == l.MeID
	}
	return p.ActorLogin == "" || l.Me == "" || p.ActorLogin == l.Me
}

// EvaluateLookup decides what a look-up means: LookupFound, LookupAbsent, LookupPending or
// LookupInconclusive. now is the moment before the first question: the answers may be as of then.
//
// The key decides where a pipeline shows it, whatever else could not be read. Where none does, the
// look-up waits until everything could be read, and for the deadline.
// Then a single pipeline that matches the attempt and cannot be read is adopted without proof; no
// pipeline at all is proof of absence, if the lists were complete and show the control; and what
// remains ambiguous gets LookupGrace once more before it counts as inconclusive.
//
// A pipeline whose configuration CircleCI could not compile runs nothing, now or later. One that matches the
// attempt is adopted like any other that cannot be read, so that the deployment ends with CircleCI's words. One
// that does not match is left alone: if it were the deployment's after all, another attempt would still be the
// only one that runs.
func (m Machine) EvaluateLookup(d Deployment, l Lookup, now time.Time) Event {
	var withKey, possible []PipelineFacts
	var unclaimed []string
	for _, p := range d.Candidates(l.Listing, l.Known) {
		switch d.evidenceOf(p, l) {
		case KeyFound:
			withKey = append(withKey, p)
		case KeyUnreadable:
			if !l.Known[p.ID].Unclaimed { // else only its key could make it ours
				possible = append(possible, p)
			}
		case KeyNotCompiled:
			if !l.Known[p.ID].Unclaimed && d.matchesAttempt(p, l.Listing) {
				possible = append(possible, p)
			} else {
				unclaimed = append(unclaimed, p.ID)
			}
		default:
			unclaimed = append(unclaimed, p.ID)
		}
	}

	if len(withKey) > 0 {
		return foundByKey(withKey)
	}
	if l.Failure != "" {
		return LookupPending{Cause: l.Failure}
	}
	if !d.Target.CarriesKey {
		return m.evaluateWithoutKey(d, l, possible, now)
	}
	return m.evaluateWithKey(d, l, possible, unclaimed, now)
}

// evidenceOf returns what is known of one candidate. A pipeline without the key is somebody else's
// only where the control shows its own key: the configuration may simply not use the parameter.
// Before CircleCI has compiled it, it cannot show the key. That CircleCI never will, the pipeline's state
// says.
func (d Deployment) evidenceOf(p PipelineFacts, l Lookup) KeyEvidence {
	evidence := l.Evidence[p.ID]
	switch {
	case !d.Target.CarriesKey, evidence == "":
		return KeyUnreadable
	case evidence == KeyAbsent && (!l.Control.ShowsKey || configPending(p.State)):
		return KeyUnreadable
	case evidence == KeyNotCompiled && p.State != "errored":
		return KeyUnreadable
	default:
		return evidence
	}
}

// foundByKey adopts the oldest of the pipelines with the key; the others are duplicates.
func foundByKey(withKey []PipelineFacts) Event {
	found := LookupFound{Pipeline: withKey[0], By: ByKey}
	for _, duplicate := range withKey[1:] {
		found.Duplicates = append(found.Duplicates, duplicate.ID)
	}
	return found
}

// evaluateWithKey decides for a target that carries its key when no candidate shows it.
func (m Machine) evaluateWithKey(
	d Deployment,
	l Lookup,
	possible []PipelineFacts,
	unclaimed []string,
	now time.Time,
) Event {
	deadline := m.LookupDeadline(d)
	if now.Before(deadline) {
		return LookupPending{Cause: "CircleCI may still show it"}
	}

	switch {
	case len(possible) == 1 && l.cannotRead(possible[0]) && d.matchesAttempt(possible[0], l.Listing):
		return LookupFound{Pipeline: possible[0], By: ByWindow}
	case len(possible) > 0:
		reason := fmt.Sprintf("%d pipelines may be it and do not show whether they carry its key", len(possible))
		return m.inconclusiveAfterGrace(now, deadline, reason, append(unclaimed, idsOf(possible)...))
	case !l.complete():
		return LookupPending{Cause: "CircleCI's lists could not be read to the end"}
	case !l.showsControl() && !l.Listing.ProjectComplete:
		return LookupPending{Cause: "CircleCI's list of the project could not be read to the end"}
	case !l.showsControl():
		reason := "CircleCI's lists do not show the newest known pipeline of the project, so they may lack this one too"
		return m.inconclusiveAfterGrace(now, deadline, reason, unclaimed)
	default:
		return LookupAbsent{Unclaimed: unclaimed}
	}
}

// cannotRead says whether a pipeline shows nothing by which its key could be recognized, and not a compiled
// configuration without the key.
func (l Lookup) cannotRead(p PipelineFacts) bool {
	return l.Evidence[p.ID] == KeyUnreadable || l.Evidence[p.ID] == KeyNotCompiled
}

// evaluateWithoutKey decides for a target that does not carry its key. Absence cannot be proven then:
// any pipeline of ours may be the one.
func (m Machine) evaluateWithoutKey(d Deployment, l Lookup, possible []PipelineFacts, now time.Time) Event {
	beforeDeadline := now.Before(m.LookupDeadline(d))
	if len(possible) == 1 && d.matchesAttempt(possible[0], l.Listing) {
		// The third look-up is enough, or the first complete one after the deadline.
		if d.Polls >= 2 || l.complete() && !beforeDeadline {
			return LookupFound{Pipeline: possible[0], By: ByWindow}
		}
	}

	if beforeDeadline || !l.complete() {
		return LookupPending{Cause: "CircleCI may still show it"}
	}

	return LookupInconclusive{
		Reason:    fmt.Sprintf("%d pipelines may be it, and the route sends no key to tell them apart", len(possible)),
		Unclaimed: idsOf(possible),
	}
}

// inconclusiveAfterGrace waits for LookupGrace once more after the deadline before it gives up. The
// pipelines that were seen are remembered then: the next deployment's attempt cannot have started them.
func (m Machine) inconclusiveAfterGrace(now, deadline time.Time, reason string, seen []string) Event {
	if now.Before(deadline.Add(m.LookupGrace)) {
		return LookupPending{Cause: reason}
	}
	return LookupInconclusive{Reason: reason, Unclaimed: seen}
}

func idsOf(pipelines []PipelineFacts) []string {
	var ids []string
	for _, p := range pipelines {
		ids = append(ids, p.ID)
	}
	return ids
}

// matchesAttempt says whether a pipeline fits the last attempt: created after it (with a minute for
// clocks), on its ref, and on the deployment's commit where the route wants that. What CircleCI does
// not show fits.
func (d Deployment) matchesAttempt(p PipelineFacts, l Listing) bool {
	a := d.LastAttempt()
	if p.CreatedAt.Before(a.IntendedAt.Add(l.Offset - time.Minute)) {
		return false
	}
	if p.Revision != "" && d.Target.Revision == RevisionStrict && p.Revision != d.Request.SHA {
		return false
	}
	if a.Ref.Kind == RefTag {
		return p.Tag == a.Ref.Name || p.Tag == "" && p.Branch == ""
	}
	return p.Branch == a.Ref.Name || p.Branch == "" && p.Tag == ""
}

// complete says whether one of the two lists was read as far back as it must be.
func (l Lookup) complete() bool { return l.Listing.ProjectComplete || l.Listing.MineComplete }

// showsControl says whether a complete list shows the control. Where there is no control, only the
// project's own list counts: the list of our user may be empty for another reason.
func (l Lookup) showsControl() bool {
	control := l.Control.PipelineID
	if control == "" {
		return l.Listing.ProjectComplete
	}
	return l.Listing.ProjectComplete && contains(l.Listing.Project, control) ||
		l.Listing.MineComplete && contains(l.Listing.Mine, control)
}

func contains(list []PipelineFacts, id string) bool {
	return slices.ContainsFunc(list, func(p PipelineFacts) bool { return p.ID == id })
}
