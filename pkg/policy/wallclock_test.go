package policy

import (
	"strconv"
	"testing"
	"time"
)

// TestFreeze_ClockChanges checks that a freeze begins and ends at the local times of its rule where
// clocks change in between.
func TestFreeze_ClockChanges(t *testing.T) {
	for _, c := range []struct {
		name     string
		zone     string
		cron     string
		duration time.Duration
		begin    string // UTC, the first second
		end      string // UTC
	}{
		{
			name:     "Berlin, clocks set forward",
			zone:     "Europe/Berlin",
			cron:     "0 22 * * SAT",
			duration: 8 * time.Hour,
			begin:    "2026-03-28T21:00:00Z",
			end:      "2026-03-29T04:00:00Z",
		},
		{
			name:     "Berlin, clocks set back",
			zone:     "Europe/Berlin",
			cron:     "0 22 * * SAT",
			duration: 8 * time.Hour,
			begin:    "2026-10-24T20:00:00Z",
			end:      "2026-10-25T05:00:00Z",
		},
		{
			name:     "Berlin, begins in the skipped hour",
			zone:     "Europe/Berlin",
			cron:     "30 2 29 3 *",
			duration: 2 * time.Hour,
			begin:    "2026-03-29T01:00:00Z",
			end:      "2026-03-29T02:30:00Z",
		},
		{
			name:     "Berlin, ends in the skipped hour",
			zone:     "Europe/Berlin",
			cron:     "0 1 29 3 *",
			duration: 90 * time.Minute,
			begin:    "2026-03-29T00:00:00Z",
			end:      "2026-03-29T01:00:00Z",
		},
		{
			name:     "Berlin, begins in the repeated hour",
			zone:     "Europe/Berlin",
			cron:     "30 2 25 10 *",
			duration: time.Hour,
			begin:    "2026-10-25T00:30:00Z",
			end:      "2026-10-25T02:30:00Z",
		},
		{
			name:     "Berlin, ends in the repeated hour",
			zone:     "Europe/Berlin",
			cron:     "0 1 25 10 *",
			duration: 90 * time.Minute,
			begin:    "2026-10-24T23:00:00Z",
			end:      "2026-10-25T01:30:00Z",
		},
		{
			name:     "New York, clocks set forward",
			zone:     "America/New_York",
			cron:     "0 0 8 3 *",
			duration: 24 * time.Hour,
			begin:    "2026-03-08T05:00:00Z",
			end:      "2026-03-09T04:00:00Z",
		},
		{
			name:     "New York, clocks set back",
			zone:     "America/New_York",
			cron:     "0 0 1 11 *",
			duration: 24 * time.Hour,
			begin:    "2026-11-01T04:00:00Z",
			end:      "2026-11-02T05:00:00Z",
		},
		{
			name:     "New York, begins in the repeated hour",
			zone:     "America/New_York",
			cron:     "30 1 1 11 *",
			duration: time.Hour,
			begin:    "2026-11-01T05:30:00Z",
			end:      "2026-11-01T07:30:00Z",
		},
		{
			name:     "New York, ends in the repeated hour",
			zone:     "America/New_York",
			cron:     "0 0 1 11 *",
			duration: 90 * time.Minute,
			begin:    "2026-11-01T04:00:00Z",
			end:      "2026-11-01T06:30:00Z",
		},
		{
			name:     "Lord Howe, half an hour forward, after the change",
			zone:     "Australia/Lord_Howe",
			cron:     "0 3 4 10 *",
			duration: 2 * time.Hour,
			begin:    "2026-10-03T16:00:00Z",
			end:      "2026-10-03T18:00:00Z",
		},
		{
			name:     "Lord Howe, half an hour forward",
			zone:     "Australia/Lord_Howe",
			cron:     "0 1 4 10 *",
			duration: 4 * time.Hour,
			begin:    "2026-10-03T14:30:00Z",
			end:      "2026-10-03T18:00:00Z",
		},
		{
			name:     "Lord Howe, half an hour back",
			zone:     "Australia/Lord_Howe",
			cron:     "0 1 5 4 *",
			duration: 4 * time.Hour,
			begin:    "2026-04-04T14:00:00Z",
			end:      "2026-04-04T18:30:00Z",
		},
		{
			name:     "Cairo, midnight skipped",
			zone:     "Africa/Cairo",
			cron:     "0 0 24 4 *",
			duration: 24 * time.Hour,
			begin:    "2026-04-23T22:00:00Z",
			end:      "2026-04-24T21:00:00Z",
		},
		{
			name:     "Kathmandu, no change",
			zone:     "Asia/Kathmandu",
			cron:     "0 0 1 1 *",
			duration: time.Hour,
			begin:    "2025-12-31T18:15:00Z",
			end:      "2025-12-31T19:15:00Z",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Freeze{Cron: c.cron, Duration: c.duration, Zone: c.zone}
			begin, end := scenarioWith(atTime(c.begin)).now, scenarioWith(atTime(c.end)).now

			checkActiveUntil(t, f, begin.Add(-time.Second), time.Time{})
			for now := begin; now.Before(end); now = now.Add(5 * time.Minute) {
				checkActiveUntil(t, f, now, end)
			}
			checkActiveUntil(t, f, end.Add(-time.Second), end)
			checkActiveUntil(t, f, end, time.Time{})
		})
	}
}

