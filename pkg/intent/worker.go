// Package intent creates, at GitHub, the deployments that people asked this service for.
//
// A request is stored as an intent before GitHub is asked. GitHub has no idempotency key, so GitHub may be
// made to create two deployments of one intent; at most one of them runs:
//
//  1. The intent has a nonce, which goes into the payload of the deployment.
//  2. Only the worker whose own write moved the intent to sending calls GitHub, once.
//  3. After a call of unknown outcome GitHub's list is searched for the nonce. The call is repeated, with the
//     same nonce, only after a time in which GitHub must have listed what the first call created.
//  4. Of several deployments with one nonce the intake lets the first one run, and stores the others to be
//     rejected. So a call that takes effect late does no harm.
//
// An intent for which GitHub has created nothing, or cannot be asked for too long, fails with a reason.
package intent

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
)

// Store keeps intents. Its errors are deployment.ErrNotFound and deployment.ErrVersionConflict.
type Store interface {
	LeaseRequest(ctx context.Context, row int64) (i deployment.Intent, ok bool, err error)
	UnleaseRequest(ctx context.Context, row int64) error
	SaveRequest(ctx context.Context, next deployment.Intent, o deployment.SaveOptions) (deployment.Intent, error)
	Request(ctx context.Context, row int64) (deployment.Intent, error)
}

// GitHub creates and lists deployments. Every call has a timeout of its own; none is repeated.
type GitHub interface {
	// CreateDeployment calls GitHub at most once, and not after sendBefore.
	CreateDeployment(
		ctx context.Context,
		in deployment.Source,
		n deployment.NewDeployment,
		sendBefore time.Time,
	) deployment.CreateOutcome
	// FindDeployments lists the deployments of a commit in an environment, newest first, as GitHub's
	// deployment objects.
	FindDeployments(ctx context.Context, in deployment.Source, sha, environment string) ([]json.RawMessage, error)
	// Maker is as whom GitHub shows the creator of this service's deployments.
	Maker(ctx context.Context) (deployment.Maker, error)
}

// Intake accepts the deployments that were created.
type Intake interface {
	Accept(ctx context.Context, del intake.Delivery, req deployment.Request) (intake.Result, error)
}

// Worker takes one step with one intent at a time. All fields are required. It is safe for concurrent use.
type Worker struct {
	Store   Store
	GitHub  GitHub
	Intake  Intake
	Machine deployment.IntentMachine

	// TrustedSince is since when the database is known to hold all that this service did. Intents from
	// before are looked for at GitHub before it is asked to create: a backup may have been restored.
	TrustedSince func() time.Time

	Log zerolog.Logger
	Now func() time.Time
}

// saveTimeout limits a commit, which goes on even while the process is being stopped.
const saveTimeout = 5 * time.Second

// saveTries is how often an answer is saved again after somebody else has changed the row.
const saveTries = 6

// Create takes one step with an intent that is due.
func (w *Worker) Create(ctx context.Context, row int64) {
	i, leased, err := w.Store.LeaseRequest(ctx, row)
	if err != nil {
		w.Log.Error().Err(err).Int64("intent", row).Msg("request not leased")
		return
	}
	if !leased {
		return // it is not due, or another worker has it
	}

	if err := w.step(ctx, i); err != nil {
		w.log(i, zerolog.WarnLevel).Err(err).Msg("step with request failed")
		_ = w.Store.UnleaseRequest(ctx, row) // otherwise the lease ends by itself
	}
}

// step does what the state of a leased intent calls for.
func (w *Worker) step(ctx context.Context, i deployment.Intent) error {
	switch i.State {
	case deployment.IntentWanted:
		return w.send(ctx, i)
	case deployment.IntentSending:
		return w.save(ctx, i, w.Machine.Interrupted)
	case deployment.IntentUnknown:
		return w.lookUp(ctx, i)
	default:
		return w.Store.UnleaseRequest(ctx, i.Row)
	}
}

