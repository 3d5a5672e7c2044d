package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrFull says that too many writes wait: try again soon.
var ErrFull = errors.New("the database has too many writes waiting")

// ErrClosed says that the database is being closed.
var ErrClosed = errors.New("the database is closed")

// maxBatch is how many writes share one commit.
const maxBatch = 256

// writer writes for many. It takes all that waits, does it in one transaction, and answers after the commit: many writers pay for
// one sync of the disk, and an idle one waits for nobody. Items look before they write, so one that is refused has written nothing; should one
// have, all are done again, each in a transaction of its own.
type writer struct {
	db     *DB
	pool   *sql.DB
	keeps  bool // prepared statements: on its one connection
	queue  chan *item
	mu     sync.RWMutex
	shut   bool
	wg     sync.WaitGroup
	alarms func(context.Context, *sql.Tx, []alarm) error // inserts in the batch's transaction
	stmts  map[string]*sql.Stmt                          // kept; the loop's own
	wanted []string                                      // to be kept after the batch
}

// item is one write: what to do, and whom to answer.
type item struct {
	ctx  context.Context
	do   func(*tx) error
	tx   tx
	done chan error
}

// newWriter starts so many hands over one queue, each with a transaction of its own.
func newWriter(db *DB, pool *sql.DB, hands int, alarms func(context.Context, *sql.Tx, []alarm) error) *writer {
	w := &writer{db: db, pool: pool, keeps: hands == 1, queue: make(chan *item, db.o.QueueLimit), alarms: alarms, stmts: map[string]*sql.Stmt{}}
	for range hands {
		w.wg.Go(w.loop)
	}
	return w
}

func (w *writer) close() {
	w.mu.Lock()
	if !w.shut {
		w.shut = true
		close(w.queue)
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// write does one thing durably: when it returns nil the commit is on disk. When ctx ends first its error is returned; the write may still
// happen.
func (w *writer) write(ctx context.Context, do func(*tx) error) error {
	it := &item{ctx: ctx, do: do, done: make(chan error, 1)}
	if err := w.put(it); err != nil {
		return err
	}
	select {
	case err := <-it.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) put(it *item) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.shut {
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
		batch := append(make([]*item, 0, 16), first)
	more:
		for len(batch) < maxBatch {
			select {
			case it, ok := <-w.queue:
				if !ok {
					break more
				}
				batch = append(batch, it)
			default:
				break more
			}
		}
		w.run(batch)
		if w.keeps { // only then the loop is the only one
			w.prepare()
		}
	}
}

// run commits a batch. If the whole fails its items are tried one by one, so that no item fails for another's sake.
func (w *writer) run(batch []*item) {
	err := w.commit(batch)
	switch {
	case err == nil:
	case len(batch) == 1:
		batch[0].done <- fmt.Errorf("the database did not take a write: %w", err)
	default:
		for _, it := range batch {
			w.run([]*item{it})
		}
	}
}

// commit does a batch in one transaction and answers its items once it is on disk. An error means that nothing was committed and nobody was
// answered.
func (w *writer) commit(batch []*item) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	sqltx, err := w.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = sqltx.Rollback() }() // after a commit it does nothing
	now := w.db.o.Now()
	results := make([]error, len(batch))
	var alarms []alarm
	for i, it := range batch {
		it.tx = tx{Tx: sqltx, ctx: ctx, db: w.db, now: now}
		if w.keeps {
			it.tx.kept = w
		}
		if results[i] = it.run(); results[i] != nil && it.tx.wrote {
			return results[i] // what it wrote must go
		}
		alarms = append(alarms, it.tx.alarms...)
	}
	if err := w.alarms(ctx, sqltx, alarms); err != nil {
		return err
	}
	if err := sqltx.Commit(); err != nil {
		return err
	}
	for i, it := range batch {
		it.tx.tellAll()
		it.done <- results[i]
	}
	return nil
}

// run does one item, unless nobody waits for it any more.
func (it *item) run() error {
	if err := it.ctx.Err(); err != nil {
		return err
	}
	err := it.do(&it.tx)
	if err == nil {
		err = it.tx.seal()
	}
	if err != nil {
		it.tx.rings, it.tx.soon, it.tx.alarms = nil, nil, nil
	}
	return err
}
