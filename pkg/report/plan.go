package report

import (
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// maxWrites is how many statuses are written before the final one.
const maxWrites = 10

const (
	deliverFor = 24 * time.Hour // how long a status is tried
	// how long a write without an answer may still take effect; nothing newer is written before
	lateFor = 20 * time.Second
)

// How far ahead the times of a report can be; GitHub's longest window is an hour. What is further ahead was
// stored by a clock that has been set back since, and does not count.
const (
	longestRetry = 2 * time.Hour
	longestDelay = time.Minute
)

// notFurther drops a time that is further ahead than limit.
func notFurther(at, now time.Time, limit time.Duration) time.Time {
	if at.Sub(now) > limit {
		return time.Time{}
	}
	return at
}

// Plan is what to do about a deployment's reports now.
type Plan struct {
	Send    *deployment.Report  // the next one to write; nil: none now
	Look    bool                // its last write may have arrived: read the statuses first
	Changed []deployment.Report // reports that will not be written any more
	Due     time.Time           // when to plan again; zero: nothing is pending
}

// MakePlan chooses what to write: the newest pending report before the final one, then the final
// one. Older pending reports are superseded. reports are all reports of one deployment, in order.
func MakePlan(reports []deployment.Report, now time.Time) Plan {
	var plan Plan
	h := summarize(reports, now)
	if h.full {
		plan.giveUp(reports)
		return plan
	}

	if h.unknown != nil {
		plan.choose(h.unknown, nil, h.hold, now)
		plan.Look = plan.Send != nil
		return plan
	}

	before := h.before
	if before != nil && h.skips(*before, now) {
		before = nil
	}

	plan.supersede(reports, before, h.final)
	plan.choose(before, h.final, h.hold, now)
	return plan
}

// history is what the reports of a deployment say about the next one.
type history struct {
	full    bool               // GitHub takes no more statuses
	writes  int                // statuses that were written before the final one
	newest  int                // Seq of the newest report that was written, or may have been
	last    *deployment.Report // the last written one that is not final
	unknown *deployment.Report // of unknown outcome
	before  *deployment.Report // the newest pending one that is not final
	final   *deployment.Report // the newest pending final one
	hold    time.Time          // GitHub wants no write before
}

func summarize(reports []deployment.Report, now time.Time) history {
	var h history
	for i := range reports {
		r := &reports[i]
		if retry := notFurther(r.RetryAt, now, longestRetry); r.Tries > 0 && retry.After(h.hold) {
			h.hold = retry // GitHub's wish to wait holds for all reports of the deployment
		}

		switch {
		case r.Status == deployment.ReportFull:
			h.full = true
		case r.Status == deployment.ReportUnknown:
			h.unknown, h.newest = r, r.Seq
		case r.Status == deployment.ReportSent && !r.Final:
			h.writes, h.newest, h.last = h.writes+1, r.Seq, r
		case r.Status == deployment.ReportSent:
			h.newest = r.Seq
		case r.Status == deployment.ReportPending && r.Final:
			h.final = r
		case r.Status == deployment.ReportPending:
			h.before = r
		}
	}

	return h
}

// skips reports whether a pending report before the final one need not be written: a newer one was
// written, the last one said the same, there were too many writes, or the final one comes first.
func (h history) skips(before deployment.Report, now time.Time) bool {
	switch {
	case before.Seq < h.newest:
		return true
	case h.last != nil && sameText(before, *h.last):
		return true
	case h.writes >= writesBefore(before):
		return true
	default:
		return h.final != nil && notBefore(before, now).After(now)
	}
}

// notBefore is when a report may be written at the earliest.
func notBefore(r deployment.Report, now time.Time) time.Time {
	retry, earliest := notFurther(r.RetryAt, now, longestRetry), notFurther(r.NotBefore, now, longestDelay)
	if retry.After(earliest) {
		return retry
	}
	return earliest
}

// writesBefore is how many statuses may have been written before a report. What a deployment waits
// for may change many times; some writes are kept for what happens afterwards.
func writesBefore(r deployment.Report) int {
	if r.State == deployment.GitHubQueued {
		return maxWrites - 3
	}
	return maxWrites
}

// choose takes the report before the final one first, when its time has come.
func (p *Plan) choose(before, final *deployment.Report, hold, now time.Time) {
	next := before
	if next == nil {
		next = final
	}

	switch {
	case next == nil:
	case hold.After(now):
		p.Due = hold
	case notBefore(*next, now).After(now):
		p.Due = notBefore(*next, now)
	default:
		p.Send, p.Due = next, now
	}
}

// supersede ends the pending reports that are not kept.
func (p *Plan) supersede(reports []deployment.Report, keep ...*deployment.Report) {
	for _, r := range reports {
		kept := r.Status != deployment.ReportPending
		for _, k := range keep {
			kept = kept || k != nil && k.Seq == r.Seq
		}

		if !kept {
			r.Status = deployment.ReportSuperseded
			p.Changed = append(p.Changed, r)
		}
	}
}

// giveUp ends all reports that were not written, because GitHub takes no more statuses.
func (p *Plan) giveUp(reports []deployment.Report) {
	for _, r := range reports {
		if r.Status == deployment.ReportPending || r.Status == deployment.ReportUnknown {
			r.Status = deployment.ReportFull
			p.Changed = append(p.Changed, r)
		}
	}
}

// BeforeWrite is the report as it is stored before it is written: if the process ends before the
// answer is stored, the next one reads GitHub's statuses first.
func BeforeWrite(r deployment.Report, now time.Time) deployment.Report {
	r.Status, r.TriedAt, r.RetryAt = deployment.ReportUnknown, now, time.Time{}
	r.Tries++
	return r
}

// AfterWrite is the report after one attempt to write it. due is when to plan again; zero: at once.
// entry is a line for the timeline; nil: none.
func AfterWrite(
	r deployment.Report,
	o deployment.WriteOutcome,
	now time.Time,
) (after deployment.Report, due time.Time, entry *deployment.Entry) {
	if o.Kind != deployment.WriteUnknown || !o.Late {
		r.TriedAt = time.Time{}
	}

	switch o.Kind {
	case deployment.WritePaced:
		r.Status = deployment.ReportPending
		r.Tries--
		r.RetryAt = now.Add(max(o.After, 10*time.Millisecond))
		return r, r.RetryAt, nil
	case deployment.WriteDone:
		r.Status, r.StatusID, r.SentAt = deployment.ReportSent, o.StatusID, now
		return r, time.Time{}, nil
	case deployment.WriteFull:
		r.Status = deployment.ReportFull
		return r, time.Time{}, newEntry(now, "report_full", r, o.Cause)
	case deployment.WriteDropped:
		r.Status = deployment.ReportDropped
		return r, time.Time{}, newEntry(now, "report_dropped", r, o.Cause)
	case deployment.WriteRetry:
		r.Status = deployment.ReportPending
	case deployment.WriteUnknown:
		r.Status = deployment.ReportUnknown
	}

	if now.Sub(r.CreatedAt) >= deliverFor {
		r.Status = deployment.ReportUndeliverable
		return r, time.Time{}, newEntry(now, "undeliverable", r, o.Cause)
	}

	r.RetryAt = now.Add(min(max(o.After, deployment.Backoff(r.Tries, 5*time.Minute)), longestRetry))
	return r, r.RetryAt, nil
}

// AfterLook is a report of unknown outcome after the deployment's statuses were read: sent if it is
// among them, pending again if it is not and can no longer arrive. Only statuses with an id above
// newest count, which is the largest id that is stored for the deployment: older ones were written
// before a backup was restored. asked is the moment before the question: the answer may be as of then, however
// late it came. again is when to read the statuses again; zero: no need.
func AfterLook(
	r deployment.Report,
	statuses []deployment.Status,
	newest int64,
	asked time.Time,
) (after deployment.Report, again time.Time) {
	for _, s := range statuses {
		if s.ID > newest && r.Matches(s) {
			r.Status, r.StatusID, r.SentAt, r.TriedAt = deployment.ReportSent, s.ID, asked, time.Time{}
			return r, time.Time{}
		}
	}

	if r.TriedAt.After(asked) { // the clock was set back since
		r.TriedAt = asked
	}
	if !r.TriedAt.IsZero() && asked.Sub(r.TriedAt) < lateFor {
		r.RetryAt = asked.Add(max(time.Second, asked.Sub(r.TriedAt)/2))
		return r, r.RetryAt
	}

	r.Status, r.TriedAt, r.RetryAt = deployment.ReportPending, time.Time{}, time.Time{}
	return r, time.Time{}
}

func sameText(a, b deployment.Report) bool {
	return a.State == b.State && a.Description == b.Description && a.LogURL == b.LogURL
}

func newEntry(now time.Time, event string, r deployment.Report, cause string) *deployment.Entry {
	e := deployment.ReportEntry(now, event, r, cause)
	return &e
}
