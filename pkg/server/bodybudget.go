package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

const (
	chunkSize = 16 << 10 // what one body takes before its first byte; most webhooks fit into one or two
	largeBody = 1 << 20  // larger bodies are decoded and stored one at a time
)

var (
	errBudget = errors.New("the bodies in flight take all the memory that they may")
	errSlot   = errors.New("another large body is being processed")
)

type chunk = [chunkSize]byte

// bodyBudget limits the memory of all request bodies together. Memory is counted chunk by chunk as
// the bytes arrive, so that a large Content-Length costs nothing until it is sent.
type bodyBudget struct {
	limit int64
	used  atomic.Int64
	pool  sync.Pool     // of *chunk, so that reading leaves no garbage
	large chan struct{} // held by the one large body that is being processed
}

func newBodyBudget(limit int64) *bodyBudget {
	return &bodyBudget{
		limit: limit,
		pool:  sync.Pool{New: func() any { return new(chunk) }},
		large: make(chan struct{}, 1),
	}
}

func (b *bodyBudget) reserve(n int64) error {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return errBudget
	}
	return nil
}

func (b *bodyBudget) release(n int64) { b.used.Add(-n) }

// body is the body of one request as it was read.
type body struct {
	budget   *bodyBudget
	chunks   []*chunk
	size     int64
	reserved int64
	hasSlot  bool // it is the one large body that is being processed
}

// readFrom reads all of r and copies every byte to tee. It fails with errBudget or with r's error.
func (b *body) readFrom(r io.Reader, tee io.Writer) error {
	for {
		free, err := b.free()
		if err != nil {
			return err
		}

		n, err := r.Read(free)
		_, _ = tee.Write(free[:n]) // a hash never fails
		b.size += int64(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// free returns the unused end of the last chunk, or a new chunk where there is none.
func (b *body) free() ([]byte, error) {
	if b.size == int64(len(b.chunks))*chunkSize {
		if err := b.reserve(chunkSize); err != nil {
			return nil, err
		}
		b.chunks = append(b.chunks, b.budget.pool.Get().(*chunk))
	}
	return b.chunks[len(b.chunks)-1][b.size%chunkSize:], nil
}

func (b *body) reserve(n int64) error {
	if err := b.budget.reserve(n); err != nil {
		return err
	}
	b.reserved += n
	return nil
}

// join returns the body as one slice and gives its chunks back. The slice is not pooled, because a
// store may use it after the request has ended. Large bodies are processed one at a time, from join
// to release, because decoding and storing one takes several times its size. join fails with
// errBudget, or with errSlot when ctx ends while it waits for another large body.
func (b *body) join(ctx context.Context) ([]byte, error) {
	if b.size > largeBody {
		select {
		case b.budget.large <- struct{}{}:
			b.hasSlot = true
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errSlot, context.Cause(ctx))
		}
	}

	if err := b.reserve(b.size); err != nil {
		return nil, err
	}

	whole := make([]byte, 0, b.size)
	for i, c := range b.chunks {
		whole = append(whole, c[:min(chunkSize, b.size-int64(i)*chunkSize)]...)
		b.releaseChunk(i)
	}
	b.chunks = nil

	return whole, nil
}

func (b *body) releaseChunk(i int) {
	b.budget.pool.Put(b.chunks[i])
	b.chunks[i] = nil
	b.budget.release(chunkSize)
	b.reserved -= chunkSize
}

// release gives everything back; the memory of a large body goes to the operating system at once. It
// may be called at any time, and more than once.
func (b *body) release() {
	for i, c := range b.chunks {
		if c != nil {
			b.releaseChunk(i)
		}
	}

	b.chunks = nil
	b.budget.release(b.reserved)
	b.reserved = 0

	if b.hasSlot {
		b.hasSlot = false
		debug.FreeOSMemory()
		<-b.budget.large
	}
}
