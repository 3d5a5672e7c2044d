package policy

import "fmt"

// Held says that somebody else has the lock.
type Held struct{ Lock Lock }

// Error names the lock and its owner.
func (h *Held) Error() string {
	return fmt.Sprintf("%s is locked by %s: %s", h.Lock.covers(), h.Lock.Owner, h.Lock.Reason)
}
