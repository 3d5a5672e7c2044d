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
	ttlFact       = time.Minute
	ttlNegative   = 15 * time.Second
	ttlError      = 5 * time.Second
	ttlChecks     = 5 * time.Second
	ttlComparison = 10 * time.Minute // two commits stand as they stand; only forgotten history is collected
)

// maxEntries bounds how many answers are kept.
const maxEntries = 1000

// cache keeps answers for a while, so that the rules may ask as often as they like. Whoever asks
// what is being asked already waits for that answer.
type cache struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
}

// entry is one question with its answer, which is there once done is closed.
type entry struct {
	done chan struct{}

	value                 any
	err                   error
	validFrom, validUntil time.Time
	abandoned             bool // whoever asked gave up: it says nothing
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
		k, mine := m.lookup(key)
		if mine {
			load(ctx, m, k, ask)
		}

		if !k.finished() {
			select {
			case <-k.done:
			case <-ctx.Done():
				return none, context.Cause(ctx)
			}
		}

		switch {
		case k.abandoned && !mine:
			continue
		case k.err != nil:
			return none, k.err
		default:
			value, _ := k.value.(T) // a key begins with its operation, and so has one type
			return value, nil
		}
	}
}

// load asks for a memo that is ours to fill.
func load[T any](ctx context.Context, m *cache, k *entry, ask func(context.Context) (T, time.Duration, error)) {
	k.abandoned = true
	defer close(k.done)
	from := m.now()
	value, life, err := ask(ctx)
	if err != nil {
		from, life = m.now(), ttlError // a failure is news when it comes, however long it took
		if errors.Is(err, ErrNoPerson) {
			life = ttlNegative
		}
	}

	k.value, k.err, k.validFrom, k.validUntil = value, err, from, from.Add(life)
	k.abandoned = ctx.Err() != nil
}

// lookup gives a memo that is good or being asked for; else a new one, for the caller to fill.
func (m *cache) lookup(key string) (k *entry, mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if k := m.entries[key]; k != nil && k.usable(now) {
		return k, false
	}

	m.evict(now)
	k = &entry{done: make(chan struct{})}
	m.entries[key] = k
	return k, true
}

// evict drops what is no longer good, and makes room if that is not enough.
func (m *cache) evict(now time.Time) {
	maps.DeleteFunc(m.entries, func(_ string, k *entry) bool { return !k.usable(now) })
	for key, k := range m.entries {
		if len(m.entries) < maxEntries {
			return
		}
		if k.finished() {
			delete(m.entries, key)
		}
	}
}

// forget drops an answer that has proved wrong.
func (m *cache) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.entries[key]; k != nil && k.finished() {
		delete(m.entries, key)
	}
}

func (k *entry) finished() bool {
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

// usable says whether a memo may be used now. A clock that was set back makes none live longer.
func (k *entry) usable(now time.Time) bool {
	return !k.finished() || !k.abandoned && !now.Before(k.validFrom) && now.Before(k.validUntil)
}

// cacheKey names a question: what is asked, and with whose eyes, since one installation may not see what
// another does.
func (c *Client) cacheKey(operation string, of deployment.Repository, installation int64, parts ...string) string {
	eyes := "" // the token's
	switch {
	case c.app != nil && installation != 0:
		eyes = strconv.FormatInt(installation, 10)
	case c.app != nil:
		eyes = repositoryPath(of)
	}
	return strings.ToLower(operation + "\n" + eyes + "\n" + strings.Join(parts, "\n"))
}
