package deployment

import (
	"fmt"
	"time"
)

// MaxWrites is how many statuses are written before the end.
const MaxWrites = 10

const (
	deliverFor = 24 * time.Hour // how long a status is tried
	// how long a write without answer may still take effect; nothing newer is written before
	lateFor = 20 * time.Second
)

// ReportPlan is what to do about a deployment's reports now.
type ReportPlan struct {
	Send    *Report   // the next one to write; nil: none now
	Look    bool      // its last write may have arrived: read the statuses first
	Changed []Report  // reports whose fate was decided
	Due     time.Time // when to come back; zero: nothing is owed
}

// PlanReports coalesces what is owed: the newest word before the end, then the end. All reports of
// one deployment are given, in order.
func PlanReports(reports []Report, now time.Time) ReportPlan {
	full, writes, heard, hold := false, 0, 0, time.Time{}
	var before, end, unknown, last *Report
	for i := range reports {
		r := &reports[i]
		full = full || r.Status == ReportFull
		if r.Tries > 0 && r.RetryAt.After(hold) {
			hold = r.RetryAt // what GitHub said to one is said to all
		}

		switch {
		case r.Status == ReportUnknown:
			unknown, heard = r, r.Seq
		case r.Status == ReportSent && !r.Final:
			writes, heard, last = writes+1, r.Seq, r
		case r.Status == ReportSent:
			heard = r.Seq
		case r.Status == ReportPending && r.Final:
			end = r
		case r.Status == ReportPending:
			before = r
		}
	}

	if before != nil && (before.Seq < heard || last != nil && before.says(*last)) {
		before = nil // something newer is out already, or this very word was the last one
	}

	plan := ReportPlan{}
	if full {
		plan.giveUp(reports)
		return plan
	}

	if unknown != nil {
		plan.choose(unknown, nil, hold, now)
		plan.Look = plan.Send != nil
		return plan
	}

	if before != nil && (writes >= before.mostWrites() || end != nil && before.notBefore().After(now)) {
		before = nil
	}

	plan.supersede(reports, before, end)
	plan.choose(before, end, hold, now)
	return plan
}

// notBefore is when a report may go: when it is worth it, and the pace allows it.
func (r Report) notBefore() time.Time {
	if r.RetryAt.After(r.NotBefore) {
		return r.RetryAt
	}
	return r.NotBefore
}

// mostWrites is how many statuses may have been written before this one. What it waits for may
// change many times: that must leave room for what happens then.
func (r Report) mostWrites() int {
	if r.State == GitHubQueued {
		return MaxWrites - 3
	}
	return MaxWrites
}

// choose sends the word before the end first, when its time has come.
func (p *ReportPlan) choose(before, end *Report, hold, now time.Time) {
	next := before
	if next == nil {
		next = end
	}

	switch {
	case next == nil:
	case hold.After(now):
		p.Due = hold
	case next.notBefore().After(now):
		p.Due = next.notBefore()
	default:
		p.Send, p.Due = next, now
	}
}

func (p *ReportPlan) supersede(reports []Report, keep ...*Report) {
	for _, r := range reports {
		kept := r.Status != ReportPending
		for _, k := range keep {
			kept = kept || k != nil && k.Seq == r.Seq
		}

		if !kept {
			r.Status = ReportSuperseded
			p.Changed = append(p.Changed, r)
		}
	}
}

func (p *ReportPlan) giveUp(reports []Report) {
	for _, r := range reports {
		if r.Status == ReportPending || r.Status == ReportUnknown {
			r.Status = ReportFull
			p.Changed = append(p.Changed, r)
		}
	}
}

// BeforeWrite is the report as it must be on record before it is sent: if the process ends before
// the answer is recorded, the next one looks first.
func BeforeWrite(r Report, now time.Time) Report {
	r.Status, r.TriedAt, r.RetryAt = ReportUnknown, now, time.Time{}
	r.Tries++
	return r
}

// AfterWrite is the report after one attempt to write it, when to come back for it or for the next
// one (zero: at once), and what the timeline says of it, if anything.
func AfterWrite(r Report, o WriteOutcome, now time.Time) (Report, time.Time, *Entry) {
	if o.Kind != WriteUnknown || !o.Late {
		r.TriedAt = time.Time{}
	}

	switch o.Kind {
	case WritePaced:
		r.Status = ReportPending
		r.Tries--
		r.RetryAt = now.Add(max(o.After, 10*time.Millisecond))
		return r, r.RetryAt, nil
	case WriteRetry:
		r.Status = ReportPending
	case WriteDone:
		r.Status, r.StatusID, r.SentAt = ReportSent, o.StatusID, now
		return r, time.Time{}, nil
	case WriteFull:
		r.Status = ReportFull
		return r, time.Time{}, entry(now, "report_full", r, o.Cause)
	case WriteDropped:
		r.Status = ReportDropped
		return r, time.Time{}, entry(now, "report_dropped", r, o.Cause)
	case WriteUnknown:
		r.Status = ReportUnknown
	}

	if now.Sub(r.CreatedAt) >= deliverFor {
		r.Status = ReportUndeliverable
		return r, time.Time{}, entry(now, "undeliverable", r, o.Cause)
	}

	r.RetryAt = now.Add(max(o.After, backoff(r.Tries, 5*time.Minute)))
	return r, r.RetryAt, nil
}

// AfterLook is a report of unknown outcome after the deployment's statuses were read: sent if it is
// among them, owed again if it is not and can no longer come. newest is the largest status id on
// record for the deployment: what is not newer was written in an earlier life, before a backup was
// restored. The time says when to look again, zero: no need.
func AfterLook(r Report, statuses []Status, newest int64, now time.Time) (Report, time.Time) {
	for _, s := range statuses {
		if s.ID > newest && r.matches(s) {
			r.Status, r.StatusID, r.SentAt, r.TriedAt = ReportSent, s.ID, now, time.Time{}
			return r, time.Time{}
		}
	}

	if !r.TriedAt.IsZero() && now.Sub(r.TriedAt) < lateFor {
		r.RetryAt = now.Add(max(time.Second, now.Sub(r.TriedAt)/2))
		return r, r.RetryAt
	}

	r.Status, r.TriedAt, r.RetryAt = ReportPending, time.Time{}, time.Time{}
	return r, time.Time{}
}

func (r Report) says(other Report) bool {
	return r.State == other.State && r.Description == other.Description && r.LogURL == other.LogURL
}

func (r Report) matches(s Status) bool {
	return s.State == r.State && s.Description == r.Description && s.LogURL == r.LogURL
}

// UnknownStatuses are the statuses that none of the reports explains: somebody else handled the
// deployment, or we did and forgot it. A report explains a status that says the same even if no try
// of it is on record: the process may have ended right after the try.
func UnknownStatuses(statuses []Status, reports []Report) []Status {
	var strangers []Status
	for _, s := range statuses {
		explained := false
		for _, r := range reports {
			explained = explained || r.StatusID == s.ID || r.matches(s)
		}

		if !explained {
			strangers = append(strangers, s)
		}
	}

	return strangers
}

func entry(now time.Time, event string, r Report, cause string) *Entry {
	return &Entry{At: now, Event: event, Detail: fmt.Sprintf("%s %q: %s", r.State, r.Description, clean(cause))}
}
