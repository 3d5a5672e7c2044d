package github

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// How long an answer to a question of the rules is good for. What keeps somebody out is asked anew
// sooner: they are waiting for it to change.
const (
	lifeFact     = time.Minute
	lifeNo       = 15 * time.Second
	lifeError    = 5 * time.Second
	lifeChecks   = 5 * time.Second
	lifeCompared = 10 * time.Minute // two commits stand as they stand; only forgotten history is collected
)

// maxEntries bounds how many answers are kept.
const maxEntries = 1000

// cache keeps answers for a while, so that the rules may ask as often as they like. Whoever asks
// what is being asked already waits for that answer.
type cache struct {
	now func() time.Time

	mu    sync.Mutex
	memos map[string]*entry
}

// entry is one question with its answer, which is there once done is closed.
type entry struct {
	done chan struct{}

	value       any
	err         error
	from, until time.Time
	void        bool // whoever asked gave up: it says nothing
}

// cached gives the answer that is kept, or asks. The time of an answer runs from its question on,
// so that none is older than it may be.
func cached[T any](
	ctx context.Context,
	m *cache,
	key string,
	ask func(context.Context) (T, time.Duration, error),
) (T, error) {
	for {
		var none T
		k, mine := m.find(key)
		if mine {
			answerTo(ctx, m, k, ask)
		}

		if !k.answered() {
			select {
			case <-k.done:
			case <-ctx.Done():
				return none, context.Cause(ctx)
			}
		}

		switch {
		case k.void && !mine:
			continue
		case k.err != nil:
			return none, k.err
		default:
			value, _ := k.value.(T) // a key begins with its operation, and so has one type
			return value, nil
		}
	}
}

// answerTo asks for a memo that is ours to fill.
func answerTo[T any](ctx context.Context, m *cache, k *entry, ask func(context.Context) (T, time.Duration, error)) {
	k.void = true
	defer close(k.done)
	from := m.now()
	value, life, err := ask(ctx)
	if err != nil {
		from, life = m.now(), lifeError // a failure is news when it comes, however long it took
		if errors.Is(err, ErrNoPerson) {
			life = lifeNo
		}
	}

	k.value, k.err, k.from, k.until = value, err, from, from.Add(life)
	k.void = ctx.Err() != nil
}

// find gives a memo that is good or being asked for; else a new one, for the caller to fill.
func (m *cache) find(key string) (k *entry, mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if k := m.memos[key]; k != nil && k.good(now) {
		return k, false
	}

	m.sweep(now)
	k = &entry{done: make(chan struct{})}
	m.memos[key] = k
	return k, true
}

// sweep drops what is no longer good, and makes room if that is not enough.
func (m *cache) sweep(now time.Time) {
	maps.DeleteFunc(m.memos, func(_ string, k *entry) bool { return !k.good(now) })
	for key, k := range m.memos {
		if len(m.memos) < maxEntries {
			return
		}
		if k.answered() {
			delete(m.memos, key)
		}
	}
}

// forget drops an answer that has proved wrong.
func (m *cache) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.memos[key]; k != nil && k.answered() {
		delete(m.memos, key)
	}
}

func (k *entry) answered() bool {
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

// good says whether a memo may be used now. A clock that was set back makes none live longer.
func (k *entry) good(now time.Time) bool {
	return !k.answered() || !k.void && !now.Before(k.from) && now.Before(k.until)
}

// key names a question: what is asked, and with whose eyes, since one installation may not see what
// another does.
func (c *Client) key(operation string, of deployment.Repository, installation int64, parts ...string) string {
	eyes := "" // the token's
	switch {
	case c.app != nil && installation != 0:
		eyes = strconv.FormatInt(installation, 10)
	case c.app != nil:
		eyes = at(of)
	}
	return strings.ToLower(operation + "\n" + eyes + "\n" + strings.Join(parts, "\n"))
}
