package engine

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestDurations_NearTheAverage(t *testing.T) {
	var m durations
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	d := deployment.Deployment{Project: deployment.Project{ID: "p"}, StartedAt: began}
	if m.near(d, began.Add(time.Hour)) {
		t.Error("without a recorded duration: got true, want false")
	}

	d.EndedAt = began.Add(10 * time.Minute)
	m.record(d)
	if m.near(d, began.Add(5*time.Minute)) {
		t.Error("after 5 of 10 minutes: got true, want false")
	}
	if !m.near(d, began.Add(9*time.Minute)) {
		t.Error("after 9 of 10 minutes: got false, want true")
	}
}
