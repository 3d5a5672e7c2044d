package slack

import (
	"context"
	"sync"
	"time"
)

// KnownFor is how long what Slack said of a user or a channel counts.
const KnownFor = time.Minute

// maxKnown is of how many users or channels it is remembered.
const maxKnown = 5000

// Answers remembers for KnownFor what Slack said of users or channels. It is safe for concurrent use.
type Answers[T any] struct {
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

// NewAnswers makes Answers to the question that ask puts to Slack.
func NewAnswers[T any](ask func(context.Context, string) (T, error), now func() time.Time) *Answers[T] {
	return &Answers[T]{ask: ask, now: now, known: map[string]answered[T]{}}
}

// Get returns what Slack says of an id. What was said within KnownFor counts, unless it is from before since.
func (a *Answers[T]) Get(ctx context.Context, id string, since time.Time) (T, error) {
	asked := a.now()
	a.mu.Lock()
	before, ok := a.known[id]
	forgotten := a.forgotten
	a.mu.Unlock()
	if age := asked.Sub(before.at); ok && age >= 0 && age < KnownFor && !before.at.Before(since) {
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

// Forget makes the next Get ask Slack.
func (a *Answers[T]) Forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.known, id)
	a.forgotten++
}
