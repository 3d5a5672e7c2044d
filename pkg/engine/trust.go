package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Database names the database server. The name changes when another server takes over. It is empty
// where the server does not show them.
type Database interface {
	Identity(ctx context.Context) (string, error)
}

// trust remembers what was compared with GitHub, and since when the database is known to hold all that
// this service did.
type trust struct {
	mu       sync.Mutex
	since    time.Time
	identity string                   // of the database; empty: not known
	handled  map[int64]time.Time      // row -> when its statuses at GitHub were last found to be ours
	compared map[comparison]time.Time // when GitHub was found to show the same deployment
}

// comparison identifies a request that was compared with GitHub, by all that it holds. The number of its
// row would not do: another database may give it to another request.
type comparison [sha256.Size]byte

func comparisonOf(r deployment.Request) comparison {
	text, _ := json.Marshal(r) // cannot fail: the request comes from the database, in this form
	return sha256.Sum256(text)
}

// reset forgets which deployments were checked against GitHub's statuses. Comparisons with events stay
// valid: they do not depend on the database.
func (t *trust) reset(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.since = now
	t.handled = nil
}

// identified notes the identity of the database, and reports whether it is another one than before.
func (t *trust) identified(identity string) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()

	changed = t.identity != "" && identity != "" && t.identity != identity
	if identity != "" {
		t.identity = identity
	}

	return changed
}

// handledSince returns since when the database is trusted, and when the row was last checked.
func (t *trust) handledSince(row int64) (since, checked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.since, t.handled[row]
}

func (t *trust) setHandled(row int64, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if t.handled == nil {
		t.handled = map[int64]time.Time{}
	}
	t.handled[row] = at
}

func (t *trust) isCompared(r deployment.Request) bool {
	key := comparisonOf(r)
	t.mu.Lock()
	defer t.mu.Unlock()

	_, ok := t.compared[key]
	return ok
}

func (t *trust) setCompared(r deployment.Request, at time.Time) {
	key := comparisonOf(r)
	t.mu.Lock()
	defer t.mu.Unlock()

	if t.compared == nil {
		t.compared = map[comparison]time.Time{}
	}
	t.compared[key] = at
}

// forget drops what is remembered of a deployment.
func (t *trust) forget(d deployment.Deployment) {
	key := comparisonOf(d.Request)
	t.mu.Lock()
	defer t.mu.Unlock()

	delete(t.handled, d.Row)
	delete(t.compared, key)
}

// forgetBefore drops what was remembered before a time: the rows may have ended on another replica.
func (t *trust) forgetBefore(before time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()

	maps.DeleteFunc(t.handled, func(_ int64, at time.Time) bool { return at.Before(before) })
	maps.DeleteFunc(t.compared, func(_ comparison, at time.Time) bool { return at.Before(before) })
}

// distrustDatabase makes the statuses at GitHub be read before the next trigger of every deployment that
// was accepted until now. After an error of the connection, or under a new identity, the database may
// be a standby that lacks the last commits.
func (e *Engine) distrustDatabase(cause string) {
	e.trust.reset(e.Now())
	e.Log.Warn().Str("cause", cause).Msg("database may lack commits")
}

// TrustedSince returns since when the database is known to hold all that this service did.
func (e *Engine) TrustedSince() time.Time {
	since, _ := e.trust.handledSince(0)
	return since
}

// checkDatabase distrusts the database if it is another one than before, or does not answer.
func (e *Engine) checkDatabase(ctx context.Context) {
	identity, err := e.Database.Identity(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		e.distrustDatabase(err.Error())
	case err == nil && e.trust.identified(identity):
		e.distrustDatabase("identity changed to " + identity)
	}
}

// databaseFailed distrusts the database after the error of a step, unless the error shows that the database
// answered.
func (e *Engine) databaseFailed(ctx context.Context, err error) {
	var invalid *deployment.InvalidTransitionError
	var blocked *deployment.BlockedError
	var taken *deployment.PipelineTakenError
	answered := errors.Is(err, deployment.ErrVersionConflict) || errors.Is(err, deployment.ErrNotFound) ||
		errors.As(err, &invalid) || errors.As(err, &blocked) || errors.As(err, &taken)

	if !answered && ctx.Err() == nil {
		e.distrustDatabase(err.Error())
	}
}
