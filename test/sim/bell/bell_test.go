package bell_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/seraph-deploy/seraph/test/sim/bell"
)

// TestWait wakes on rings, asks again after each, and ends with its context's cause.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bell.Bell
		var rung, asked atomic.Int32
		over := errors.New("over")
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 2)
		go func() { ended <- b.Wait(ctx, func() bool { asked.Add(1); return rung.Load() == 2 }) }()
		go func() { ended <- b.Wait(ctx, func() bool { return false }) }()
		for range 2 {
			synctest.Wait()
			rung.Add(1)
			b.Ring()
		}

		if err := <-ended; err != nil || asked.Load() != 3 {
			t.Errorf("got %v after %d questions", err, asked.Load())
		}

		cancel(over)
		if err := <-ended; !errors.Is(err, over) {
			t.Errorf("got %v", err)
		}
	})
}
