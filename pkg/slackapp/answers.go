package slackapp

import (
	"context"
	"sync"
	"time"
)

// How long what Slack said counts, and of how many users or channels it is remembered.
const (
	knownFor = time.Minute
	maxKnown = 5000
)

// answers remembers for knownFor what Slack said of users or channels. It is safe for concurrent use.
type answers[T any] struct {
	ask func(ctx context.Context, id string) (T, error)
	now func() time.Time

	mu        sync.Mutex
	known     map[string]answered[T]
	forgotten int // how often something was
}

// answered is what Slack said at a moment.
type answered[T any] struct {
	value T
	at    time.Time
}

func newAnswers[T any](ask func(context.Context, string) (T, error), now func() time.Time) *answers[T] {
	return &answers[T]{ask: ask, now: now, known: map[string]answered[T]{}}
}

// get returns what Slack says of an id. What was said within knownFor counts, unless it is from before since.
func (a *answers[T]) get(ctx context.Context, id string, since time.Time) (T, error) {
	asked := a.now()
	a.mu.Lock()
	before, ok := a.known[id]
	forgotten := a.forgotten
	a.mu.Unlock()
	if age := asked.Sub(before.at); ok && age >= 0 && age < knownFor && !before.at.Before(since) {
		return before.value, nil
	}

	value, err := a.ask(ctx, id)
	if err != nil {
		return value, err
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxKnown {
		clear(a.known)
	}
	if a.forgotten == forgotten { // else the answer may be from before the change
		a.known[id] = answered[T]{value: value, at: asked}
	}
	return value, nil
}

// forget makes the next get ask Slack.
func (a *answers[T]) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.known, id)
	a.forgotten++
}
