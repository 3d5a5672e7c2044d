package github

import (
	"errors"
	"sync"
	"time"
)

// limit remembers until when GitHub's rate limit for one credential lasts. GitHub asks to make no call
// before that, and may ban who goes on (REST API, "Rate limits for the REST API", "Exceeding the rate
// limit").
type limit struct {
	mu    sync.Mutex
	until time.Time
	met   Error // GitHub's answer that the limit was exceeded
}

// check returns an error while the limit lasts: GitHub's answer, with the rest of the wait.
func (l *limit) check(operation string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()

	left := l.until.Sub(now)
	if left <= 0 || left > maxLimitWait { // longer than any limit: the clock was set back since
		return nil
	}

	held := l.met
	held.Operation, held.RetryAfter = operation, left
	return &held
}

// note remembers a failed call that has met the limit, for at most as long as longest says. A longer
// wait that is running stays.
func (l *limit) note(err error, now time.Time, longest time.Duration) {
	var failed *Error
	if !errors.As(err, &failed) || failed.Kind != KindLimited {
		return
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if until := now.Add(min(failed.RetryAfter, longest)); until.After(l.until) || l.until.Sub(now) > maxLimitWait {
		l.until, l.met = until, *failed
	}
}
