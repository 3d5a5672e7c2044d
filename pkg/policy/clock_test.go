package policy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// A freeze begins and ends at the hours that it says, whatever the clocks do in between.
func TestFreezeOverChangesOfClocks(t *testing.T) {
	for name, c := range map[string]struct {
		zone, cron string
		lasts      time.Duration
		first      string // UTC: its first second
		end        string
	}{
		"Berlin, an hour less":            {"Europe/Berlin", "0 22 * * SAT", 8 * time.Hour, "2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z"},
		"Berlin, an hour more":            {"Europe/Berlin", "0 22 * * SAT", 8 * time.Hour, "2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"},
		"Berlin, begins in no hour":       {"Europe/Berlin", "30 2 29 3 *", 2 * time.Hour, "2026-03-29T01:00:00Z", "2026-03-29T02:30:00Z"},
		"Berlin, ends in no hour":         {"Europe/Berlin", "0 1 29 3 *", 90 * time.Minute, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
		"Berlin, begins in a twin hour":   {"Europe/Berlin", "30 2 25 10 *", time.Hour, "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"},
		"Berlin, ends in a twin hour":     {"Europe/Berlin", "0 1 25 10 *", 90 * time.Minute, "2026-10-24T23:00:00Z", "2026-10-25T01:30:00Z"},
		"New York, an hour less":          {"America/New_York", "0 0 8 3 *", 24 * time.Hour, "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		"New York, an hour more":          {"America/New_York", "0 0 1 11 *", 24 * time.Hour, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		"New York, begins in a twin hour": {"America/New_York", "30 1 1 11 *", time.Hour, "2026-11-01T05:30:00Z", "2026-11-01T07:30:00Z"},
		"New York, ends in a twin hour":   {"America/New_York", "0 0 1 11 *", 90 * time.Minute, "2026-11-01T04:00:00Z", "2026-11-01T06:30:00Z"},
		"Lord Howe, half an hour less":    {"Australia/Lord_Howe", "0 3 4 10 *", 2 * time.Hour, "2026-10-03T16:00:00Z", "2026-10-03T18:00:00Z"},
		"Lord Howe, over it":              {"Australia/Lord_Howe", "0 1 4 10 *", 4 * time.Hour, "2026-10-03T14:30:00Z", "2026-10-03T18:00:00Z"},
		"Lord Howe, half an hour more":    {"Australia/Lord_Howe", "0 1 5 4 *", 4 * time.Hour, "2026-04-04T14:00:00Z", "2026-04-04T18:30:00Z"},
		"Cairo, where midnight is none":   {"Africa/Cairo", "0 0 24 4 *", 24 * time.Hour, "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"},
		"Kathmandu, which never changes":  {"Asia/Kathmandu", "0 0 1 1 *", time.Hour, "2025-12-31T18:15:00Z", "2025-12-31T19:15:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			f := Freeze{Cron: c.cron, Duration: c.lasts, Zone: c.zone}
			first, end := made(at(c.first)).now, made(at(c.end)).now
			moments := map[time.Time]time.Time{first.Add(-time.Second): {}, end.Add(-time.Second): end, end: {}}
			for when := first; when.Before(end); when = when.Add(5 * time.Minute) {
				moments[when] = end
			}

			for when, want := range moments {
				got, err := f.ends(when)
				if err != nil || !got.Equal(want) {
					t.Errorf("at %s: ends %s, want %s (%v)", when.UTC(), got.UTC(), want.UTC(), err)
				}
			}
		})
	}
}

// plan is a freeze in a form that the oracle reads without cron.
type plan struct {
	minute, hour int
	days         []int // of the week
	lasts        int   // minutes
}

func (p plan) freeze(zone string) Freeze {
	days := "*"
	if len(p.days) > 0 {
		days = ""
		for i, d := range p.days {
			days += fmt.Sprintf("%s%d", map[bool]string{true: ","}[i > 0], d)
		}
	}

	return Freeze{
		Cron:     fmt.Sprintf("%d %d * * %s", p.minute, p.hour, days),
		Duration: time.Duration(p.lasts) * time.Minute,
		Zone:     zone,
	}
}

// begins says whether the freeze begins when the wall reads w.
func (p plan) begins(w time.Time) bool {
	return w.Minute() == p.minute && w.Hour() == p.hour &&
		(len(p.days) == 0 || slices.Contains(p.days, int(w.Weekday())))
}

// minutes is the oracle: every minute around a change of clocks, and what the wall read. It knows
// nothing of offsets.
type minutes struct {
	from  time.Time
	walls []time.Time
	first map[time.Time]int // the first and the last minute at which the wall reads this
	last  map[time.Time]int
}

const around = 12 * 24 * 60

func minutesAround(change time.Time, zone *time.Location) minutes {
	m := minutes{from: change.Add(-around * time.Minute), first: map[time.Time]int{}, last: map[time.Time]int{}}
	for i := range 2 * around {
		local := m.from.Add(time.Duration(i) * time.Minute).In(zone)
		w := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), 0, 0, time.UTC)
		m.walls = append(m.walls, w)
		if _, known := m.first[w]; !known {
			m.first[w] = i
		}

		m.last[w] = i
	}

	return m
}

