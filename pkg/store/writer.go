package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// ErrFull says that too many writes wait: try again soon.
var ErrFull = errors.New("the database has too many writes waiting")

// ErrClosed says that the database is being closed.
var ErrClosed = errors.New("the database is closed")

// maxBatch is how many writes share one commit, and maxMeanwhile how many do while deliveries come
// in fast: they shall not wait long for others.
const (
	maxBatch     = 256
	maxMeanwhile = 4
)

// writer writes for many. It takes all that waits, does it in one transaction, and answers after
// the commit: many writers pay for one sync of the disk, and an idle one waits for nobody. Items
// look before they write, so one that is refused has written nothing; should one have, all are done
// again, each in a transaction of its own.
type writer struct {
	db    *DB
	pool  *sql.DB
	keeps bool // prepared statements: on its one connection
	queue chan *item
	// does what a batch has in common, before its items; nil: nothing
	enter func(*tx, []*item) error
	// does a whole batch, and answers it, if one statement can; nil: it never can
	atOnce func(context.Context, []*item) (done bool, err error)
	mu     sync.RWMutex
	shut   bool
	wg     sync.WaitGroup
	stmts  map[string]*sql.Stmt // kept; the loop's own
	wanted []string             // to be kept after the batch
}

// item is one write: what to do, and whom to answer.
type item struct {
	ctx     context.Context
	do      func(*tx) error
	arrival *arrival // what it takes in; nil: it does something else
	tx      tx
	done    chan error
}

func newItem(ctx context.Context, do func(*tx) error) *item {
	return &item{ctx: ctx, do: do, done: make(chan error, 1)}
}

func newWriter(db *DB, pool *sql.DB) *writer {
	return &writer{db: db, pool: pool, queue: make(chan *item, db.o.QueueLimit), stmts: map[string]*sql.Stmt{}}
}

// start begins to write.
func (w *writer) start() { w.wg.Go(w.loop) }

func (w *writer) close() {
	w.mu.Lock()
	if !w.shut {
		w.shut = true
		close(w.queue)
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// write does one thing durably: when it returns nil the commit is on disk. When its context ends
// first its error is returned; the write may still happen.
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
		batch := w.collect(append(make([]*item, 0, 16), first))
		if w.enter != nil {
			batch = w.lateComers(batch)
		}

		w.run(batch)
		if w.keeps {
			w.prepare()
		}
	}
}

// lateComers adds, in a crowd, who is about to come in: commits are saved.
func (w *writer) lateComers(batch []*item) []*item {
	crowd := &w.db.porter.crowd
	for n := came(batch); crowd.add(n) && n > 0 && len(batch) < maxBatch; {
		before := len(batch)
		runtime.Gosched()
		batch = w.collect(batch)
		n = came(batch[before:])
	}
	return batch
}

// collect takes what waits into a batch.
func (w *writer) collect(batch []*item) []*item {
	most := maxBatch
	if w.enter == nil && w.db.porter.crowd.near() {
		most = maxMeanwhile
	}

	for len(batch) < most {
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

// run commits a batch. If the whole fails its items are tried one by one, so that no item fails for
// another's sake.
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

// commit does a batch in one transaction and answers its items once it is on disk. An error means
// that nothing was committed and nobody was answered.
func (w *writer) commit(batch []*item) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if w.atOnce != nil {
		if done, err := w.atOnce(ctx, batch); done || err != nil {
			return err
		}
	}

	sqltx, err := w.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}

	defer func() { _ = sqltx.Rollback() }() // after a commit it does nothing
	common := tx{Tx: sqltx, ctx: ctx, db: w.db, now: w.db.o.Now()}
	if w.keeps {
		common.kept = w
	}

	opening := common
	if w.enter != nil {
		if err := w.enter(&opening, batch); err != nil {
			return err
		}
	}

	results := make([]error, len(batch))
	for i, it := range batch {
		it.tx = common
		if results[i] = it.run(); results[i] != nil && it.tx.wrote {
			return results[i] // what it wrote must go
		}
	}

	if err := sqltx.Commit(); err != nil {
		return err
	}

	opening.notifyAfterCommit()
	for i, it := range batch {
		it.tx.notifyAfterCommit()
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
		err = it.tx.appendAudit()
	}
	if err != nil {
		it.tx.rings, it.tx.timed = nil, nil
	}

	return err
}
