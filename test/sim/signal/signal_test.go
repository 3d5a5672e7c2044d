package signal_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/seraph-deploy/seraph/test/sim/signal"
)

func TestBroadcaster_WaitChecksAfterEachBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b signal.Broadcaster
		var sent, calls atomic.Int32
		errStopped := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 2)

		go func() { ended <- b.Wait(ctx, func() bool { calls.Add(1); return sent.Load() == 2 }) }()
		go func() { ended <- b.Wait(ctx, func() bool { return false }) }()

		for range 2 {
			synctest.Wait()
			sent.Add(1)
			b.Broadcast()
		}

		if err := <-ended; err != nil || calls.Load() != 3 {
			t.Errorf("got %v after %d calls of done, want nil after 3", err, calls.Load())
		}

		cancel(errStopped)
		if err := <-ended; !errors.Is(err, errStopped) {
			t.Errorf("got %v, want %v", err, errStopped)
		}
	})
}
