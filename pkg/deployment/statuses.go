package deployment

import (
	"fmt"
	"time"
)

// Matches reports whether a status at GitHub has the text of a report.
func (r Report) Matches(s Status) bool {
	return s.State == r.State && s.Description == r.Description && s.LogURL == r.LogURL
}

// UnknownStatuses returns the statuses that no report explains: somebody else handled the
// deployment, or this service did and its database has lost it. A report with the same text explains
// a status even if no try is recorded, because the process may have ended right after the try.
func UnknownStatuses(statuses []Status, reports []Report) []Status {
	var unknown []Status
	for _, s := range statuses {
		explained := false
		for _, r := range reports {
			explained = explained || r.StatusID == s.ID || r.Matches(s)
		}

		if !explained {
			unknown = append(unknown, s)
		}
	}

	return unknown
}

// AlreadyHandled is the reason of a deployment that is not triggered because GitHub has a status of
// it that this service did not record.
func AlreadyHandled(s Status) string {
	return fmt.Sprintf("already handled: GitHub has a status %q that this service did not record", s.State)
}

// ReportEntry is a line of the timeline about a report that could not be delivered.
func ReportEntry(at time.Time, event string, r Report, cause string) Entry {
	return Entry{At: at, Event: event, Detail: fmt.Sprintf("%s %q: %s", r.State, r.Description, clean(cause))}
}
