package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// dailyFreeze is a recurring freeze in a form that the oracle reads without cron.
type dailyFreeze struct {
	minute   int
	hour     int
	weekdays []int // empty: every day
	duration int   // minutes
}

func (d dailyFreeze) freeze(zone string) Freeze {
	weekdays := "*"
	if len(d.weekdays) > 0 {
		var list []string
		for _, day := range d.weekdays {
			list = append(list, strconv.Itoa(day))
		}
		weekdays = strings.Join(list, ",")
	}

	return Freeze{
		Cron:     fmt.Sprintf("%d %d * * %s", d.minute, d.hour, weekdays),
		Duration: time.Duration(d.duration) * time.Minute,
		Zone:     zone,
	}
}

// beginsAt says whether the freeze begins at a local time.
func (d dailyFreeze) beginsAt(local time.Time) bool {
	return local.Minute() == d.minute && local.Hour() == d.hour &&
		(len(d.weekdays) == 0 || slices.Contains(d.weekdays, int(local.Weekday())))
}

// minuteTable is the oracle: every minute around a clock change, with the local time that clocks
// showed then. It calculates with no offsets.
type minuteTable struct {
	start time.Time
	local []time.Time       // by minute since start
	first map[time.Time]int // the first minute at which clocks show a local time
	last  map[time.Time]int // the last one
}

// minutesEachSide is how many minutes before and after the clock change the table holds.
const minutesEachSide = 12 * 24 * 60

func newMinuteTable(change time.Time, zone *time.Location) minuteTable {
	m := minuteTable{
		start: change.Add(-minutesEachSide * time.Minute),
		first: map[time.Time]int{},
		last:  map[time.Time]int{},
	}

	for i := range 2 * minutesEachSide {
		t := m.start.Add(time.Duration(i) * time.Minute).In(zone)
		local := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
		m.local = append(m.local, local)
		if _, known := m.first[local]; !known {
			m.first[local] = i
		}

		m.last[local] = i
	}

	return m
}

// find returns the minute at which clocks show a local time, or a later one where they skip it.
func (m minuteTable) find(local time.Time, minutes map[time.Time]int) int {
	for ; local.Before(m.local[len(m.local)-1]); local = local.Add(time.Minute) {
		if i, ok := minutes[local]; ok {
			return i
		}
	}
	return len(m.local)
}

// frozen says for every minute whether the freeze is in force.
func (m minuteTable) frozen(d dailyFreeze) []bool {
	frozen := make([]bool, len(m.local))
	for local := m.local[0]; local.Before(m.local[len(m.local)-1]); local = local.Add(time.Minute) {
		if !d.beginsAt(local) {
			continue
		}

		begin := m.find(local, m.first)
		end := m.find(local.Add(time.Duration(d.duration)*time.Minute), m.last)
		for i := begin; i < end; i++ {
			frozen[i] = true
		}
	}

	return frozen
}

// TestProperty_FreezeAgreesWithEveryMinute compares the calculated end of a freeze with a table of
// all minutes around a clock change.
func TestProperty_FreezeAgreesWithEveryMinute(t *testing.T) {
	changes := []struct {
		zone   string
		change string
	}{
		{zone: "Africa/Cairo", change: "2026-10-29T21:00:00Z"},
		{zone: "America/Havana", change: "2026-03-08T05:00:00Z"},
		{zone: "America/New_York", change: "2026-11-01T06:00:00Z"},
		{zone: "Antarctica/Troll", change: "2026-10-25T01:00:00Z"},
		{zone: "Australia/Adelaide", change: "2026-04-04T16:30:00Z"},
		{zone: "Australia/Lord_Howe", change: "2026-10-03T15:30:00Z"},
		{zone: "Europe/Berlin", change: "2026-03-29T01:00:00Z"},
		{zone: "Europe/Dublin", change: "2026-10-25T01:00:00Z"},
		{zone: "Pacific/Apia", change: "2011-12-30T10:00:00Z"},
		{zone: "UTC", change: "2026-01-01T00:00:00Z"},
	}

	tables := make([]minuteTable, len(changes))
	for i, c := range changes {
		zone, err := LoadZone(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		tables[i] = newMinuteTable(scenarioWith(atTime(c.change)).now, zone)
	}

	rapid.Check(t, func(r *rapid.T) {
		i := rapid.IntRange(0, len(changes)-1).Draw(r, "zone")
		checkAgainstTable(r, tables[i], changes[i].zone)
	})
}

func checkAgainstTable(r *rapid.T, table minuteTable, zone string) {
	d := dailyFreeze{
		minute:   rapid.SampledFrom([]int{0, 15, 30, 59}).Draw(r, "minute"),
		hour:     rapid.IntRange(0, 23).Draw(r, "hour"),
		weekdays: rapid.SliceOfNDistinct(rapid.IntRange(0, 6), 0, 3, rapid.ID[int]).Draw(r, "weekdays"),
		duration: rapid.SampledFrom([]int{1, 30, 60, 90, 4 * 60, 24 * 60, 25 * 60, 62 * 60}).Draw(r, "duration"),
	}
	freeze, frozen := d.freeze(zone), table.frozen(d)
	near := rapid.IntRange(minutesEachSide-200, minutesEachSide+200)
	far := rapid.IntRange(minutesEachSide-4000, minutesEachSide+4000)

	for range 40 {
		i := rapid.OneOf(near, far).Draw(r, "now")
		now := table.start.Add(time.Duration(i) * time.Minute)
		got, err := freeze.activeUntil(now)
		if err != nil {
			r.Fatal(err)
		}

		if !frozen[i] {
			if !got.IsZero() {
				r.Fatalf("got %+v in force until %s at %s (%s), want it not in force", freeze, got, now, table.local[i])
			}
			continue
		}
		if !got.After(now) {
			r.Fatalf("got %+v not in force at %s (%s), want it in force", freeze, now, table.local[i])
		}

		end := i
		for end < len(frozen) && frozen[end] {
			end++
		}

		// Near the end of the table it does not show all windows that follow.
		want := table.start.Add(time.Duration(end) * time.Minute)
		if end < len(frozen)-4000 && !got.Equal(want) {
			r.Fatalf("got end %s of %+v at %s (%s), want %s", got.UTC(), freeze, now, table.local[i], want.UTC())
		}
	}
}
