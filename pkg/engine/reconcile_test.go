package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// overdueStore answers Overdue with a function and records which rows were leased. It has nothing
// else.
type overdueStore struct {
	Rows
	DueRows
	Retention
	overdue func(context.Context) ([]deployment.Task, error)
	leased  chan int64
}

func (s *overdueStore) Overdue(ctx context.Context, _ int) ([]deployment.Task, error) {
	return s.overdue(ctx)
}

func (s *overdueStore) Lease(_ context.Context, row int64) (deployment.Deployment, bool, error) {
	s.leased <- row
	return deployment.Deployment{}, false, nil
}

func (s *overdueStore) AcquireLease(
	context.Context,
	string,
	time.Duration,
	time.Time,
) (deployment.Lease, bool, error) {
	return deployment.Lease{}, false, nil
}

func (s *overdueStore) CheckClock(context.Context) error { return nil }

func newOverdueEngine(s *overdueStore) *Engine {
	return New(Options{
		Rows:      s,
		DueRows:   s,
		Retention: s,
		Database:  &namedDatabase{},
		Log:       zerolog.Nop(),
		Now:       time.Now,
	})
}

// Rows that nobody queued are found at the start and every 5 s.
func TestReconcile_QueuesOverdueRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var row atomic.Int64
		row.Store(7)
		s := &overdueStore{leased: make(chan int64, 10)}
		s.overdue = func(context.Context) ([]deployment.Task, error) {
			return []deployment.Task{{Kind: deployment.TaskAdvance, Row: row.Load()}}, nil
		}
		e := newOverdueEngine(s)

		start := time.Now()
		e.Start()
		if got := <-s.leased; got != 7 || time.Since(start) != 0 {
			t.Errorf("got row %d after %v, want row 7 at the start", got, time.Since(start))
		}

		synctest.Wait()
		row.Store(8)
		if got := <-s.leased; got != 8 || time.Since(start) != reconcileEvery {
			t.Errorf("got row %d after %v, want row 8 after %v", got, time.Since(start), reconcileEvery)
		}

		e.Stop(t.Context())
	})
}

func TestQueueOK_SaysWhetherTheReconcileLoopWorks(t *testing.T) {
	refused := errors.New("connection refused")
	synctest.Test(t, func(t *testing.T) {
		var fails, stalls atomic.Bool
		s := &overdueStore{leased: make(chan int64, 10)}
		s.overdue = func(ctx context.Context) ([]deployment.Task, error) {
			if stalls.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			if fails.Load() {
				return nil, refused
			}

			return nil, nil
		}

		e := newOverdueEngine(s)
		if err := e.QueueOK(); err == nil {
			t.Error("before the start: got nil, want an error")
		}

		e.Start()
		if err := e.QueueOK(); err != nil {
			t.Errorf("before the first round ends: got %v, want nil", err)
		}

		synctest.Wait()
		if err := e.QueueOK(); err != nil {
			t.Errorf("after the first round: got %v, want nil", err)
		}

		fails.Store(true)
		after(reconcileEvery)
		if err := e.QueueOK(); !errors.Is(err, refused) {
			t.Errorf("overdue rows cannot be read: got %v, want %v", err, refused)
		}

		fails.Store(false)
		after(reconcileEvery)
		if err := e.QueueOK(); err != nil {
			t.Errorf("overdue rows can be read again: got %v, want nil", err)
		}

		stalls.Store(true)
		after(reconcileStale)
		if err := e.QueueOK(); err != nil {
			t.Errorf("after %v without a round: got %v, want nil", reconcileStale, err)
		}

		after(time.Second)
		if err := e.QueueOK(); err == nil {
			t.Errorf("after more than %v without a round: got nil, want an error", reconcileStale)
		}

		e.Stop(t.Context())
	})
}

// after lets synthetic time pass and waits until everything that it starts has come to rest.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
