package policy

import (
	"testing"
	"time"
)

var (
	weekend  = Freeze{Cron: "0 18 * * FRI", Duration: 62 * time.Hour, Zone: "Europe/Berlin", Message: "weekend"}
	night    = Freeze{Cron: "0 20 * * *", Duration: 12 * time.Hour, Zone: "Europe/Berlin"}
	launch   = Freeze{From: noon, To: noon.Add(2 * time.Hour), Message: "launch"}
	meeting  = Freeze{From: noon.Add(-time.Hour), To: noon.Add(time.Hour), Mode: ModeReject, Message: "all hands"}
	holidays = Freeze{From: noon.Add(-time.Hour), To: noon.Add(20 * 24 * time.Hour), Zone: "Europe/Berlin"}
)

var freezeCases = []verdictCase{
	{name: "once: before", given: frozenBy(Freeze{From: noon.Add(1), To: noon.Add(2)}), want: "allow"},
	{
		name:  "once: first moment",
		given: frozenBy(launch),
		want:  `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{
		name:  "once: last moment",
		given: frozenBy(Freeze{From: noon.Add(-2), To: noon.Add(1)}),
		want:  "wait frozen: the freeze to end (Wed 12:00 UTC) | until 25 Nov 12:00",
	},
	{name: "once: end", given: frozenBy(Freeze{From: noon.Add(-1), To: noon}), want: "allow"},
	{
		name:  "once: weeks away",
		given: frozenBy(holidays),
		want:  "wait frozen: the freeze to end (15 Dec 13:00 CET) | until 15 Dec 12:00",
	},
	{
		name:  "once: until next year",
		given: frozenBy(Freeze{From: noon, To: noon.AddDate(1, 0, 0)}),
		want:  "wait frozen: the freeze to end (25 Nov 2027 12:00 UTC) | until 25 Nov 12:00",
	},
	{name: "recurring: midweek", given: frozenBy(weekend), want: "allow"},
	{
		name:  "recurring: last second before",
		given: combine(frozenBy(weekend), atTime("2026-11-27T16:59:59Z")),
		want:  "allow",
	},
	{
		name:  "recurring: first second",
		given: combine(frozenBy(weekend), atTime("2026-11-27T17:00:00Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		name:  "recurring: middle",
		given: combine(frozenBy(weekend), atTime("2026-11-29T12:34:56Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		name:  "recurring: last second",
		given: combine(frozenBy(weekend), atTime("2026-11-30T06:59:59Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		name:  "recurring: end",
		given: combine(frozenBy(weekend), atTime("2026-11-30T07:00:00Z")),
		want:  "allow",
	},
	{
		name:  "recurring: clocks set back",
		given: combine(frozenBy(weekend), atTime("2026-10-24T12:00:00Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 26 Oct 07:00`,
	},
	{
		name:  "recurring: clocks set forward",
		given: combine(frozenBy(weekend), atTime("2026-03-28T12:00:00Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CEST) | until 30 Mar 06:00`,
	},
	{
		name:  "recurring: no zone means UTC",
		given: combine(frozenBy(Freeze{Cron: "0 12 * * *", Duration: time.Hour})),
		want:  "wait frozen: the freeze to end (Wed 13:00 UTC) | until 25 Nov 13:00",
	},
	{
		name:  "reject mode",
		given: frozenBy(meeting),
		want:  `reject frozen: the freeze "all hands" lasts until Wed 13:00 UTC`,
	},
	{
		name:  "two: the last end is shown",
		given: frozenBy(launch, Freeze{From: noon, To: noon.Add(time.Hour)}),
		want:  `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{
		name:  "two: in the other order",
		given: frozenBy(Freeze{From: noon, To: noon.Add(time.Hour)}, launch),
		want:  `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{
		name:  "two: one rejects",
		given: frozenBy(launch, meeting),
		want:  `reject frozen: the freeze "all hands" lasts until Wed 14:00 UTC`,
	},
	{
		name:  "two: one not in force",
		given: combine(frozenBy(weekend, launch)),
		want:  `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{
		name:  "next freeze without a gap",
		given: frozenBy(launch, Freeze{From: noon.Add(2 * time.Hour), To: noon.Add(5 * time.Hour)}),
		want:  `wait frozen: the freeze "launch" to end (Wed 17:00 UTC) | until 25 Nov 17:00`,
	},
	{
		name:  "next freeze after a gap",
		given: frozenBy(launch, Freeze{From: noon.Add(2*time.Hour + 1), To: noon.Add(5 * time.Hour)}),
		want:  `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{
		name:  "nights and weekends join",
		given: combine(frozenBy(weekend, night), atTime("2026-11-27T17:00:00Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		name:  "overlapping windows",
		given: combine(frozenBy(Freeze{Cron: "0 12,13,14 * * *", Duration: 90 * time.Minute})),
		want:  "wait frozen: the freeze to end (Wed 15:30 UTC) | until 25 Nov 15:30",
	},
	{
		name:  "bad cron",
		given: frozenBy(Freeze{Cron: "x", Duration: time.Hour, Message: "odd"}),
		want:  `wait unknown: the freeze "odd", which could not be read (expected exactly 5 fields, found 1: [x])`,
	},
	{
		name:  "bad zone",
		given: frozenBy(Freeze{Cron: "0 0 * * *", Duration: time.Hour, Zone: "Mars/Base"}),
		want:  `wait unknown: the freeze, which could not be read ("Mars/Base" is not a time zone, such as Europe/Berlin)`,
	},
}

func TestEvaluate_Freeze(t *testing.T) { runVerdictCases(t, freezeCases) }

// TestFreeze_WithoutEnd checks that the end of a freeze that never ends is at most two years away.
func TestFreeze_WithoutEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		freeze Freeze
	}{
		{name: "every minute", freeze: Freeze{Cron: "* * * * *", Duration: time.Hour}},
		{name: "every day", freeze: Freeze{Cron: "0 0 * * *", Duration: 24 * time.Hour}},
		{name: "every month", freeze: Freeze{Cron: "0 0 1 * *", Duration: 31 * 24 * time.Hour, Zone: "Europe/Berlin"}},
		{name: "every week for a year", freeze: Freeze{Cron: "0 0 * * 1", Duration: 366 * 24 * time.Hour}},
	} {
		t.Run(c.name, func(t *testing.T) {
			end, err := c.freeze.activeUntil(noon)
			if err != nil {
				t.Fatal(err)
			}
			if !end.After(noon) || end.Sub(noon) > 2*maxFreezeEnd {
				t.Errorf("got end %s, want one within two years after %s", end, noon)
			}
		})
	}

	t.Run("two that alternate", func(t *testing.T) {
		v := scenarioWith(frozenBy(
			Freeze{Cron: "0 0 * * *", Duration: 12 * time.Hour},
			Freeze{Cron: "0 12 * * *", Duration: 12 * time.Hour},
		)).evaluate()
		if v.Decision != DecisionWait || v.Until.Sub(noon) > maxFreezeEnd+24*time.Hour {
			t.Errorf("got %s, want to wait for a year at most", summarize(v))
		}
	})
}
