package report

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// fakeStore has one deployment with reports. It records, together with fakeGitHub, what is called.
type fakeStore struct {
	calls   *[]string
	record  deployment.Record
	sending error // of Sending
	onSend  func()
	saved   []deployment.Report
	due     time.Time
}

func (s *fakeStore) LeaseReports(context.Context, int64) (deployment.Record, bool, error) {
	return s.record, true, nil
}

func (s *fakeStore) Sending(_ context.Context, _ deployment.Record, r deployment.Report) error {
	*s.calls = append(*s.calls, "store sending")
	if s.onSend != nil {
		s.onSend()
	}
	return s.sending
}

func (s *fakeStore) SaveReports(
	_ context.Context,
	_ deployment.Record,
	changed []deployment.Report,
	due time.Time,
	_ []deployment.Entry,
) error {
	*s.calls = append(*s.calls, "save")
	s.saved, s.due = changed, due
	return nil
}

// fakeGitHub answers every write with outcome and lists statuses.
type fakeGitHub struct {
	calls    *[]string
	outcome  deployment.WriteOutcome
	statuses []deployment.Status
	onRead   func()
}

func (g *fakeGitHub) WriteStatus(context.Context, deployment.Request, deployment.Report) deployment.WriteOutcome {
	*g.calls = append(*g.calls, "write")
	return g.outcome
}

func (g *fakeGitHub) Statuses(context.Context, deployment.Request) ([]deployment.Status, error) {
	*g.calls = append(*g.calls, "read statuses")
	if g.onRead != nil {
		g.onRead()
	}
	return g.statuses, nil
}

func TestSender_Send(t *testing.T) {
	pending := deployment.Report{
		Seq:       1,
		State:     deployment.GitHubInProgress,
		CreatedAt: t0,
		NotBefore: t0,
		Status:    deployment.ReportPending,
	}
	unknown := BeforeWrite(pending, t0)
	done := deployment.WriteOutcome{Kind: deployment.WriteDone, StatusID: 9}

	for name, c := range map[string]struct {
		report   deployment.Report
		sending  error
		delay    time.Duration // between Sending and the write, or between the question and the answer
		statuses []deployment.Status
		calls    []string
		want     []deployment.ReportStatus
	}{
		"a pending report is stored before it is written": {
			report: pending,
			calls:  []string{"store sending", "write", "save"},
			want:   []deployment.ReportStatus{deployment.ReportSent},
		},
		"nothing is written when another worker has the reports": {
			report:  pending,
			sending: deployment.ErrVersionConflict,
			calls:   []string{"store sending"},
		},
		"nothing is written when it cannot be stored": {
			report:  pending,
			sending: context.DeadlineExceeded,
			calls:   []string{"store sending", "save"},
			want:    []deployment.ReportStatus{deployment.ReportPending},
		},
		"nothing is written after a long pause of the process": {
			report: pending,
			delay:  time.Minute,
			calls:  []string{"store sending", "save"},
			want:   []deployment.ReportStatus{deployment.ReportPending},
		},
		"a report of unknown outcome is looked for, and found": {
			report:   unknown,
			statuses: []deployment.Status{{ID: 9, State: deployment.GitHubInProgress}},
			calls:    []string{"read statuses", "save"},
			want:     []deployment.ReportStatus{deployment.ReportSent},
		},
		"a report of unknown outcome is looked for, and may still arrive": {
			report: unknown,
			calls:  []string{"read statuses", "save"},
			want:   []deployment.ReportStatus{deployment.ReportUnknown},
		},
		"a report of unknown outcome may have arrived after the question, though the answer comes late": {
			report: unknown,
			delay:  time.Minute,
			calls:  []string{"read statuses", "save"},
			want:   []deployment.ReportStatus{deployment.ReportUnknown},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var calls []string
			now := t0
			wait := func() { now = now.Add(c.delay) }
			store := &fakeStore{
				calls:   &calls,
				record:  deployment.Record{Reports: []deployment.Report{c.report}},
				sending: c.sending,
				onSend:  wait,
			}
			s := &Sender{
				Store:  store,
				GitHub: &fakeGitHub{calls: &calls, outcome: done, statuses: c.statuses, onRead: wait},
				Log:    zerolog.Nop(),
				Now:    func() time.Time { return now },
			}

			s.Send(t.Context(), 1)

			if !slices.Equal(calls, c.calls) {
				t.Errorf("calls: got %q, want %q", calls, c.calls)
			}

			var got []deployment.ReportStatus
			for _, r := range store.saved {
				got = append(got, r.Status)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("saved: got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSender_ObservesTheLag(t *testing.T) {
	var calls []string
	var lags []time.Duration
	s := &Sender{
		Store: &fakeStore{calls: &calls, record: deployment.Record{Reports: []deployment.Report{{
			Seq:       1,
			State:     deployment.GitHubInProgress,
			CreatedAt: t0,
			NotBefore: t0.Add(2 * time.Second),
			Status:    deployment.ReportPending,
		}}}},
		GitHub: &fakeGitHub{calls: &calls, outcome: deployment.WriteOutcome{Kind: deployment.WriteDone}},
		Log:    zerolog.Nop(),
		Now:    func() time.Time { return t0.Add(5 * time.Second) },
		Observe: func(lag time.Duration) {
			lags = append(lags, lag)
		},
	}

	s.Send(t.Context(), 1)
	if want := []time.Duration{3 * time.Second}; !slices.Equal(lags, want) {
		t.Errorf("got %v, want %v", lags, want)
	}
}
