package slackapp

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What one person may ask for that may ask GitHub: as much as through the API, where pkg/server limits it. GitHub allows
// 5000 calls an hour for everything that this service does, and each request makes a few.
const (
	personBurst     = 20
	personPerMinute = 10

	// manyPersons is how many limits are kept before those that are unused are dropped.
	manyPersons = 1000
)

// limits count the requests of people, by the ids of their accounts at GitHub. They are safe for concurrent use.
type limits struct {
	now     func() time.Time
	allowed *recently // keys of requests

	mu      sync.Mutex
	persons map[int64]*rate.Limiter
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, allowed: newRecently(now, askLife), persons: map[int64]*rate.Limiter{}}
}

// allow counts a request of somebody, and says whether it may be made. Further tries of one that was allowed are
// allowed, too: it may have been done.
func (l *limits) allow(id int64, request string) bool {
	if l.allowed.has(request) {
		return true
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	now := l.now()
	known := l.persons[id]
	if known == nil {
		if len(l.persons) >= manyPersons {
			for k, old := range l.persons {
				if old.TokensAt(now) >= personBurst {
					delete(l.persons, k)
				}
			}
		}
		known = rate.NewLimiter(rate.Limit(personPerMinute)/60, personBurst)
		l.persons[id] = known
	}
	if !known.AllowN(now, 1) {
		return false
	}
	l.allowed.first(request)
	return true
}

// refuseTooMany refuses somebody who asks for more than GitHub can be asked about.
func refuseTooMany() refusal {
	return refusal{
		code: "too_many",
		text: "That was too much at once: each of these makes Seraph ask GitHub, whose answers are limited for everybody. " +
			"Nothing was done. Try again in a minute.",
	}
}
