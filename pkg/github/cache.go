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

// How long facts for policies are cached. Results that keep a deployment waiting expire sooner,
// because people wait for them to change.
const (
	ttlFact       = time.Minute
	ttlNegative   = 15 * time.Second // no membership, no permission, no such person
	ttlError      = 5 * time.Second
	ttlChecks     = 5 * time.Second
	ttlComparison = 10 * time.Minute // never changes for two commits, unless GitHub removes one
)

// maxEntries bounds how many results are kept, except those that are being loaded.
const maxEntries = 1000

// cache keeps results, errors included, until they expire, so that policies can be evaluated often.
// A result that several callers want at once is loaded once.
type cache struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
}

// entry is one cached result. All fields but done are written before done is closed and must not
// be read earlier.
type entry struct {
	done chan struct{}

	value                 any
	err                   error
	validFrom, validUntil time.Time
	abandoned             bool // the context of the loading caller ended: the result means nothing
}

// cached returns the result for a key, and loads it if there is none that is still valid. load
// returns the result and how long it may be used. That time runs from before load is called, so
// that no result is older than it says. An error is kept as ttlOfError says, from the end of load.
//
// A caller that waits for the load of another one stops waiting when its own context ends. If the
// context of the loading caller ends, another caller loads again.
func cached[T any](
	ctx context.Context,
	c *cache,
	key string,
	load func(context.Context) (T, time.Duration, error),
) (T, error) {
	for {
		var none T
		e, created := c.lookup(key)
		if created {
			fill(ctx, c, e, load)
		}

		if !e.finished() {
			select {
			case <-e.done:
			case <-ctx.Done():
				return none, context.Cause(ctx)
			}
		}

		if e.abandoned && !created {
			continue
		}
		if e.err != nil {
			return none, e.err
		}

		value, _ := e.value.(T) // a key begins with its operation, which has one type of result
		return value, nil
	}
}

// fill loads the result of an entry that its caller has created. It closes done even if load
// panics; the entry is abandoned then.
func fill[T any](ctx context.Context, c *cache, e *entry, load func(context.Context) (T, time.Duration, error)) {
	e.abandoned = true
	defer close(e.done)

	validFrom := c.now()
	value, ttl, err := load(ctx)
	if err != nil {
		validFrom, ttl = c.now(), ttlOfError(err)
	}

	e.value, e.err, e.validFrom, e.validUntil = value, err, validFrom, validFrom.Add(ttl)
	e.abandoned = ctx.Err() != nil
}

// ttlOfError returns how long an error is kept: ErrNoPerson for ttlNegative, any other one for ttlError, or
// as long as GitHub asks to wait, up to ttlFact.
func ttlOfError(err error) time.Duration {
	if errors.Is(err, ErrNoPerson) {
		return ttlNegative
	}

	var failed *Error
	if errors.As(err, &failed) {
		return max(ttlError, min(failed.RetryAfter, ttlFact))
	}
	return ttlError
}

// lookup returns the entry of a key if it is usable. Else it adds a new one, which the caller must
// fill.
func (c *cache) lookup(key string) (e *entry, created bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	now := c.now()
	if e := c.entries[key]; e != nil && e.usable(now) {
		return e, false
	}

	c.evict(now)
	e = &entry{done: make(chan struct{})}
	c.entries[key] = e
	return e, true
}

// evict removes the entries that are not usable, and others if that does not make room for one
// more. Entries that are being loaded stay.
func (c *cache) evict(now time.Time) {
	maps.DeleteFunc(c.entries, func(_ string, e *entry) bool { return !e.usable(now) })
	for key, e := range c.entries {
		if len(c.entries) < maxEntries {
			return
		}
		if e.finished() {
			delete(c.entries, key)
		}
	}
}

// forget removes a result that has turned out to be out of date. One that is being loaded stays.
func (c *cache) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil && e.finished() {
		delete(c.entries, key)
	}
}

func (e *entry) finished() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// usable reports whether an entry is being loaded or is valid now. An entry from the future is not
// valid: the clock was set back, and the entry would live too long.
func (e *entry) usable(now time.Time) bool {
	if !e.finished() {
		return true
	}
	return !e.abandoned && !now.Before(e.validFrom) && now.Before(e.validUntil)
}

// cacheKey returns the key of a result, in lower case. It contains the credentials that the result
// was read with, because one installation may not see what another one does. Where the installation
// is not known, the repository stands for it.
func (c *Client) cacheKey(operation string, src deployment.Source, parts ...string) string {
	credentialScope := "" // of the token
	switch {
	case c.app != nil && src.Installation != 0:
		credentialScope = strconv.FormatInt(src.Installation, 10)
	case c.app != nil:
		credentialScope = repositoryPath(src.Repository)
	}
	return strings.ToLower(operation + "\n" + credentialScope + "\n" + strings.Join(parts, "\n"))
}
