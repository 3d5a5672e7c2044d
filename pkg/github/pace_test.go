package github

import (
	"io"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestPace_ReserveForFinalReports(t *testing.T) {
	c := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":3}`)
	})
	c.options.WritesPerMinute = 8

	writes := func(r deployment.Report) (n int) {
		for c.WriteStatus(t.Context(), request, r).Kind == deployment.WriteDone {
			n++
		}
		return n
	}

	if others, finals := writes(running), writes(success); others != 6 || finals != 2 {
		t.Errorf("got %d other and then %d final reports, want 6 and 2", others, finals)
	}
	if got := wantWrite(t, c, request, deployment.WritePaced); got.After <= 0 || got.After > 61*time.Second {
		t.Errorf("got a wait of %v, want at most 61s", got.After)
	}
}

// What was counted by a clock that was set back since holds nothing back for longer than it can.
func TestPace_ClockSetBack(t *testing.T) {
	p, at := &pace{perMinute: 8}, now
	for range 8 {
		p.reserve(at, true)
	}
	p.pauseAfter(&Error{Kind: KindLimited, RetryAfter: time.Minute}, at)

	at = at.Add(-24 * time.Hour)
	if wait := p.reserve(at, true); wait > minuteWindow {
		t.Errorf("got a wait of %v, want at most %v", wait, minuteWindow)
	}
	if wait := p.reserve(at.Add(minuteWindow), true); wait != 0 {
		t.Errorf("after a minute: got a wait of %v, want none", wait)
	}
}

// At most 500 writes an hour, however evenly they come, the last quarter of them final reports.
func TestPace_Hour(t *testing.T) {
	p, at := &pace{perMinute: 80}, now
	others, finals := 0, 0
	for range 3600 {
		at = at.Add(time.Second)
		if p.reserve(at, false) == 0 {
			others++
		}
	}

	for range 200 {
		if p.reserve(at, true) == 0 {
			finals++
		}
	}

	if others != 375 {
		t.Errorf("got %d other reports in an hour, want 375", others)
	}
	if finals == 0 || others+finals > 500 {
		t.Errorf("got %d final reports besides, want some and at most 125", finals)
	}
}

// However writes come: never more than perMinute in a minute, only final reports in the last
// quarter of them, and a write that waits that long is let through.
func TestPace_RandomWrites(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		perMinute, at := rapid.IntRange(0, 9).Draw(r, "writes per minute"), now
		p := &pace{perMinute: perMinute}
		var sent []time.Time
		for range rapid.IntRange(1, 60).Draw(r, "writes") {
			at = at.Add(time.Duration(rapid.IntRange(0, 40_000).Draw(r, "pause in ms")) * time.Millisecond)
			final := rapid.Bool().Draw(r, "final")
			wait := p.reserve(at, final)
			if wait > 0 && rapid.Bool().Draw(r, "waits") {
				at = at.Add(wait)
				if wait = p.reserve(at, final); wait > 0 {
					r.Fatalf("after the wait: got another one of %v, want none", wait)
				}
			}

			if wait == 0 {
				sent = append(sent, at)
			}

			checkPace(r, sent, at, perMinute, wait, final)
		}
	})
}

func checkPace(r *rapid.T, sent []time.Time, at time.Time, perMinute int, wait time.Duration, final bool) {
	recent := 0
	for _, s := range sent {
		if at.Sub(s) <= time.Minute {
			recent++
		}
	}

	switch {
	case perMinute == 0 && wait > 0:
		r.Fatalf("without a bound: got a wait of %v, want none", wait)
	case perMinute > 0 && recent > perMinute:
		r.Fatalf("got %d writes within a minute, want at most %d", recent, perMinute)
	case wait == 0 && !final && perMinute > 0 && recent > perMinute-perMinute/4:
		r.Fatalf("got %d writes within a minute, and still another one that is not final", recent)
	}
}
