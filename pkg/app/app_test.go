package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/test/memnet"
)

// A sender that does not finish its body takes at most half of the grace from the steps that run. Time is synthetic.
func TestStop_SlowSenderLeavesHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const grace = 10 * time.Second
		a := &App{log: zerolog.Nop(), failed: make(chan error, 4)}
		left := time.Duration(-1)
		a.onStop(func(ctx context.Context) { // stands where the engine stops
			end, _ := ctx.Deadline()
			left = time.Until(end)
		})

		reached := make(chan struct{}, 2)
		handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			reached <- struct{}{}
			_, _ = io.Copy(io.Discard, r.Body)
		})
		for range 2 { // as with METRICS_ADDR
			sendSlowly(t, a, handler)
			<-reached
		}

		ctx, cancel := context.WithTimeout(t.Context(), grace)
		defer cancel()
		a.Stop(ctx)
		if left != grace/2 {
			t.Errorf("got %s of a grace of %s left for running steps, want half of it", left, grace)
		}
	})
}

// sendSlowly makes the app listen in memory, and sends a request whose body does not end.
func sendSlowly(t *testing.T, a *App, handler http.Handler) {
	t.Helper()
	listener := memnet.Listen()
	a.serve(listener, handler)
	conn, err := listener.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprint(conn, "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
	if err != nil {
		t.Fatal(err)
	}
}
