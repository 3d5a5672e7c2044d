package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrFull says that too many writes wait. The caller should try again soon.
var ErrFull = errors.New("too many writes wait for the database")

// ErrClosed says that the database is being closed.
var ErrClosed = errors.New("the database is closed")

// maxBatch is how many writes share one commit. On SQLite the writes of workers take turns with
// deliveries. There fewer share a commit, and still fewer while a delivery waits, so that it does
// not wait for long.
const (
	maxBatch       = 256
	maxWorkerBatch = 32
	minWorkerBatch = 4
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
	busy     atomic.Bool // it has taken writes and has not answered them yet

	// process commits and answers an item, and what waits behind it.
	process func(first *item)
	// yields says whether to take no more than minWorkerBatch items, because others wait for the
	// connection.
	yields func() bool

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

	w.process = w.processItems
	w.yields = func() bool { return false }
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
		w.busy.Store(true)
		w.process(first)
		w.busy.Store(false)

		w.prepare()
	}
}

// waiting gives an item and what waits behind it.
func (w *writer) waiting(first *item) iter.Seq[*item] {
	return func(yield func(*item) bool) {
		if !yield(first) {
			return
		}

		for n := 1; n < w.maxBatch; n++ {
			if n >= minWorkerBatch && w.yields() {
				return
			}

			select {
			case it, ok := <-w.queue:
				if !ok || !yield(it) {
					return
				}
			default:
				return
			}
		}
	}
}

func (w *writer) processItems(first *item) {
	ctx := context.Background() // a context that can end would cost a goroutine for each statement
	batch, err := w.commitItems(ctx, w.waiting(first))
	if err != nil {
		tryEach(batch, err, func(it *item) error {
			_, err := w.commitItems(ctx, slices.Values([]*item{it}))
			return err
		})
	}
}

// tryEach commits the items of a batch that failed one by one.
func tryEach(batch []*item, err error, commit func(*item) error) {
	for _, it := range batch {
		if len(batch) > 1 {
			err = commit(it)
		}
		if err != nil {
			it.done <- fmt.Errorf("commit write: %w", err)
		}
	}
}

// commitItems does items one after the other in one transaction, and answers them. It takes them
// only when the transaction has begun, so that those that come in until then are among them. An item
// that fails before it has written anything does not disturb the others. An error means that nothing
// was committed and no item of the batch was answered.
func (w *writer) commitItems(ctx context.Context, items iter.Seq[*item]) (batch []*item, err error) {
	sqltx, err := w.pool.BeginTx(ctx, nil)
	if err != nil {
		return slices.Collect(items), err
	}

	defer func() { _ = sqltx.Rollback() }() // after a commit it does nothing

	shared := tx{Tx: sqltx, ctx: ctx, db: w.db, now: w.db.o.Now()}
	if w.prepares {
		shared.prepared = w
		w.inBatch = map[string]*sql.Stmt{}
	}

	var results []error
	for it := range items {
		it.tx = shared
		err := it.run()
		batch, results = append(batch, it), append(results, err)
		if err != nil && it.tx.wrote {
			return batch, err // what it wrote must be rolled back
		}
	}

	if err := sqltx.Commit(); err != nil {
		return batch, err
	}

	for i, it := range batch {
		if results[i] == nil {
			it.tx.notifyAfterCommit()
		}

		it.done <- results[i]
	}

	return batch, nil
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
