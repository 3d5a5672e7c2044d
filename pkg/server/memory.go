package server

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

const (
	chunkSize = 16 << 10 // what one body takes before its first byte; most webhooks fit into one or two
	largeBody = 1 << 20  // from here on bodies are decoded and stored one at a time
)

// errBudget says that the bodies in flight take all the memory they may.
var errBudget = errors.New("the bodies in flight take all the memory they may")

type chunk = [chunkSize]byte

// bodyBudget counts what bodies really take, chunk by chunk as they come in: what a sender
// announces costs nothing, what it sends does.
type bodyBudget struct {
	limit int64
	used  atomic.Int64
	pool  sync.Pool     // of *chunk; reading leaves no garbage that would double the heap
	turn  chan struct{} // held by the one large body that is being worked on
}

func newMemory(limit int64) *bodyBudget {
	return &bodyBudget{
		limit: limit,
		pool:  sync.Pool{New: func() any { return new(chunk) }},
		turn:  make(chan struct{}, 1),
	}
}

func (m *bodyBudget) reserve(n int64) error {
	if m.used.Add(n) > m.limit {
		m.used.Add(-n)
		return errBudget
	}
	return nil
}

func (m *bodyBudget) release(n int64) { m.used.Add(-n) }

// inTurn does something with a body of a size. Large ones wait for each other, because decoding and
// storing takes several times their size, and give their memory back at once. It fails only when
// ctx ends while waiting.
func (m *bodyBudget) inTurn(ctx context.Context, size int64, do func()) error {
	if size <= largeBody {
		do()
		return nil
	}

	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}

	defer func() { <-m.turn }()
	do()
	debug.FreeOSMemory()
	return nil
}

// body is one request's body as it was read.
type body struct {
	memory *bodyBudget
	chunks []*chunk
	size   int64
	held   int64 // reserved
}

// fill reads all of r and shows every byte to see. errBudget, or r's error.
func (b *body) fill(r io.Reader, see io.Writer) error {
	for {
		room, err := b.room()
		if err != nil {
			return err
		}

		n, err := r.Read(room)
		_, _ = see.Write(room[:n]) // a hash never fails
		b.size += int64(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// room is what is free of the last chunk; a new one when it is full.
func (b *body) room() ([]byte, error) {
	if b.size == int64(len(b.chunks))*chunkSize {
		if err := b.hold(chunkSize); err != nil {
			return nil, err
		}
		b.chunks = append(b.chunks, b.memory.pool.Get().(*chunk))
	}
	return b.chunks[len(b.chunks)-1][b.size%chunkSize:], nil
}

func (b *body) hold(n int64) error {
	if err := b.memory.reserve(n); err != nil {
		return err
	}
	b.held += n
	return nil
}

// join makes one piece of the chunks and gives them back. The piece is left to the garbage
// collector, because who stores it may outlive the request.
func (b *body) join() ([]byte, error) {
	if err := b.hold(b.size); err != nil {
		return nil, err
	}

	whole := make([]byte, 0, b.size)
	for i, c := range b.chunks {
		whole = append(whole, c[:min(chunkSize, b.size-int64(i)*chunkSize)]...)
		b.drop(i)
	}

	b.chunks = nil
	return whole, nil
}

func (b *body) drop(i int) {
	b.memory.pool.Put(b.chunks[i])
	b.chunks[i] = nil
	b.memory.release(chunkSize)
	b.held -= chunkSize
}

// free gives everything back. It may be called at any time, and again.
func (b *body) free() {
	for i, c := range b.chunks {
		if c != nil {
			b.drop(i)
		}
	}
	b.chunks = nil
	b.memory.release(b.held)
	b.held = 0
}
