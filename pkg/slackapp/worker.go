package slackapp

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/queue"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

const (
	workers      = 16               // how many requests are carried out at once
	workTimeout  = 20 * time.Second // for one try, which ends before the lease of the row does
	overdueEvery = 2 * time.Second
	overdueLimit = 200
	workTries    = 8
	firstPause   = time.Second // before the second try; it doubles with each further one
	longestPause = time.Minute
)

// askLife is how old a request of a person may be. An older one is not carried out, because the person does not expect
// it any more: Slack takes answers to it for 30 minutes.
const askLife = 30 * time.Minute

// Rows are the stored requests.
type Rows interface {
	// LeaseChatDelivery gives a row that is due to one worker; false: it is not due, or another worker has it.
	LeaseChatDelivery(ctx context.Context, row int64) (deployment.ChatDelivery, bool, error)
	// EndChatDelivery erases a row, which was done or, because of a problem, given up.
	EndChatDelivery(ctx context.Context, row int64, problem string) error
	PostponeChatDelivery(ctx context.Context, row int64, due time.Time) error
	UnleaseChatDelivery(ctx context.Context, row int64) error
	OverdueChatDeliveries(ctx context.Context, limit int) ([]int64, error)
}

// WorkerOptions are what a Worker is made of. All are required where nothing else is said.
type WorkerOptions struct {
	Rows Rows
	// Do carries out a request and answers whoever asked. After an error, and after a crash, it is called again with the
	// same request, whose Key is the same, too: it must do nothing twice.
	Do func(context.Context, slack.Incoming) error

	OverdueEvery time.Duration     // how often overdue rows are looked for; 0: 2 s
	GaveUp       func(kind string) // counts one request that was given up
	Log          zerolog.Logger
	Now          func() time.Time
}

// Worker carries out stored requests: those of Wake at once, and others that are due as soon as it finds them. It looks
// for these every OverdueEvery.
type Worker struct {
	o      WorkerOptions
	rows   *queue.Work[int64]
	loop   sync.WaitGroup
	cancel context.CancelFunc // ends the loop
}

// NewWorker makes a Worker. Nothing runs before Start.
func NewWorker(o WorkerOptions) *Worker {
	if o.OverdueEvery == 0 {
		o.OverdueEvery = overdueEvery
	}

	w := &Worker{o: o, cancel: func() {}}
	w.rows = queue.NewWork(workers, w.work)
	return w
}

// Start begins to work.
func (w *Worker) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.rows.Open()
	w.loop.Go(func() { w.findOverdue(ctx) })
}

// Stop begins no further request, waits for those that are being carried out until ctx ends, then cancels them and
// waits for their return. What is unfinished stays due.
func (w *Worker) Stop(ctx context.Context) {
	w.cancel()
	w.rows.Close(ctx)
	w.loop.Wait()
}

// Wake has a row carried out as soon as a worker is free. It does not block.
func (w *Worker) Wake(row int64) { w.rows.Add(row) }

// findOverdue adds the rows that are due and that no worker has, at once and then periodically: those of a process that
// has crashed, and those that were postponed.
func (w *Worker) findOverdue(ctx context.Context) {
	ticker := time.NewTicker(w.o.OverdueEvery)
	defer ticker.Stop()

	for {
		rows, err := w.o.Rows.OverdueChatDeliveries(ctx, overdueLimit)
		if err != nil && ctx.Err() == nil {
			w.o.Log.Error().Err(err).Msg("overdue requests of Slack not read")
		}
		w.rows.Add(rows...)

		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// work takes one try at a row.
func (w *Worker) work(ctx context.Context, row int64) {
	d, ok, err := w.o.Rows.LeaseChatDelivery(ctx, row)
	if err != nil {
		w.o.Log.Error().Err(err).Int64("row", row).Msg("request of Slack not read") // it is found again
		return
	}
	if !ok {
		return
	}

	in, err := decodeDelivery(d)
	if err != nil {
		w.giveUp(ctx, d, err)
		return
	}
	if asks(in.Kind) && w.o.Now().Sub(d.ReceivedAt) > askLife {
		w.giveUp(ctx, d, fmt.Errorf("older than %s, not carried out", askLife))
		return
	}

	switch err := w.attempt(ctx, in); {
	case err == nil:
		w.end(ctx, d, "")
	case ctx.Err() != nil: // this process stops
		if err := w.o.Rows.UnleaseChatDelivery(context.WithoutCancel(ctx), row); err != nil {
			w.log(d).Err(err).Msg("request of Slack not given back") // its lease ends after 25 s
		}
	case d.Tries+1 >= workTries:
		w.giveUp(ctx, d, err)
	default:
		w.postpone(ctx, d, err)
	}
}

// asks says whether requests of a kind come from a person who asks for something.
func asks(kind slack.Kind) bool { return kind != slack.KindEvent }

// attempt takes one try. A panic is an error of this request alone.
func (w *Worker) attempt(ctx context.Context, in slack.Incoming) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			w.o.Log.Error().
				Str("kind", string(in.Kind)).
				Str("panic", fmt.Sprint(cause)).
				Bytes("stack", debug.Stack()).
				Msg("request of Slack panicked")
			err = fmt.Errorf("panic: %v", cause)
		}
	}()

	ctx, cancel := context.WithTimeout(ctx, workTimeout)
	defer cancel()

	return w.o.Do(ctx, in)
}

// postpone has a row tried again after a pause.
func (w *Worker) postpone(ctx context.Context, d deployment.ChatDelivery, cause error) {
	pause := min(firstPause<<d.Tries, longestPause)
	if err := w.o.Rows.PostponeChatDelivery(ctx, d.Row, w.o.Now().Add(pause)); err != nil {
		w.log(d).Err(err).AnErr("cause", cause).Msg("request of Slack not postponed") // its lease ends after 25 s
		return
	}

	w.o.Log.Warn().Err(cause).
		Int64("row", d.Row).
		Str("kind", d.Kind).
		Int("tries", d.Tries+1).
		Dur("retry_in", pause).
		Msg("request of Slack postponed")
}

// giveUp ends a row that was not done.
func (w *Worker) giveUp(ctx context.Context, d deployment.ChatDelivery, cause error) {
	w.o.GaveUp(d.Kind)
	w.log(d).Err(cause).Int("tries", d.Tries+1).Msg("request of Slack given up")
	w.end(ctx, d, "given up: see the log")
}

func (w *Worker) end(ctx context.Context, d deployment.ChatDelivery, problem string) {
	if err := w.o.Rows.EndChatDelivery(ctx, d.Row, problem); err != nil {
		w.log(d).Err(err).Msg("end of a request of Slack not stored") // it is carried out again: see Do
	}
}

func (w *Worker) log(d deployment.ChatDelivery) *zerolog.Event {
	return w.o.Log.Error().Int64("row", d.Row).Str("kind", d.Kind)
}
