package engine

import (
	"context"
	"errors"
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
	identity string              // of the database; empty: not known
	handled  map[int64]time.Time // row -> when its statuses at GitHub were last found to be ours
	compared map[int64]time.Time // row -> when GitHub was found to show the same deployment
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

func (t *trust) isCompared(row int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	_, ok := t.compared[row]
	return ok
}

func (t *trust) setCompared(row int64, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if t.compared == nil {
		t.compared = map[int64]time.Time{}
	}
	t.compared[row] = at
}

// forget drops what is remembered of a row.
func (t *trust) forget(row int64) {
	t.mu.Lock()
	defer t.mu.Unlock()

	delete(t.handled, row)
	delete(t.compared, row)
}

// forgetBefore drops what was remembered before a time: the rows may have ended on another replica.
func (t *trust) forgetBefore(before time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()

	for _, remembered := range []map[int64]time.Time{t.handled, t.compared} {
		for row, at := range remembered {
			if at.Before(before) {
				delete(remembered, row)
			}
		}
	}
}

// distrustDatabase makes the statuses at GitHub be read before the next trigger of every deployment that
// was accepted until now. After an error of the connection, or under a new identity, the database may
// be a standby that lacks the last commits.
func (e *Engine) distrustDatabase(cause string) {
	e.trust.reset(e.Now())
	e.Log.Warn().Str("cause", cause).Msg("database may lack commits")
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
