// Package recovery finds deployments whose webhook was lost.
package recovery

import (
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/webhook"
)

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
func (w Walk) Page(page []webhook.HookDelivery, next string, now time.Time) (after Walk, failed []webhook.HookDelivery, more bool) {
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

		known := slices.ContainsFunc(failed, func(f webhook.HookDelivery) bool { return f.GUID == d.GUID })
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
