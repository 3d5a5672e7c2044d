package policy

import "fmt"

// LockedError says that somebody else has the lock.
type LockedError struct{ Lock Lock }

// Error names the lock and its owner.
func (h *LockedError) Error() string {
	return fmt.Sprintf("%s is locked by %s: %s", h.Lock.covers(), h.Lock.Owner, h.Lock.Reason)
}
