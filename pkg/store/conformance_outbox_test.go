package store

import (
	"errors"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/report"
)

func testReports(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "p")
	b.announced()

	d.Due = b.clock().Add(time.Hour)
	d = b.mustSave(d, deployment.Changes{
		Reports: []deployment.Report{b.pending(deployment.GitHubQueued), b.pending(deployment.GitHubInProgress)},
	})
	b.wantAnnounced(reportTask(d.Row))

	rec := b.mustLeaseReports(d.Row)
	if len(rec.Reports) != 2 || rec.Reports[1].Seq != 2 {
		t.Fatalf("got %+v, want two reports", rec.Reports)
	}

	_, ok, err := b.LeaseReports(t.Context(), d.Row)
	if err != nil || ok {
		t.Errorf("lease while another worker has them: got %v, %v, want false", ok, err)
	}

	b.mustSave(d, deployment.Changes{Reports: []deployment.Report{b.pending(deployment.GitHubSuccess)}})

	rec.Reports[0].Status = deployment.ReportSuperseded
	rec.Reports[1].Status = deployment.ReportSent
	rec.Reports[1].StatusID = 5
	rec.Reports[1].SentAt = b.clock()
	err = b.SaveReports(t.Context(), rec, rec.Reports, time.Time{}, []deployment.Entry{{Event: "x"}})
	if err != nil {
		t.Fatal(err)
	}

	rec = b.mustLeaseReports(d.Row) // the third came in meanwhile, so they are due
	if len(rec.Reports) != 3 || rec.Reports[1].StatusID != 5 || !rec.Reports[1].SentAt.Equal(b.clock()) {
		t.Errorf("got %+v, want three reports, the second one sent", rec.Reports)
	}

	stats, err := b.Stats(t.Context())
	if err != nil || stats.ReportsUnsent != 1 || stats.Open[deployment.Waiting] != 1 {
		t.Errorf("got %+v, %v, want one unsent report and one that waits", stats, err)
	}
}

// pending is a report that is due now.
func (b *testDB) pending(state deployment.GitHubState) deployment.Report {
	return deployment.Report{
		State:       state,
		Description: "d",
		Final:       state == deployment.GitHubSuccess,
		CreatedAt:   b.clock(),
		NotBefore:   b.clock(),
		Status:      deployment.ReportPending,
	}
}

func (b *testDB) mustLeaseReports(row int64) deployment.Record {
	b.t.Helper()
	rec, ok, err := b.LeaseReports(b.t.Context(), row)
	if err != nil || !ok {
		b.t.Fatalf("lease reports of row %d: got %v, %v, want true", row, ok, err)
	}

	return rec
}

// testReportsRetryAfter: while GitHub asks to wait, a newer report waits, too.
func testReportsRetryAfter(t *testing.T, b *testDB) {
	d := b.mustSave(triggering(b.accept(1, "production", "p"), b), deployment.Changes{
		Reports: []deployment.Report{b.pending(deployment.GitHubInProgress)},
	})
	rec := b.mustLeaseReports(d.Row)

	inAnHour := deployment.WriteOutcome{Kind: deployment.WriteRetry, After: time.Hour}
	tried, due, _ := report.AfterWrite(report.BeforeWrite(rec.Reports[0], b.clock()), inAnHour, b.clock())
	err := b.SaveReports(t.Context(), rec, []deployment.Report{tried}, due, nil)
	if err != nil {
		t.Fatal(err)
	}

	b.later(5 * time.Second)
	b.mustSave(d, deployment.Changes{Reports: []deployment.Report{b.pending(deployment.GitHubSuccess)}})

	rec = b.mustLeaseReports(d.Row)
	if plan := report.MakePlan(rec.Reports, b.clock()); plan.Send != nil {
		t.Errorf("got that %+v is sent, want nothing", plan.Send)
	}
}

// testReportsLeaseLost: a worker that stood still until its lease had ended, and another one had
// leased the reports, writes nothing any more.
func testReportsLeaseLost(t *testing.T, b *testDB) {
	d := b.mustSave(triggering(b.accept(1, "production", "p"), b), deployment.Changes{
		Reports: []deployment.Report{b.pending(deployment.GitHubQueued)},
	})

	stopped := b.mustLeaseReports(d.Row)
	b.later(leaseFor + time.Second)
	other := b.mustLeaseReports(d.Row)

	sending := report.BeforeWrite(stopped.Reports[0], b.clock())
	err := b.Sending(t.Context(), stopped, sending)
	if !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("Sending without the lease: got %v, want %v", err, deployment.ErrVersionConflict)
	}

	err = b.SaveReports(t.Context(), stopped, []deployment.Report{sending}, time.Time{}, nil)
	if !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("SaveReports without the lease: got %v, want %v", err, deployment.ErrVersionConflict)
	}

	all, err := b.Reports(t.Context(), d.Row)
	if err != nil || len(all) != 1 || all[0].Status != deployment.ReportPending || all[0].Tries != 0 {
		t.Errorf("got %+v, %v, want the report as it was", all, err)
	}

	if err := b.Sending(t.Context(), other, sending); err != nil {
		t.Errorf("Sending with the lease: %v", err)
	}
	if err := b.SaveReports(t.Context(), other, []deployment.Report{sending}, b.clock(), nil); err != nil {
		t.Errorf("SaveReports with the lease: %v", err)
	}
}
