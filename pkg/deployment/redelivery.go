package deployment

import (
	"slices"
	"time"
)

// Hook is a webhook at GitHub that sends to this service: its path below the API, such as
// repos/acme/api/hooks/1 or app/hook.
type Hook string

// HookDelivery is one attempt of GitHub to deliver an event.
type HookDelivery struct {
	ID    int64
	GUID  string // the same for all attempts
	Event string
	Code  int // of the answer; 0 when there was none
	At    time.Time
}

// Walk is how far the deliveries of a hook have been read. GitHub lists the newest first.
type Walk struct {
	Read   time.Time `json:"read"`             // everything older has been read
	Top    time.Time `json:"top,omitzero"`     // the newest delivery of a walk that was interrupted
	Cursor string    `json:"cursor,omitempty"` // where that walk goes on; empty: nothing was interrupted
}

// RedeliveryWindow is how long after an event GitHub delivers it again ("Redelivering webhooks";
// Enterprise Server: 7 days).
const RedeliveryWindow = 3 * 24 * time.Hour

// walkOverlap is read again, because deliveries that were under way are listed late.
const walkOverlap = 10 * time.Minute

// Page takes in one page of a hook's deliveries. failed are the events of deployments, newest
// first, of which this page shows no success; more says whether the walk goes on at next.
func (w Walk) Page(page []HookDelivery, next string, now time.Time) (after Walk, failed []HookDelivery, more bool) {
	oldest := now.Add(-RedeliveryWindow)
	if w.Read.After(oldest) {
		oldest = w.Read.Add(-walkOverlap)
	}
	if len(page) > 0 && w.Cursor == "" {
		w.Top = page[0].At
	}

	delivered := map[string]bool{}
	for _, d := range page {
		delivered[d.GUID] = delivered[d.GUID] || d.Code/100 == 2
	}

	end := next == ""
	for _, d := range page {
		if d.At.Before(oldest) {
			end = true
			break
		}

		known := slices.ContainsFunc(failed, func(f HookDelivery) bool { return f.GUID == d.GUID })
		if d.Event == "deployment" && !delivered[d.GUID] && !known {
			failed = append(failed, d)
		}
	}

	if !end {
		w.Cursor = next
		return w, failed, true
	}
	if !w.Top.IsZero() {
		w.Read = w.Top
	}

	w.Top, w.Cursor = time.Time{}, ""
	return w, failed, false
}
