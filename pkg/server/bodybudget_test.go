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

// A body of any size, read in any pieces, keeps every byte and is counted as what it takes.
func TestBody_KeepsEveryByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edges := rapid.SampledFrom([]int{chunkSize, 2 * chunkSize})
		size := rapid.OneOf(rapid.IntRange(0, 5*chunkSize), edges).Draw(t, "size")
		sent := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		var r io.Reader = bytes.NewReader(sent)
		switch rapid.IntRange(0, 2).Draw(t, "reader") {
		case 1:
			r = iotest.HalfReader(r)
		case 2:
			r = iotest.DataErrReader(r)
		}

		budget := newBodyBudget(1 << 20)
		b := &body{budget: budget}
		var tee bytes.Buffer
		if err := b.readFrom(r, &tee); err != nil {
			t.Fatal(err)
		}
		if used := budget.used.Load(); used < int64(size) || used > int64(size)+chunkSize {
			t.Fatalf("got %d bytes in use, want %d and at most one chunk more", used, size)
		}

		got, err := b.join(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, sent) || !bytes.Equal(tee.Bytes(), sent) {
			t.Fatalf("got %d bytes joined and %d bytes seen, want the %d that were sent", len(got), tee.Len(), len(sent))
		}
		if used := budget.used.Load(); used != int64(size) {
			t.Fatalf("got %d bytes in use after join, want %d", used, size)
		}

		b.release()
		b.release()
		if used := budget.used.Load(); used != 0 {
			t.Fatalf("got %d bytes in use after release, want 0", used)
		}
	})
}

func TestBodyBudget_RefusesAndRecovers(t *testing.T) {
	budget := newBodyBudget(4 * chunkSize)
	first, second := &body{budget: budget}, &body{budget: budget}

	if err := first.readFrom(strings.NewReader(strings.Repeat("x", 2*chunkSize-1)), io.Discard); err != nil {
		t.Fatal(err)
	}

	// A full chunk asks for the next one before it sees the end.
	err := second.readFrom(strings.NewReader(strings.Repeat("x", 2*chunkSize)), io.Discard)
	if !errors.Is(err, errBudget) {
		t.Fatalf("read over the budget: got %v, want %v", err, errBudget)
	}
	if _, err := first.join(t.Context()); !errors.Is(err, errBudget) {
		t.Fatalf("join over the budget: got %v, want %v", err, errBudget)
	}

	second.release()
	if _, err := first.join(t.Context()); err != nil {
		t.Fatal(err)
	}

	first.release()
	if used := budget.used.Load(); used != 0 {
		t.Errorf("got %d bytes in use, want 0", used)
	}
}

func TestBodyBudget_IsNeverExceeded(t *testing.T) {
	const limit = 10 * chunkSize
	budget := newBodyBudget(limit)

	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			b := &body{budget: budget}
			defer b.release()
			if b.readFrom(strings.NewReader(strings.Repeat("x", 3*chunkSize)), io.Discard) == nil {
				_, _ = b.join(t.Context())
			}
			if b.reserved > limit {
				t.Errorf("got %d bytes in one body, want at most %d", b.reserved, limit)
			}
		})
	}
	all.Wait()

	if used := budget.used.Load(); used != 0 {
		t.Errorf("got %d bytes in use, want 0", used)
	}
}

func TestBody_OneLargeAtATime(t *testing.T) {
	budget := newBodyBudget(4 * (largeBody + chunkSize))
	newBody := func(size int) *body {
		b := &body{budget: budget}
		if err := b.readFrom(strings.NewReader(strings.Repeat("x", size)), io.Discard); err != nil {
			t.Fatal(err)
		}
		return b
	}

	first, second, small := newBody(largeBody+1), newBody(largeBody+1), newBody(largeBody)
	if _, err := first.join(t.Context()); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := second.join(ctx)
	if !errors.Is(err, errSlot) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second large body: got %v, want %v", err, errSlot)
	}
	if _, err := small.join(ctx); err != nil {
		t.Errorf("small body: got %v, want no wait", err)
	}

	first.release()
	if _, err := second.join(t.Context()); err != nil {
		t.Errorf("second large body after the first: got %v, want no error", err)
	}

	second.release()
	small.release()
	if used := budget.used.Load(); used != 0 {
		t.Errorf("got %d bytes in use, want 0", used)
	}
}

// A large deployment passes all parts of the server, as JSON and as a form.
func TestGitHub_LargeDeployment(t *testing.T) {
	s := newTestServer(t)
	payload := `"` + strings.Repeat("x", 4<<20) + `"`
	text := strings.Replace(deploymentEvent(42, "production"), `{"a":1}`, payload, 1)

	if got := s.deliver(t, text); got.code != 202 {
		t.Fatalf("JSON: got %d %s, want 202", got.code, got.body)
	}
	if got := s.routes.last; !got.PayloadTooLarge || got.Payload != nil {
		t.Errorf("got too large %v and %d bytes of payload, want true and none", got.PayloadTooLarge, len(got.Payload))
	}

	got := s.deliver(t, "payload="+text, "Content-Type", formType, "X-GitHub-Delivery", "guid-2")
	if got.code != 200 {
		t.Errorf("form: got %d %s, want 200, a duplicate", got.code, got.body)
	}
	s.wantNoMemory(t)
}
