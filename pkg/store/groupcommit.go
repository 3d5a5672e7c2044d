package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// ErrFull says that too many writes wait. The caller should try again soon.
var ErrFull = errors.New("too many writes wait for the database")

// ErrClosed says that the database is being closed.
var ErrClosed = errors.New("the database is closed")

// maxBatch is how many writes share one commit. On SQLite the writes of workers take turns with
// deliveries: fewer share a commit there, so that deliveries do not wait for long.
const (
	maxBatch       = 256
	maxWorkerBatch = 32
)

// writer commits writes in batches. It takes all that waits, without waiting for more, commits it
// in one transaction, and answers after the commit. Many concurrent writes then pay for one sync of
// the disk, and a single one is not delayed. If a batch fails, its writes are tried one by one, so
// that none fails because of another.
type writer struct {
	db       *DB
	pool     *sql.DB
	maxBatch int
	prepares bool // keeps prepared statements: for a pool of one connection
	queue    chan *item

	// commit commits a batch and answers its items. An error means that nothing was committed
	// and no item was answered.
	commit func([]*item) error
	// split divides a batch into those that commit takes; nil: it takes any batch.
	split func([]*item) [][]*item

	mu     sync.RWMutex
	closed bool
	wg     sync.WaitGroup

	// Prepared statements, which belong to the loop.
	statements map[string]*sql.Stmt
	inBatch    map[string]*sql.Stmt // those of statements that belong to the batch's transaction
	unprepared []string             // to be prepared after the batch
}

// item is one write that waits, and the channel for its answer.
type item struct {
	ctx      context.Context
	incoming *incoming       // a delivery to be stored
	do       func(*tx) error // any other write
	tx       tx
	done     chan error
}

func newIncomingItem(ctx context.Context, in *incoming) *item {
	return &item{ctx: ctx, incoming: in, done: make(chan error, 1)}
}

func newItem(ctx context.Context, do func(*tx) error) *item {
	return &item{ctx: ctx, do: do, done: make(chan error, 1)}
}

func newWriter(db *DB, pool *sql.DB) *writer {
	w := &writer{
		db:         db,
		pool:       pool,
		maxBatch:   maxBatch,
		queue:      make(chan *item, db.o.QueueLimit),
		statements: map[string]*sql.Stmt{},
	}

	w.commit = func(batch []*item) error { return w.commitItems(context.Background(), batch) }
	return w
}

func (w *writer) start() { w.wg.Go(w.loop) }

// close commits what waits and ends the loop.
func (w *writer) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()

	w.wg.Wait()
}

// write returns nil once the item is committed. If the item's context ends first, its error is
// returned, and the item may still be committed.
func (w *writer) write(it *item) error {
	if err := w.put(it); err != nil {
		return err
	}

	select {
	case err := <-it.done:
		return err
	case <-it.ctx.Done():
		return it.ctx.Err()
	}
}

func (w *writer) put(it *item) error {
	w.mu.RLock()
	defer w.mu.RUnlock()

	if w.closed {
		return ErrClosed
	}

	select {
	case w.queue <- it:
		return nil
	default:
		return ErrFull
	}
}

func (w *writer) loop() {
	for first := range w.queue {
		batch := w.collect(first)
		if w.split == nil {
			w.run(batch)
		} else {
			for _, part := range w.split(batch) {
				w.run(part)
			}
		}

		w.prepare()
	}
}

// collect adds to the first item what waits behind it.
func (w *writer) collect(first *item) []*item {
	batch := append(make([]*item, 0, 16), first)
	for len(batch) < w.maxBatch {
		select {
		case it, ok := <-w.queue:
			if !ok {
				return batch
			}

			batch = append(batch, it)
		default:
			return batch
		}
	}

	return batch
}

func (w *writer) run(batch []*item) {
	err := w.commit(batch)
	switch {
	case err == nil:
	case len(batch) == 1:
		batch[0].done <- fmt.Errorf("commit write: %w", err)
	default:
		for _, it := range batch {
			w.run([]*item{it})
		}
	}
}

// commitItems does the items of a batch one after the other in one transaction. An item that fails
// before it has written anything does not disturb the others.
func (w *writer) commitItems(ctx context.Context, batch []*item) error {
	sqltx, err := w.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}

	defer func() { _ = sqltx.Rollback() }() // after a commit it does nothing

	shared := tx{Tx: sqltx, ctx: ctx, db: w.db, now: w.db.o.Now()}
	if w.prepares {
		shared.prepared = w
		w.inBatch = map[string]*sql.Stmt{}
	}

	results := make([]error, len(batch))
	for i, it := range batch {
		it.tx = shared
		results[i] = it.run()
		if results[i] != nil && it.tx.wrote {
			return results[i] // what it wrote must be rolled back
		}
	}

	if err := sqltx.Commit(); err != nil {
		return err
	}

	for i, it := range batch {
		if results[i] == nil {
			it.tx.notifyAfterCommit()
		}

		it.done <- results[i]
	}

	return nil
}

// run does one item, unless its caller has left.
func (it *item) run() (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("write panicked: %v\n%s", cause, debug.Stack()) // not the other writes' fault
		}
	}()

	if err := it.ctx.Err(); err != nil {
		return err
	}

	if it.incoming != nil {
		return it.tx.acceptRow(it.incoming)
	}
	if err := it.do(&it.tx); err != nil {
		return err
	}

	return it.tx.appendAudit()
}

// prepare prepares the statements that the last batch used unprepared.
func (w *writer) prepare() {
	for _, query := range w.unprepared {
		if _, ok := w.statements[query]; ok {
			continue
		}
		if s, err := w.pool.Prepare(query); err == nil {
			w.statements[query] = s
		}
	}

	w.unprepared = nil
}