func checkActiveUntil(t *testing.T, f Freeze, now, want time.Time) {
	t.Helper()
	got, err := f.activeUntil(now)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equal(want) {
		t.Errorf("at %s: got end %s, want %s", now.UTC(), got.UTC(), want.UTC())
	}
}

func TestValidateCron(t *testing.T) {
	for _, c := range []struct {
		text  string
		valid bool
	}{
		{text: "0 18 * * FRI", valid: true},
		{text: "*/5 0-6,22 1 jan-mar 1-5", valid: true},
		{text: "0 0 29 2 *", valid: true},
		{text: "  0   0 * * * ", valid: true},
		{text: "0 0 ? * *", valid: true},
		{text: "", valid: false},
		{text: "0 0 * *", valid: false},
		{text: "0 0 0 * * *", valid: false},
		{text: "@daily", valid: false},
		{text: "@every 1h", valid: false},
		{text: "60 0 * * *", valid: false},
		{text: "0 24 * * *", valid: false},
		{text: "0 0 0 * *", valid: false},
		{text: "0 0 * * 7", valid: false},
		{text: "0 0 31 2 *", valid: false},
		{text: "0 0 * * FRI-MON", valid: false},
		{text: "*/0 * * * *", valid: false},
		{text: "TZ=", valid: false},
		{text: "CRON_TZ=UTC 0 0 * * *", valid: false},
		{text: "TZ=Europe/Berlin 0 0 * * *", valid: false},
		{text: ", * * * *", valid: false},
		{text: "0 0 * * xyz", valid: false},
		{text: "-1 0 * * *", valid: false},
	} {
		t.Run(strconv.Quote(c.text), func(t *testing.T) {
			if err := ValidateCron(c.text); (err == nil) != c.valid {
				t.Errorf("got error %v, want valid %v", err, c.valid)
			}
		})
	}
}

func TestLoadZone(t *testing.T) {
	for _, c := range []struct {
		zone  string
		valid bool
	}{
		{zone: "", valid: true},
		{zone: "UTC", valid: true},
		{zone: "Europe/Berlin", valid: true},
		{zone: "Local", valid: false},
		{zone: "local", valid: false},
		{zone: "Europe/berlin ", valid: false},
		{zone: "../etc/passwd", valid: false},
		{zone: "CET+1", valid: false},
	} {
		t.Run(strconv.Quote(c.zone), func(t *testing.T) {
			if _, err := LoadZone(c.zone); (err == nil) != c.valid {
				t.Errorf("got error %v, want valid %v", err, c.valid)
			}
		})
	}
}

// FuzzFreeze checks that any valid cron expression can be evaluated at any time, and that a freeze
// that is in force ends later.
func FuzzFreeze(f *testing.F) {
	for _, text := range []string{
		"0 18 * * FRI",
		"*/5 * * * *",
		"0 0 29 2 *",
		"TZ=",
		"@daily",
		"59 23 31 12 *",
		", , , , ,",
		"0-59/7 */3 1,15 * MON-FRI",
	} {
		f.Add(text, int64(3600), int64(1795608000), uint8(1))
	}

	const (
		year          = 366 * 24 * 3600 // seconds
		endOfCalendar = 4102444800      // the year 2100
	)
	zones := []string{"", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Pacific/Apia"}

	f.Fuzz(func(t *testing.T, text string, seconds, now int64, zone uint8) {
		if len(text) > 100 || ValidateCron(text) != nil {
			return
		}

		freeze := Freeze{
			Cron:     text,
			Duration: time.Duration((seconds%year+year)%year+1) * time.Second,
			Zone:     zones[int(zone)%len(zones)],
		}
		at := time.Unix(now%endOfCalendar, 0)

		end, err := freeze.activeUntil(at)
		if err != nil {
			t.Fatalf("evaluate %+v: %v", freeze, err)
		}
		if !end.IsZero() && !end.After(at) {
			t.Fatalf("got end %s of %+v at %s, want a later one", end, freeze, at)
		}
	})
}
