package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/client"
)

// pace is how often a service is asked, and how long a few commands wait for it.
type pace struct {
	poll  time.Duration // between two reads of a watched deployment without a stream of events
	check time.Duration // with one, in case that it tells nothing
	open  time.Duration // before a stream is opened again; each later pause is twice as long
	ask   time.Duration // before a request for a deployment is sent again; each later pause is twice as long
	look  time.Duration // between two looks for what the service learns later

	complete time.Duration // how long a person who pressed Tab waits at most
	health   time.Duration // how long seraph health waits at most
}

// usualPace is the pace outside of tests.
var usualPace = pace{
	poll:  2 * time.Second,
	check: 30 * time.Second,
	open:  time.Second,
	ask:   500 * time.Millisecond,
	look:  500 * time.Millisecond,

	complete: 1500 * time.Millisecond,
	health:   5 * time.Second,
}

const (
	longestPause = 30 * time.Second // before a stream is opened again
	retryLimit   = 5 * time.Minute  // how long a service that does not answer is asked again
)

// errTimeout is the cause of the end of watching at --timeout.
var errTimeout = errors.New("the time of --timeout is over")

func (c *commands) watchCommand() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "watch ID",
		Short: "watch a deployment until it ends",
		Long: "Print each change of a deployment until it ends. ID is GitHub's deployment id (seraph list).\n" +
			"The exit code says how it ended: 0 succeeded, 1 failed or errored, 3 it has not ended, 4 rejected,\n" +
			"5 canceled. Ctrl-C leaves the deployment running.",
		Example:           "seraph watch 3145728007 --timeout 30m",
		Args:              wantID,
		ValidArgsFunction: c.completeID(),
	}
	addTimeoutFlag(cmd, &timeout)
	return c.asking(cmd, func(ctx context.Context, s *session, args []string) error {
		return s.watch(ctx, idOf(args), timeout)
	})
}

func addTimeoutFlag(cmd *cobra.Command, timeout *time.Duration) {
	cmd.Flags().DurationVar(timeout, "timeout", 0, "stop watching after `DURATION`, such as 30m; default never")
}

// watch prints each change of a deployment until it ends, and tells by the exit code how it stands then.
func (s *session) watch(ctx context.Context, id int64, timeout time.Duration) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errTimeout)
		defer cancel()
	}

	last, err := s.follow(ctx, id, s.printChange)
	switch {
	case err == nil:
		if last.State == "failed" && !s.json {
			s.printFailingStep(ctx, last)
		}
		return exit(exitCode(last.State))
	case errors.Is(err, errTimeout) || errors.Is(err, errInterrupted):
		if last.State == "" {
			s.notes.line(fmt.Sprintf("%v: Seraph has not said yet how deployment %d stands.", err, id))
			s.notes.line(fmt.Sprintf("`seraph watch %d` asks again.", id))
			return exit(ExitWaiting)
		}

		next := "goes on by itself"
		if last.State == "held" {
			const format = "goes on when somebody approves the job, with `seraph approve-hold %d` or in CircleCI"
			next = fmt.Sprintf(format, id)
		}
		s.notes.line(fmt.Sprintf("%v: deployment %d is %s and %s.", err, id, last.State, next))
		s.notes.line(fmt.Sprintf("`seraph watch %d` watches it again, `seraph cancel %d` cancels it.", id, id))
		return exit(ExitWaiting)
	default:
		return err
	}
}

// failureLooks is how often the failing step is looked for, which the service reads after the end.
const failureLooks = 4

// printFailingStep prints at which step a deployment has failed, as far as the service shows it.
func (s *session) printFailingStep(ctx context.Context, d api.DeploymentDetail) {
	for look := 0; d.Failure == nil && look < failureLooks && sleep(ctx, s.o.pace.look); look++ {
		again, err := s.client.Deployment(ctx, d.ID)
		if err != nil {
			break // the end is known, and that is what counts
		}
		d = again
	}
	if d.Failure != nil {
		s.printFailure(d.Failure)
	}
}

// printChange prints how a deployment stands.
func (s *session) printChange(d api.DeploymentDetail) error {
	if s.json {
		return s.out.json(d.Deployment)
	}

	state := coloured(fmt.Sprintf("%-11s", d.State))
	state.colour = colours[d.State]
	s.out.table("", []cell{{text: s.o.Now().Format(time.TimeOnly)}, state, {text: situation(d.Deployment)}})
	return nil
}