// find gives the minute at which the wall reads w; where it never does, the first at which it reads
// more.
func (m minutes) find(w time.Time, in map[time.Time]int) int {
	for ; w.Before(m.walls[len(m.walls)-1]); w = w.Add(time.Minute) {
		if i, ok := in[w]; ok {
			return i
		}
	}
	return len(m.walls)
}

// frozen marks every minute of a plan.
func (m minutes) frozen(p plan) []bool {
	marks := make([]bool, len(m.walls))
	for w := m.walls[0]; w.Before(m.walls[len(m.walls)-1]); w = w.Add(time.Minute) {
		if !p.begins(w) {
			continue
		}

		for i := m.find(w, m.first); i < m.find(w.Add(time.Duration(p.lasts)*time.Minute), m.last); i++ {
			marks[i] = true
		}
	}

	return marks
}

// The walk along the windows agrees with a look at every minute around the changes of clocks.
func TestFreezeAgreesWithTheMinutes(t *testing.T) {
	zones := map[string]string{ // and when clocks change there
		"Europe/Berlin": "2026-03-29T01:00:00Z", "Europe/Dublin": "2026-10-25T01:00:00Z", "America/New_York": "2026-11-01T06:00:00Z", "America/Havana": "2026-03-08T05:00:00Z",
		"Australia/Lord_Howe": "2026-10-03T15:30:00Z", "Australia/Adelaide": "2026-04-04T16:30:00Z", "Africa/Cairo": "2026-10-29T21:00:00Z",
		"Antarctica/Troll": "2026-10-25T01:00:00Z", "Pacific/Apia": "2011-12-30T10:00:00Z", "UTC": "2026-01-01T00:00:00Z",
	}

	var names []string
	days := map[string]minutes{}
	for name, change := range zones {
		names, days[name] = append(names, name), minutesAround(made(at(change)).now, zoneOf(t, name))
	}

	slices.Sort(names)
	rapid.Check(t, func(r *rapid.T) {
		zone := rapid.SampledFrom(names).Draw(r, "zone")
		p := plan{
			minute: rapid.SampledFrom([]int{0, 15, 30, 59}).Draw(r, "minute"),
			hour:   rapid.IntRange(0, 23).Draw(r, "hour"),
			days:   rapid.SliceOfNDistinct(rapid.IntRange(0, 6), 0, 3, rapid.ID[int]).Draw(r, "days"),
			lasts:  rapid.SampledFrom([]int{1, 30, 60, 90, 4 * 60, 24 * 60, 25 * 60, 62 * 60}).Draw(r, "lasts"),
		}

		m := days[zone]
		marks, f := m.frozen(p), p.freeze(zone)
		for range 40 {
			i := rapid.OneOf(rapid.IntRange(around-200, around+200), rapid.IntRange(around-4000, around+4000)).
				Draw(r, "minute")
			now := m.from.Add(time.Duration(i) * time.Minute)
			got, err := f.ends(now)
			open := i
			for open < len(marks) && marks[open] {
				open++
			}

			want := m.from.Add(time.Duration(open) * time.Minute)
			switch {
			case err != nil:
				r.Fatal(err)
			case !marks[i] && !got.IsZero():
				r.Fatalf("%+v at %s (%s): frozen until %s, and it is not", f, now.UTC(), m.walls[i], got.UTC())
			case marks[i] && open < len(marks)-4000 && !got.Equal(want):
				r.Fatalf("%+v at %s (%s): frozen until %s, want %s", f, now.UTC(), m.walls[i], got.UTC(), want.UTC())
			case marks[i] && !got.After(now):
				r.Fatalf("%+v at %s: it is said not to hold", f, now.UTC())
			}
		}
	})
}