// send asks GitHub once to create the deployment, if this worker's own write moves the intent to sending.
func (w *Worker) send(ctx context.Context, i deployment.Intent) error {
	maker, err := w.GitHub.Maker(ctx)
	if err != nil {
		return w.postpone(ctx, i, err)
	}

	i.Maker = maker
	if since := w.TrustedSince(); !i.CreatedAt.After(since) {
		found, err := w.find(ctx, i)
		if err != nil {
			return w.postpone(ctx, i, err)
		}
		if len(found) > 0 {
			// The intake compares the stored maker with the creator that GitHub shows.
			i, err = w.Store.SaveRequest(ctx, i, deployment.SaveOptions{KeepLease: true})
			if err != nil {
				return err
			}
			return w.adoptFound(ctx, i, found)
		}
	}

	body, err := i.NewDeployment()
	if err != nil {
		return w.save(ctx, i, func(i deployment.Intent, now time.Time) deployment.Intent {
			return w.Machine.Fail(i, "the payload cannot be read: "+err.Error(), now)
		})
	}

	// Round(0) leaves the wall clock alone, which goes on while the machine is suspended.
	next, err := w.Machine.Send(i, i.Maker, w.Now().Round(0))
	if err != nil {
		return err
	}

	sending, err := w.Store.SaveRequest(ctx, next, deployment.SaveOptions{
		KeepLease:   true,
		CallTimeout: deployment.SendWindow + w.Machine.CallTimeout,
	})
	if err != nil {
		return err
	}

	return w.answer(ctx, sending, w.GitHub.CreateDeployment(ctx, sending.Source(), body, sending.SendBefore))
}

// postpone puts an intent off because GitHub did not answer a question before the call.
func (w *Worker) postpone(ctx context.Context, i deployment.Intent, err error) error {
	cause, _ := deployment.PublicCause("GitHub", err)
	w.log(i, zerolog.InfoLevel).Err(err).Msg("creation postponed")

	return w.save(ctx, i, func(i deployment.Intent, now time.Time) deployment.Intent {
		return w.Machine.NotSent(i, cause, 0, now)
	})
}

// answer saves what GitHub answered.
func (w *Worker) answer(ctx context.Context, i deployment.Intent, o deployment.CreateOutcome) error {
	w.log(i, zerolog.InfoLevel).
		Str("outcome", string(o.Kind)).
		Str("cause", o.Cause).
		Int("attempt", i.Attempts).
		Msg("deployment asked for at GitHub")

	if o.Kind == deployment.CreateDone {
		err := w.adoptAnswer(ctx, i, o.Body)
		if err == nil {
			return nil
		}

		w.log(i, zerolog.WarnLevel).Err(err).Msg("answer of GitHub not stored")
	}

	return w.save(ctx, i, func(i deployment.Intent, now time.Time) deployment.Intent {
		return w.Machine.Answer(i, o, now)
	})
}

// save writes a change of an intent. If somebody else has written the row meanwhile, it applies the change to
// what is stored now, at most saveTries times; an intent that has ended stays as it is. The end of ctx does not
// interrupt it.
func (w *Worker) save(
	ctx context.Context,
	i deployment.Intent,
	change func(deployment.Intent, time.Time) deployment.Intent,
) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()

	for try := 1; ; try++ {
		before := i.State
		next := change(i, w.Now())
		_, err := w.Store.SaveRequest(ctx, next, deployment.SaveOptions{})
		if err == nil && next.State != before {
			w.log(next, zerolog.InfoLevel).Str("from", string(before)).Str("problem", next.Problem).Msg("request " +
				string(next.State))
		}
		if !errors.Is(err, deployment.ErrVersionConflict) || try == saveTries {
			return err
		}

		i, err = w.Store.Request(ctx, i.Row)
		if err != nil {
			return err
		}
		if !i.State.Open() {
			return w.Store.UnleaseRequest(ctx, i.Row)
		}
	}
}

// log begins a log entry about an intent.
func (w *Worker) log(i deployment.Intent, level zerolog.Level) *zerolog.Event {
	return w.Log.WithLevel(level).
		Int64("intent", i.Row).
		Str("repository", i.Repository.FullName()).
		Str("environment", i.Environment).
		Str("sha", i.SHA).
		Str("state", string(i.State))
}