// follow reads a deployment whenever it may have changed, and calls changed where it has, until it has
// ended. The error is the cause of the context's end, or says why the service cannot be asked. It returns
// what it has read last.
func (s *session) follow(
	ctx context.Context, id int64, changed func(api.DeploymentDetail) error,
) (last api.DeploymentDetail, err error) {
	hints := &hints{waiting: make(chan struct{}, 1), pace: s.o.pace}
	var listening sync.WaitGroup
	listenCtx, stop := context.WithCancel(ctx)
	defer listening.Wait()
	defer stop()
	listening.Go(func() { s.listen(listenCtx, id, hints) })

	var failingSince time.Time
	for {
		d, err := s.client.Deployment(ctx, id)
		switch {
		case err == nil && changeOf(d.Deployment) != changeOf(last.Deployment):
			if err := changed(d); err != nil {
				return last, err
			}
			fallthrough
		case err == nil:
			last, failingSince = d, time.Time{}
			if ended(d.State) {
				return last, nil
			}
		case ctx.Err() != nil:
			return last, context.Cause(ctx)
		case !passes(err) || last.State == "" && !s.answered && isWrongAddress(err):
			return last, err
		case failingSince.IsZero():
			failingSince = time.Now()
			s.notes.line(fmt.Sprintf("%v; trying again, the deployment goes on meanwhile", s.plainly(err)))
			if hint := s.hintAboutConnection(err); hint != "" && last.State == "" {
				s.notes.line(hint)
			}
		case time.Since(failingSince) > retryLimit:
			return last, err
		}

		if err := hints.wait(ctx); err != nil {
			return last, err
		}
	}
}

// change is what of a deployment is worth a line.
type change struct {
	state, reason, waitsFor, pipeline string
	forced                            bool
}

func changeOf(d api.Deployment) change {
	c := change{state: d.State, reason: d.Reason, waitsFor: d.WaitsFor, forced: d.Forced != nil}
	if d.Pipeline != nil {
		c.pipeline = d.Pipeline.URL
	}
	return c
}

// passes says whether a failure passes by itself, as while the service is restarted.
func passes(err error) bool {
	answered, ok := errors.AsType[*client.Error](err)
	return !ok || answered.Status >= 500 || answered.Status == http.StatusTooManyRequests
}

// isWrongAddress says whether a failure to ask a service for the first time shows that nobody will answer there, rather
// than that the service is away for a while.
func isWrongAddress(err error) bool {
	unknown, isDNS := errors.AsType[*net.DNSError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, notSeraph := errors.AsType[*client.AnswerError](err)
	return isDNS && unknown.IsNotFound || untrusted || notSeraph || isPlainHTTP(err)
}

// hints tell the reader of a deployment that it may have changed.
type hints struct {
	waiting   chan struct{} // holds a value from a hint until the reader takes it
	streaming atomic.Bool   // a stream of events is open
	pace      pace
}

// add adds a hint, unless one waits already.
func (h *hints) add() {
	select {
	case h.waiting <- struct{}{}:
	default:
	}
}

// wait waits for a hint, or until it is time to read the deployment anyway. The error is the cause of the
// context's end.
func (h *hints) wait(ctx context.Context) error {
	interval := h.pace.poll
	if h.streaming.Load() {
		interval = h.pace.check
	}

	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-h.waiting:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// listen adds a hint for each event about a deployment, and whenever a stream begins or ends, because the
// deployment may have changed while there was none. It returns where the service has no such stream.
func (s *session) listen(ctx context.Context, id int64, h *hints) {
	lastID := ""
	pause := s.o.pace.open
	for {
		began := time.Now()
		stream, err := s.client.Events(ctx, client.EventQuery{Deployment: id}, lastID)
		if err == nil {
			h.streaming.Store(true)
			for err == nil {
				h.add()
				_, err = stream.Next()
			}

			lastID = stream.LastID()
			stream.Close()
			h.streaming.Store(false)
			h.add()
		}

		_, notAStream := errors.AsType[*client.AnswerError](err)
		if notAStream || !passes(err) {
			return
		}
		if time.Since(began) > longestPause {
			pause = s.o.pace.open
		}

		if !sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, longestPause)
	}
}
