package engine

import (
	"context"
	"errors"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// updateTries is how often update starts over after version conflicts.
const updateTries = 6

// updateOptions say how update changes a row. The zero value loads the row, applies the event and
// saves the result.
type updateOptions struct {
	known     *deployment.Deployment // the row as the caller knows it; nil: it is loaded first
	audit     *deployment.AuditEvent // saved with the change
	notedOnly bool                   // save nothing if the event adds nothing to the timeline
	key       string                 // of the deployment that is meant; empty: of the one that is loaded
	attempt   int                    // the trigger attempt that the event answers; 0: it is no answer
}

// update applies an event to a row that other workers may change at the same time. After a version
// conflict it loads the row again and starts over. An answer that no longer concerns the row changes
// nothing. On success it returns the row as it is now, else the row to which the event was applied.
//
// The lease ends, except in the state triggering: the row then belongs to the worker that sends the
// request, and another worker that leased it would take the trigger for an interrupted one.
func (e *Engine) update(
	ctx context.Context,
	row int64,
	event deployment.Event,
	o updateOptions,
) (deployment.Deployment, error) {
	save := e.Rows.Save
	if o.attempt != 0 {
		save = e.saveAnswer
	}

	for try := 1; ; try++ {
		d, err := e.knownOrLoad(ctx, row, o.known)
		if err != nil {
			return d, err
		}
		if o.key != "" && d.Target.Key != o.key {
			return d, deployment.ErrNotFound // a database that lacks commits gave the row to another one
		}
		o.key = d.Target.Key
		if !concerns(d, event, o.attempt) {
			return d, nil
		}

		next, changes, err := e.Machine.Apply(d, event, e.Now())
		if err != nil {
			return d, err
		}
		if o.notedOnly && len(changes.Timeline) == 0 {
			return d, nil
		}

		if o.audit != nil {
			changes.Audit = []deployment.AuditEvent{o.audit.On(d, e.Now())}
		}

		saved, err := save(ctx, next, changes, deployment.SaveOptions{KeepLease: next.State == deployment.Triggering})
		if err == nil {
			e.logTransition(d, saved)
			return saved, nil
		}
		if !errors.Is(err, deployment.ErrVersionConflict) || try == updateTries {
			return d, err
		}

		o.known = nil
	}
}

func (e *Engine) knownOrLoad(
	ctx context.Context,
	row int64,
	known *deployment.Deployment,
) (deployment.Deployment, error) {
	if known != nil {
		return *known, nil
	}
	return e.Rows.Load(ctx, row)
}

// concerns reports whether an event still applies. A 201 and any event that answers no attempt always do.
// Another answer applies only to the newest attempt, and only while that has no answer: a commit of
// unknown outcome may have saved it.
func concerns(d deployment.Deployment, event deployment.Event, attempt int) bool {
	if _, started := event.(deployment.Triggered); started || attempt == 0 {
		return true
	}

	last := d.LastAttempt()
	known := last.Outcome != "" && last.Outcome != deployment.OutcomeInterrupted
	return last.Number == attempt && !known
}
