package engine

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// panicPause is how long a row waits after a step that panicked.
const panicPause = time.Minute

// recoverPanic keeps a panic in one task from ending the process, which would end it again at each start
// as long as the row is there. The row waits a minute; a report, and a
// request that GitHub is to create, wait until their lease ends.
func (e *Engine) recoverPanic(ctx context.Context, t deployment.Task) {
	cause := recover()
	if cause == nil {
		return
	}

	e.Log.Error().
		Str("task", string(t.Kind)).
		Int64("row", t.Row).
		Str("panic", fmt.Sprint(cause)).
		Bytes("stack", debug.Stack()).
		Dur("retry_in", panicPause).
		Msg("task panicked")

	if t.Kind != deployment.TaskAdvance {
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()

	d, err := e.Rows.Load(ctx, t.Row)
	if err != nil {
		e.Log.Error().Err(err).Int64("row", t.Row).Msg("row not loaded") // its lease ends by itself
		return
	}

	d.Due = e.Now().Add(panicPause)
	if err := e.DueRows.Postpone(ctx, d); err != nil {
		e.Log.Error().Err(err).Int64("row", t.Row).Msg("row not postponed") // its lease ends by itself
	}
}
