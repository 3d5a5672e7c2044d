package deployment

import (
	"fmt"
	"sort"
	"time"
)

// Lookup is all that one look-up of a lost trigger learnt.
type Lookup struct {
	Listing  Listing
	Known    map[string]KnownPipeline // what the store remembers of the listed pipelines
	Evidence map[string]KeyEvidence   // of each of Suspects
	Control  Control
}

// Control is the newest pipeline claimed in the project: a list that does not show it proves
// nothing by what it lacks.
type Control struct {
	PipelineID string // empty: none was ever claimed there
	ShowsKey   bool   // its own key can be read there, so a pipeline without a key is somebody else's
}

// Suspects are the listed pipelines that may be the lost one: not claimed, young enough, started
// through the API by our user.
func (d Deployment) Suspects(l Listing, known map[string]KnownPipeline) []PipelineFacts {
	since := d.LookSince(l.Offset)
	seen := map[string]bool{}
	var suspects []PipelineFacts
	for _, list := range [][]PipelineFacts{l.Mine, l.Project} {
		for _, p := range list {
			k := known[p.ID]
			switch {
			case seen[p.ID], p.CreatedAt.Before(since), k.Row != 0, k.Unclaimed && !d.Target.CarriesKey, !ours(p, l):
				continue
			}

			seen[p.ID] = true
			suspects = append(suspects, p)
		}
	}

	sort.Slice(suspects, func(i, j int) bool { return suspects[i].CreatedAt.Before(suspects[j].CreatedAt) })
	return suspects
}

// ours says whether our user may have started a pipeline through the API. What is not shown counts
// as possible.
func ours(p PipelineFacts, l Listing) bool {
	if p.TriggerType != "" && p.TriggerType != "api" && p.TriggerType != "explicit" {
		return false
	}
	if p.ActorID != "" && l.MeID != "" {
		return p.ActorID == l.MeID
	}
	return p.ActorLogin == "" || l.Me == "" || p.ActorLogin == l.Me
}

// Judge says what a look-up means: found by the key, found because it can be no other, absent, not
// clear yet, or for ever in doubt.
func (r Machine) Judge(d Deployment, l Lookup, now time.Time) Event {
	suspects := d.Suspects(l.Listing, l.Known)
	var keyed, possible []PipelineFacts
	var foreign []string
	for _, p := range suspects {
		switch d.weigh(p, l) {
		case KeyFound:
			keyed = append(keyed, p)
		case KeyUnreadable:
			possible = append(possible, p)
		default:
			foreign = append(foreign, p.ID)
		}
	}

	if len(keyed) > 0 {
		return found(keyed)
	}
	if !d.Target.CarriesKey {
		return r.judgeWithoutKey(d, l, possible, now)
	}

	return r.judgeWithKey(d, l, possible, foreign, now)
}

// weigh says what is known of one suspect. A readable pipeline without the key is somebody else's
// only where another pipeline of the project shows its own key; the config may simply not use the
// parameter.
func (d Deployment) weigh(p PipelineFacts, l Lookup) KeyEvidence {
	evidence := l.Evidence[p.ID]
	switch {
	case !d.Target.CarriesKey, evidence == "":
		return KeyUnreadable
	case evidence == KeyAbsent && (!l.Control.ShowsKey || unsettled(p.State)):
		return KeyUnreadable
	default:
		return evidence
	}
}

func found(keyed []PipelineFacts) Event {
	f := LookupFound{Pipeline: keyed[0], By: ByKey}
	for _, twin := range keyed[1:] {
		f.Duplicates = append(f.Duplicates, twin.ID)
	}
	return f
}

func (r Machine) judgeWithKey(d Deployment, l Lookup, possible []PipelineFacts, foreign []string, now time.Time) Event {
	deadline := r.LookupDeadline(d)
	switch {
	case now.Before(deadline):
		return LookupPending{Cause: "CircleCI may still show it"}
	case len(possible) == 1 && l.Evidence[possible[0].ID] == KeyUnreadable && d.fits(possible[0], l.Listing):
		return LookupFound{Pipeline: possible[0], By: ByWindow}
	case len(possible) > 0:
		return r.doubtAfter(
			now,
			deadline,
			fmt.Sprintf("%d pipelines may be it, and do not show whether they carry its key", len(possible)),
		)
	case !l.complete():
		return LookupPending{Cause: "CircleCI's lists could not be read to the end"}
	case !l.controlled():
		return r.doubtAfter(
			now,
			deadline,
			"CircleCI's lists do not show the newest known pipeline of the project, so what they lack proves nothing",
		)
	default:
		return LookupAbsent{Unclaimed: foreign}
	}
}

func (r Machine) judgeWithoutKey(d Deployment, l Lookup, possible []PipelineFacts, now time.Time) Event {
	deadline := r.LookupDeadline(d)
	switch {
	case len(possible) == 1 && d.fits(possible[0], l.Listing) && (d.Looks >= 2 || l.complete() && !now.Before(deadline)):
		return LookupFound{Pipeline: possible[0], By: ByWindow}
	case now.Before(deadline), !l.complete():
		return LookupPending{Cause: "CircleCI may still show it"}
	default:
		return LookupInconclusive{
			Reason: fmt.Sprintf("%d pipelines may be it; the route sends no key that would tell", len(possible)),
		}
	}
}

// doubtAfter waits once more as long as the look-up took before it gives up for ever.
func (r Machine) doubtAfter(now, deadline time.Time, reason string) Event {
	if now.Before(deadline.Add(r.LookupGrace)) {
		return LookupPending{Cause: reason}
	}
	return LookupInconclusive{Reason: reason}
}

// fits says whether a pipeline matches what was asked for: the ref, the revision where it must
// match, and the time of the attempt.
func (d Deployment) fits(p PipelineFacts, l Listing) bool {
	a := d.LastAttempt()
	if p.CreatedAt.Before(a.Intent.Add(l.Offset - time.Minute)) {
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

// complete says whether at least the project's list was read as far back as it must be.
func (l Lookup) complete() bool { return l.Listing.ProjectComplete || l.Listing.MineComplete }

// controlled says whether a complete list shows the control. Where none was ever claimed, only the
// project's own list can speak.
func (l Lookup) controlled() bool {
	if l.Control.PipelineID == "" {
		return l.Listing.ProjectComplete
	}
	return l.Listing.ProjectComplete && shows(l.Listing.Project, l.Control.PipelineID) ||
		l.Listing.MineComplete && shows(l.Listing.Mine, l.Control.PipelineID)
}

func shows(list []PipelineFacts, id string) bool {
	for _, p := range list {
		if p.ID == id {
			return true
		}
	}
	return false
}
