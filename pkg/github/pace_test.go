package github

import (
	"io"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestPaceKeepsAReserveForEnds(t *testing.T) {
	c := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":3}`)
	})

	c.options.WritesPerMinute = 8
	count := func(r deployment.Report) (n int) {
		for c.WriteStatus(t.Context(), request, r).Kind == deployment.WriteDone {
			n++
		}

		return n
	}

	if before, ends := count(running), count(success); before != 6 || ends != 2 {
		t.Errorf("%d before the end, then %d ends", before, ends)
	}
	if got := wantWrite(t, c, request, deployment.WritePaced); got.After <= 0 || got.After > minuteWindow {
		t.Errorf("%+v", got)
	}
}

// Five hundred an hour, however evenly they come, and only ends in the last quarter of them.
func TestPaceOfTheHour(t *testing.T) {
	p, at := &pace{perMinute: 80}, now
	words, ends := 0, 0
	for range 3600 {
		at = at.Add(time.Second)
		if p.reserve(at, false) == 0 {
			words++
		}
	}

	for range 200 {
		if p.reserve(at, true) == 0 {
			ends++
		}
	}

	if words != 375 || words+ends > 500 || ends == 0 {
		t.Errorf("%d words and %d ends in an hour", words, ends)
	}
}

// However writes come: never more than so many in a minute, only ends take the last quarter, and
// whoever waits as long as told gets through.
func TestPaceHolds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		most, at := rapid.IntRange(0, 9).Draw(r, "most"), now
		p := &pace{perMinute: most}
		var sent []time.Time
		for range rapid.IntRange(1, 60).Draw(r, "writes") {
			at = at.Add(time.Duration(rapid.IntRange(0, 40_000).Draw(r, "pause")) * time.Millisecond)
			end := rapid.Bool().Draw(r, "end")
			wait := p.reserve(at, end)
			if wait > 0 && rapid.Bool().Draw(r, "patient") {
				at = at.Add(wait)
				if wait = p.reserve(at, end); wait > 0 {
					r.Fatalf("waited as told, and must wait %v more", wait)
				}
			}

			if wait == 0 {
				sent = append(sent, at)
			}

			checkPace(r, sent, at, most, wait, end)
		}
	})
}

func checkPace(r *rapid.T, sent []time.Time, at time.Time, most int, wait time.Duration, end bool) {
	recent := 0
	for _, s := range sent {
		if at.Sub(s) <= time.Minute {
			recent++
		}
	}

	switch {
	case most == 0 && wait > 0:
		r.Fatalf("no bound, and held for %v", wait)
	case most > 0 && recent > most:
		r.Fatalf("%d writes within a minute, the most is %d", recent, most)
	case wait == 0 && !end && most > 0 && recent > most-most/4:
		r.Fatalf("%d writes within a minute, and a word before the end was let through", recent)
	}
}
