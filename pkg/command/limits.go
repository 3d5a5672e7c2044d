package command

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What one person may ask for that may ask GitHub, however they ask: PersonBurst at once, and PersonPerMinute in the
// long run. GitHub allows 5000 calls an hour for everything that this service does, and each request makes a few.
const (
	PersonBurst     = 20
	PersonPerMinute = 10

	// manyPersons is how many limits are kept before those that are unused are dropped.
	manyPersons = 1000
)

// PersonLimits count what people ask for that may ask GitHub. K names a person. The zero value is ready to use, and
// safe for concurrent use.
type PersonLimits[K comparable] struct {
	mu      sync.Mutex
	persons map[K]*rate.Limiter
}

// Of returns the limit of a person.
func (l *PersonLimits[K]) Of(person K, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()

	if known := l.persons[person]; known != nil {
		return known
	}

	if len(l.persons) >= manyPersons {
		for k, old := range l.persons {
			if old.TokensAt(now) >= PersonBurst {
				delete(l.persons, k)
			}
		}
	}

	fresh := rate.NewLimiter(rate.Limit(PersonPerMinute)/60, PersonBurst)
	if l.persons == nil {
		l.persons = map[K]*rate.Limiter{}
	}
	l.persons[person] = fresh
	return fresh
}
