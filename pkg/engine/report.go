package engine

import (
	"context"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// report sends what is owed to GitHub for one deployment, in order, until nothing can be sent now.
func (e *Engine) report(ctx context.Context, row int64) {
	rec, ok, err := e.Store.LeaseReports(ctx, row)
	if err != nil {
		e.Log.Error().Err(err).Int64("row", row).Msg("cannot load reports that are due; trying again soon")
	}
	if err != nil || !ok {
		return
	}

	reports, entries := rec.Reports, []deployment.Entry(nil)
	plan := deployment.PlanReports(reports, e.Now())
	changed, due := plan.Changed, plan.Due
	if plan.Send != nil {
		sent, next, entry, err := e.deliver(ctx, rec, *plan.Send, plan.Look)
		if err != nil {
			return // another worker has the reports by now
		}

		changed = append(changed, sent)
		if entry != nil {
			entries = append(entries, *entry)
		}
		if due = next; next.IsZero() {
			then := deployment.PlanReports(replaced(reports, changed), e.Now())
			changed, due = append(changed, then.Changed...), then.Due
		}
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := e.Store.SaveReports(ctx, rec, changed, due, entries); err != nil {
		e.log(rec.Deployment, warn).
			Err(err).
			Msg("cannot record what GitHub was told; its statuses will be read before it is told again")
	}
}

// replaced are the reports with those that changed.
func replaced(reports, changed []deployment.Report) []deployment.Report {
	latest := append([]deployment.Report(nil), reports...)
	for _, c := range changed {
		for i := range latest {
			if latest[i].Seq == c.Seq {
				latest[i] = c
			}
		}
	}

	return latest
}

// deliver writes one report, or first finds out whether an earlier try arrived.
// deployment.ErrStale: the reports are in another's hands.
func (e *Engine) deliver(
	ctx context.Context,
	rec deployment.Record,
	r deployment.Report,
	look bool,
) (deployment.Report, time.Time, *deployment.Entry, error) {
	if look {
		found, again, entry := e.lookForReport(ctx, rec, r)
		return found, again, entry, nil
	}

	sending := deployment.BeforeWrite(r, e.Now())
	switch err := e.Store.Sending(ctx, rec, sending); {
	case errors.Is(err, deployment.ErrVersionConflict):
		return r, time.Time{}, nil, err
	case err != nil:
		return r, e.Now().Add(time.Second), nil, nil // not on record, so not sent
	}

	r = sending
	// stopped in between: others count on the word being out by now, or never
	if e.Now().Sub(r.TriedAt) > deployment.SendWindow {
		sent, next, entry := deployment.AfterWrite(r, deployment.WriteOutcome{
			Kind:  deployment.WriteRetry,
			Cause: "the process was stopped before the write",
		}, e.Now())

		return sent, next, entry, nil
	}

	r.KeepActive = rec.Deployment.Target.LockTask != ""
	outcome := e.GitHub.WriteStatus(ctx, rec.Deployment.Request, r)
	sent, next, entry := deployment.AfterWrite(r, outcome, e.Now())
	e.toldGitHub(rec.Deployment, sent, outcome)

	return sent, next, entry, nil
}

func (e *Engine) lookForReport(
	ctx context.Context,
	rec deployment.Record,
	r deployment.Report,
) (deployment.Report, time.Time, *deployment.Entry) {
	statuses, err := e.GitHub.Statuses(ctx, rec.Deployment.Request)
	if err != nil {
		r.Tries++
		return deployment.AfterWrite(r, deployment.WriteOutcome{
			Kind:  deployment.WriteUnknown,
			Late:  !r.TriedAt.IsZero(),
			Cause: err.Error(),
		}, e.Now())
	}

	newest := int64(0)
	for _, other := range rec.Reports {
		newest = max(newest, other.StatusID)
	}

	found, again := deployment.AfterLook(r, statuses, newest, e.Now())
	if found.Status == deployment.ReportSent {
		e.toldGitHub(rec.Deployment, found, deployment.WriteOutcome{Kind: deployment.WriteDone})
	}

	return found, again, nil
}

func (e *Engine) toldGitHub(d deployment.Deployment, r deployment.Report, o deployment.WriteOutcome) {
	switch r.Status {
	case deployment.ReportSent:
		e.log(d, info).
			Str("status", string(r.State)).
			Str("description", r.Description).
			Str("log_url", r.LogURL).
			Msg("GitHub was told")

		if e.Observe.Reported != nil {
			e.Observe.Reported(r.SentAt.Sub(r.NotBefore))
		}
	case deployment.ReportDropped, deployment.ReportFull, deployment.ReportUndeliverable:
		e.log(d, fault).
			Str("status", string(r.State)).
			Str("cause", o.Cause).
			Msg("GitHub cannot be told: " + string(r.Status))
	default:
		e.log(d, warn).Str("status", string(r.State)).Str("cause", o.Cause).Msg("GitHub was not told yet; trying again")
	}
}