// What never ends is bounded: a year ahead, and some hundreds of windows.
func TestFreezeWithoutAnEnd(t *testing.T) {
	for _, f := range []Freeze{
		{
			Cron:     "* * * * *",
			Duration: time.Hour,
		}, {
			Cron:     "0 0 * * *",
			Duration: 24 * time.Hour,
		}, {
			Cron:     "0 0 1 * *",
			Duration: 31 * 24 * time.Hour,
			Zone:     "Europe/Berlin",
		},
		{Cron: "0 0 * * 1", Duration: 366 * 24 * time.Hour},
	} {
		end, err := f.ends(noon)
		if err != nil || !end.After(noon) || end.Sub(noon) > 2*horizon {
			t.Errorf("%+v: %s %v", f, end, err)
		}
	}

	s := made(freezes(Freeze{
		Cron:     "0 0 * * *",
		Duration: 12 * time.Hour,
	}, Freeze{
		Cron:     "0 12 * * *",
		Duration: 12 * time.Hour,
	}))

	if v := s.verdict(); v.Decision != DecisionWait || v.Until.Sub(noon) > horizon+24*time.Hour {
		t.Errorf("%s", said(v))
	}
}

func TestParseCron(t *testing.T) {
	for text, ok := range map[string]bool{
		"0 18 * * FRI": true, "*/5 0-6,22 1 jan-mar 1-5": true, "0 0 29 2 *": true, "  0   0 * * * ": true, "0 0 ? * *": true,
		"": false, "0 0 * *": false, "0 0 0 * * *": false, "@daily": false, "@every 1h": false, "60 0 * * *": false, "0 24 * * *": false, "0 0 0 * *": false,
		"0 0 * * 7": false, "0 0 31 2 *": false, "0 0 * * FRI-MON": false, "*/0 * * * *": false, "TZ=": false, "CRON_TZ=UTC 0 0 * * *": false,
		"TZ=Europe/Berlin 0 0 * * *": false, ", * * * *": false, "0 0 * * xyz": false, "-1 0 * * *": false,
	} {
		if err := ParseCron(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}

	for name, ok := range map[string]bool{
		"":               true,
		"UTC":            true,
		"Europe/Berlin":  true,
		"Local":          false,
		"local":          false,
		"Europe/berlin ": false,
		"../etc/passwd":  false,
		"CET+1":          false,
	} {
		if _, err := Zone(name); (err == nil) != ok {
			t.Errorf("zone %q: %v", name, err)
		}
	}
}

// FuzzFreeze reads any cron expression, and never loses its way: what holds ends later.
func FuzzFreeze(f *testing.F) {
	for _, text := range []string{"0 18 * * FRI", "*/5 * * * *", "0 0 29 2 *", "TZ=", "@daily", "59 23 31 12 *", ", , , , ,", "0-59/7 */3 1,15 * MON-FRI"} {
		f.Add(text, int64(3600), int64(1795608000), uint8(1))
	}

	zones := []string{"", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Pacific/Apia"}
	f.Fuzz(func(t *testing.T, text string, seconds, now int64, zone uint8) {
		if len(text) > 100 || ParseCron(text) != nil {
			return
		}

		seconds, now = (seconds%(366*24*3600)+366*24*3600)%(366*24*3600)+1, now%4102444800
		at := time.Unix(now, 0)
		end, err := Freeze{
			Cron:     text,
			Duration: time.Duration(seconds) * time.Second,
			Zone:     zones[int(zone)%len(zones)],
		}.ends(at)

		if err != nil || !end.IsZero() && !end.After(at) {
			t.Fatalf("%q: %v %v", text, end, err)
		}
	})
}
