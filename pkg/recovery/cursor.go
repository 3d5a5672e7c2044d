package recovery

import (
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// cursor is how far the deliveries of a hook have been read. GitHub lists the newest first. It is
// stored as JSON in the note of the hook's lease.
type cursor struct {
	Read   time.Time `json:"read"`             // all older deliveries have been read
	Newest time.Time `json:"top,omitzero"`     // the newest delivery of a reading that was interrupted
	Page   string    `json:"cursor,omitempty"` // where that reading goes on; empty: none was interrupted

	// Refused are deliveries that GitHub could not be asked to repeat, because it failed. They are
	// behind the cursor, and are asked for again before the reading goes on.
	Refused []refusedDelivery `json:"again,omitempty"`
}

// refusedDelivery is a delivery whose repetition GitHub failed to take.
type refusedDelivery struct {
	ID   int64     `json:"id"`
	GUID string    `json:"guid"`
	Code int       `json:"code"`
	At   time.Time `json:"at"`
}

// refuse returns the cursor with one more delivery to ask for again.
func (c cursor) refuse(d webhook.HookDelivery) cursor {
	c.Refused = append(slices.Clone(c.Refused), refusedDelivery{
		ID:   d.ID,
		GUID: d.GUID,
		Code: d.Code,
		At:   d.At,
	})
	return c
}

// hasRefused says whether a delivery is among those to ask for again.
func (c cursor) hasRefused(d webhook.HookDelivery) bool {
	return slices.ContainsFunc(c.Refused, func(r refusedDelivery) bool { return r.GUID == d.GUID })
}

// takeRefused returns the cursor without its refused deliveries, and those of them that GitHub can
// still repeat.
func (c cursor) takeRefused(now time.Time) (cursor, []webhook.HookDelivery) {
	var again []webhook.HookDelivery
	for _, d := range c.Refused {
		if !d.At.Before(now.Add(-redeliveryWindow)) {
			again = append(again, webhook.HookDelivery{
				ID:   d.ID,
				GUID: d.GUID,
				Code: d.Code,
				At:   d.At,
			})
		}
	}

	c.Refused = nil
	return c, again
}

// redeliveryWindow is how long after an event GitHub can deliver it again ("Redelivering webhooks";
// Enterprise Server: 7 days).
const redeliveryWindow = 3 * 24 * time.Hour

// readOverlap is how much is read again, because GitHub lists deliveries that are under way late.
const readOverlap = 10 * time.Minute

// read takes one page of deliveries. failed are its deployment events, newest first, for which the
// page shows no success. more says whether the reading goes on with the page at next.
func (c cursor) read(
	page []webhook.HookDelivery,
	next string,
	now time.Time,
) (after cursor, failed []webhook.HookDelivery, more bool) {
	oldest := now.Add(-redeliveryWindow)
	if c.Read.After(oldest) {
		oldest = c.Read.Add(-readOverlap)
	}
	if len(page) > 0 && c.Page == "" {
		c.Newest = page[0].At
	}

	delivered := map[string]bool{}
	for _, d := range page {
		delivered[d.GUID] = delivered[d.GUID] || d.Code/100 == 2
	}

	last := next == ""
	for _, d := range page {
		if d.At.Before(oldest) {
			last = true
			break
		}

		known := slices.ContainsFunc(failed, func(f webhook.HookDelivery) bool { return f.GUID == d.GUID })
		if d.Event == "deployment" && !delivered[d.GUID] && !known {
			failed = append(failed, d)
		}
	}

	if !last {
		c.Page = next
		return c, failed, true
	}

	if !c.Newest.IsZero() {
		c.Read = c.Newest
	}

	c.Newest, c.Page = time.Time{}, ""
	return c, failed, false
}
