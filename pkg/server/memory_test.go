package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// TestBodyKeepsEveryByte reads bodies of any size in any pieces, and joins them.
func TestBodyKeepsEveryByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(0, 5*chunkSize), rapid.SampledFrom([]int{chunkSize, 2 * chunkSize})).
			Draw(t, "size")
		sent := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		var r io.Reader = bytes.NewReader(sent)
		switch rapid.IntRange(0, 2).Draw(t, "reader") {
		case 1:
			r = iotest.HalfReader(r)
		case 2:
			r = iotest.DataErrReader(r)
		}

		m := newMemory(1 << 20)
		b := &body{memory: m}
		var seen bytes.Buffer
		if err := b.fill(r, &seen); err != nil {
			t.Fatal(err)
		}
		if used := m.used.Load(); used < int64(size) || used > int64(size)+chunkSize {
			t.Fatalf("%d bytes counted for %d", used, size)
		}

		got, err := b.join()
		if err != nil || !bytes.Equal(got, sent) || !bytes.Equal(seen.Bytes(), sent) || m.used.Load() != int64(size) {
			t.Fatalf("joined %d of %d bytes, saw %d, counted %d, %v", len(got), size, seen.Len(), m.used.Load(), err)
		}

		b.free()
		b.free()
		if used := m.used.Load(); used != 0 {
			t.Fatalf("%d bytes still counted", used)
		}
	})
}

// TestBudget fills the memory with two bodies and gives it back.
func TestBudget(t *testing.T) {
	m := newMemory(4 * chunkSize)
	one, other := &body{memory: m}, &body{memory: m}
	if err := one.fill(strings.NewReader(strings.Repeat("x", 2*chunkSize-1)), io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := other.fill(strings.NewReader(strings.Repeat("x", 2*chunkSize)), io.Discard); !errors.Is(err, errBudget) {
		t.Fatalf("got %v", err) // a full chunk asks for the next one before the end is seen
	}
	if _, err := one.join(); !errors.Is(err, errBudget) {
		t.Fatalf("got %v", err)
	}

	other.free()
	if _, err := one.join(); err != nil {
		t.Fatal(err)
	}

	one.free()
	if used := m.used.Load(); used != 0 {
		t.Errorf("%d bytes still counted", used)
	}
}

// TestBudgetNeverExceeded has many bodies compete for too little memory.
func TestBudgetNeverExceeded(t *testing.T) {
	const limit = 10 * chunkSize
	m := newMemory(limit)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			b := &body{memory: m}
			defer b.free()
			if b.fill(strings.NewReader(strings.Repeat("x", 3*chunkSize)), io.Discard) == nil {
				_, _ = b.join()
			}
			if b.held > limit {
				t.Errorf("one body holds %d", b.held)
			}
		})
	}

	all.Wait()
	if used := m.used.Load(); used != 0 {
		t.Errorf("%d bytes still counted", used)
	}
}

func TestLargeBodiesTakeTurns(t *testing.T) {
	m := newMemory(1)
	inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- m.inTurn(context.Background(), largeBody+1, func() { close(inside); <-leave })
	}()
	<-inside
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := m.inTurn(ctx, largeBody+1, func() { t.Error("two at a time") }); !errors.Is(
		err,
		context.DeadlineExceeded,
	) {
		t.Errorf("got %v", err)
	}

	small := false
	if err := m.inTurn(ctx, largeBody, func() { small = true }); err != nil || !small {
		t.Errorf("a small body had to wait: %v", err)
	}

	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestLargeDeployment goes through everything with a body that is all payload, encoded both ways.
func TestLargeDeployment(t *testing.T) {
	b := newBench(t)
	text := strings.Replace(event(42, "production"), `{"a":1}`, `"`+strings.Repeat("x", 4<<20)+`"`, 1)
	if got := b.deliver(t, text); got.code != 202 {
		t.Fatalf("got %d %s", got.code, got.body)
	}
	if got := b.routes.last; !got.PayloadTooLarge || got.Payload != nil {
		t.Errorf("kept %d bytes of the payload, too large: %v", len(got.Payload), got.PayloadTooLarge)
	}
	if got := b.deliver(t, "payload="+text, "Content-Type", formType, "X-GitHub-Delivery", "guid-2"); got.code != 200 {
		t.Errorf("got %d %s", got.code, got.body)
	}
}
