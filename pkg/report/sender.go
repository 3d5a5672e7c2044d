// Package report writes the pending statuses to GitHub, in order for each deployment. A write
// is stored before it is made. When its outcome is unknown, GitHub's statuses are read before it is
// repeated, so that no status is written twice.
package report

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// saveTimeout bounds the commit of what GitHub answered, even while the process is being stopped.
const saveTimeout = 5 * time.Second

// Store holds the reports. Sending and SaveReports return deployment.ErrVersionConflict and write
// nothing when the lease of the record has ended and another worker has taken the reports.
type Store interface {
	LeaseReports(ctx context.Context, row int64) (deployment.Record, bool, error)
	Sending(ctx context.Context, rec deployment.Record, r deployment.Report) error
	SaveReports(
		ctx context.Context,
		rec deployment.Record,
		changed []deployment.Report,
		due time.Time,
		timeline []deployment.Entry,
	) error
}

// GitHub writes and reads deployment statuses. Every call has a timeout of its own; none retries.
type GitHub interface {
	WriteStatus(ctx context.Context, to deployment.Request, r deployment.Report) deployment.WriteOutcome
	Statuses(ctx context.Context, of deployment.Request) ([]deployment.Status, error)
}

// Sender writes reports. All fields but Observe are required. It is safe for concurrent use.
type Sender struct {
	Store   Store
	GitHub  GitHub
	Log     zerolog.Logger
	Now     func() time.Time
	Observe func(lag time.Duration) // gets how long each written status was pending; may be nil
}

// Send writes the next report of one deployment, if one is due, and stores when to go on.
func (s *Sender) Send(ctx context.Context, row int64) {
	rec, ok, err := s.Store.LeaseReports(ctx, row)
	if err != nil {
		s.Log.Error().Err(err).Int64("row", row).Msg("reports not leased")
		return
	}
	if !ok {
		return
	}

	plan := MakePlan(rec.Reports, s.Now())
	changed, due := plan.Changed, plan.Due
	var timeline []deployment.Entry
	if plan.Send != nil {
		sent, next, entry, err := s.deliver(ctx, rec, *plan.Send, plan.Look)
		if err != nil {
			return // another worker has the reports
		}

		changed = append(changed, sent)
		if entry != nil {
			timeline = append(timeline, *entry)
		}

		due = next
		if next.IsZero() {
			then := MakePlan(replace(rec.Reports, changed), s.Now())
			changed, due = append(changed, then.Changed...), then.Due
		}
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()

	// After an error GitHub's statuses are read before the next write, because the report is stored as
	// being sent.
	if err := s.Store.SaveReports(ctx, rec, changed, due, timeline); err != nil {
		s.log(rec.Deployment, zerolog.WarnLevel).Err(err).Msg("reports not saved")
	}
}

// replace returns the reports with those that changed.
func replace(reports, changed []deployment.Report) []deployment.Report {
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

// deliver writes one report, or with look first finds out whether an earlier try arrived. It returns
// the report as it is afterwards, when to plan again (zero: at once), and a line for the timeline.
// The error is deployment.ErrVersionConflict: another worker has the reports.
func (s *Sender) deliver(
	ctx context.Context,
	rec deployment.Record,
	r deployment.Report,
	look bool,
) (deployment.Report, time.Time, *deployment.Entry, error) {
	if look {
		found, again, entry := s.lookFor(ctx, rec, r)
		return found, again, entry, nil
	}

	sending := BeforeWrite(r, s.Now())
	err := s.Store.Sending(ctx, rec, sending)
	if errors.Is(err, deployment.ErrVersionConflict) {
		return r, time.Time{}, nil, err
	}
	if err != nil {
		return r, s.Now().Add(time.Second), nil, nil // not stored, so not written
	}

	// Another worker may conclude after SendWindow that the write was made, or never will be.
	if s.Now().Sub(sending.TriedAt) > deployment.SendWindow {
		sent, next, entry := AfterWrite(sending, deployment.WriteOutcome{
			Kind:  deployment.WriteRetry,
			Cause: "the process was stopped before the write",
		}, s.Now())

		return sent, next, entry, nil
	}

	sending.KeepActive = rec.Deployment.Target.LockTask != "" || rec.Deployment.Target.Operation
	outcome := s.GitHub.WriteStatus(ctx, rec.Deployment.Request, sending)
	sent, next, entry := AfterWrite(sending, outcome, s.Now())
	s.logResult(rec.Deployment, sent, outcome)

	return sent, next, entry, nil
}

// lookFor reads GitHub's statuses to find out whether an earlier write of a report arrived.
func (s *Sender) lookFor(
	ctx context.Context,
	rec deployment.Record,
	r deployment.Report,
) (deployment.Report, time.Time, *deployment.Entry) {
	asked := s.Now()
	statuses, err := s.GitHub.Statuses(ctx, rec.Deployment.Request)
	if err != nil {
		r.Tries++
		return AfterWrite(r, deployment.WriteOutcome{
			Kind:  deployment.WriteUnknown,
			Late:  !r.TriedAt.IsZero(),
			Cause: err.Error(),
		}, s.Now())
	}

	newest := int64(0)
	for _, other := range rec.Reports {
		newest = max(newest, other.StatusID)
	}

	found, again := AfterLook(r, statuses, newest, asked)
	if found.Status == deployment.ReportSent {
		s.logResult(rec.Deployment, found, deployment.WriteOutcome{Kind: deployment.WriteDone})
	}

	return found, again, nil
}

// logResult logs what became of a report, and observes a written one.
func (s *Sender) logResult(d deployment.Deployment, r deployment.Report, o deployment.WriteOutcome) {
	switch r.Status {
	case deployment.ReportSent:
		s.log(d, zerolog.InfoLevel).
			Str("status", string(r.State)).
			Str("description", r.Description).
			Str("log_url", r.LogURL).
			Msg("status written")

		if s.Observe != nil {
			s.Observe(r.SentAt.Sub(r.NotBefore))
		}
	case deployment.ReportDropped, deployment.ReportFull, deployment.ReportUndeliverable:
		s.log(d, zerolog.ErrorLevel).
			Str("status", string(r.State)).
			Str("result", string(r.Status)).
			Str("cause", o.Cause).
			Msg("status given up")
	default:
		s.log(d, zerolog.WarnLevel).
			Str("status", string(r.State)).
			Str("cause", o.Cause).
			Time("retry_at", r.RetryAt).
			Msg("status not written yet")
	}
}

func (s *Sender) log(d deployment.Deployment, level zerolog.Level) *zerolog.Event {
	return s.Log.WithLevel(level).Fields(d.LogFields())
}
