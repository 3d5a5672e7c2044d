package route

import (
	"fmt"
	"strings"
	"testing"
)

func TestParse_FreezeProblems(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		want string // part of the error
	}{
		{name: "mapping", text: productionRouteOf("freeze: {cron: x}"), want: "freeze must be a list"},
		{name: "empty list", text: productionRouteOf("freeze: []"), want: "freeze must be a list of at least one"},
		{
			name: "empty freeze",
			text: productionRouteOf("freeze: [{}]"),
			want: "a freeze needs cron and duration, or from and to",
		},
		{
			name: "no duration",
			text: productionRouteOf("freeze:", `- cron: "0 0 * * *"`),
			want: "routes.yaml:5: cron says when a freeze begins: give its duration",
		},
		{
			name: "no cron",
			text: productionRouteOf("freeze:", "- duration: 5h"),
			want: "routes.yaml:5: duration works only with cron",
		},
		{
			name: "too long",
			text: productionRouteOf(`freeze: [{cron: "0 0 * * *", duration: 9000h}]`),
			want: "duration must be at most 8784h",
		},
		{
			name: "bad cron",
			text: productionRouteOf("freeze:", "- duration: 5h", `  cron: "0 25 * * *"`),
			want: `routes.yaml:6: cron "0 25 * * *": end of range (25) above maximum (23)`,
		},
		{
			name: "cron of six fields",
			text: productionRouteOf(`freeze: [{cron: "0 0 0 * * *", duration: 1h}]`),
			want: "expected exactly 5 fields",
		},
		{
			name: "cron with a zone",
			text: productionRouteOf(`freeze: [{cron: "TZ=UTC 0 0 * * *", duration: 1h}]`),
			want: "a time zone belongs under zone",
		},
		{
			name: "cron that never occurs",
			text: productionRouteOf(`freeze: [{cron: "0 0 31 2 *", duration: 1h}]`),
			want: "the schedule never occurs",
		},
		{
			name: "recurring and single",
			text: productionRouteOf(
				`freeze: [{cron: "0 0 * * *", duration: 1h, from: "2026-01-01 00:00", to: "2026-01-02 00:00"}]`,
			),
			want: "write two freezes",
		},
		{
			name: "no to",
			text: productionRouteOf(`freeze: [{from: "2026-01-01 00:00"}]`),
			want: "needs both from and to",
		},
		{
			name: "to before from",
			text: productionRouteOf(`freeze: [{from: "2026-01-02 00:00", to: "2026-01-01 00:00"}]`),
			want: "to must be after from",
		},
		{
			name: "to equals from",
			text: productionRouteOf(`freeze: [{from: 2026-01-02T00:00:00+01:00, to: 2026-01-01T23:00:00Z}]`),
			want: "to must be after from",
		},
		{
			name: "dates without a time",
			text: productionRouteOf(`freeze: [{from: 2026-01-02, to: 2026-01-03}]`),
			want: "must be a time, such as",
		},
		{
			name: "day that does not exist",
			text: productionRouteOf(`freeze: [{from: "2026-02-30 00:00", to: "2026-03-03 00:00"}]`),
			want: "must be a time, such as",
		},
		{
			name: "year too large",
			text: productionRouteOf(`freeze: [{from: "2026-02-20 00:00", to: "9999-12-31 00:00"}]`),
			want: "must be a time, such as",
		},
		{
			name: "hour that does not exist",
			text: productionRouteOf(
				`freeze: [{zone: Europe/Berlin, from: "2026-03-29 02:30", to: "2026-04-01 00:00"}]`,
			),
			want: "does not exist in Europe/Berlin",
		},
		{
			name: "unknown zone",
			text: productionRouteOf(
				"freeze:",
				`- {cron: "0 0 * * *", duration: 1h}`,
				"- cron: 0 0 * * *",
				"  duration: 1h",
				"  zone: Europe/Berlín",
			),
			want: "routes.yaml:8: zone: \"Europe/Berlín\" is not a time zone",
		},
		{
			name: "zone of the machine",
			text: productionRouteOf(`freeze: [{cron: "0 0 * * *", duration: 1h, zone: Local}]`),
			want: "depends on the machine",
		},
		{
			name: "bad mode",
			text: productionRouteOf(`freeze: [{cron: "0 0 * * *", duration: 1h, mode: stop}]`),
			want: "must be wait or reject",
		},
		{
			name: "message too long",
			text: productionRouteOf(
				`freeze: [{cron: "0 0 * * *", duration: 1h, message: "` + strings.Repeat("x", 61) + `"}]`,
			),
			want: "at most 60 characters",
		},
		{
			name: "message of two lines",
			text: productionRouteOf(`freeze: [{cron: "0 0 * * *", duration: 1h, message: "a\nb"}]`),
			want: "one line",
		},
		{
			name: "unknown key",
			text: productionRouteOf(`freeze: [{cron: "0 0 * * *", duration: 1h, timezone: UTC}]`),
			want: `a freeze: unknown key "timezone"`,
		},
		{
			name: "given twice",
			text: productionRouteOf(
				"freeze:",
				`- {cron: "0 0 * * *", duration: 1h}`,
				`- {duration: 1h, cron: "0 0 * * *"}`,
			),
			want: "routes.yaml:6: freeze: the same freeze is given twice",
		},
		{
			name: "single freeze given twice",
			text: productionRouteOf(
				"freeze:",
				`- {from: "2026-01-01 01:00", to: "2026-01-02 00:00", zone: Europe/Berlin}`,
				`- {from: 2026-01-01T00:00:00Z, to: "2026-01-02 00:00", zone: Europe/Berlin}`,
			),
			want: "routes.yaml:6: freeze: the same freeze is given twice",
		},
		{
			name: "for all routes: not a list",
			text: "freeze: x\nroutes:\n- repository: acme/api",
			want: "routes.yaml:1: freeze must be a list",
		},
		{
			name: "for all routes: bad cron",
			text: "routes:\n- repository: acme/api\nfreeze:\n- {cron: x, duration: 1h}",
			want: `routes.yaml:4: cron "x"`,
		},
		{
			name: "for all routes: misspelt",
			text: "freezes: []\nroutes:\n- repository: acme/api",
			want: `did you mean "freeze"?`,
		},
	} {
		t.Run(c.name, func(t *testing.T) { checkParseError(t, c.text, c.want) })
	}
}

// TestParse_FreezeInRepeatedHour checks that a local time that occurs twice begins a freeze early
// and ends it late.
func TestParse_FreezeInRepeatedHour(t *testing.T) {
	for _, c := range []struct {
		name  string
		from  string
		to    string
		begin string // UTC
		end   string // UTC
	}{
		{name: "begins in it", from: "2026-10-25 02:30", to: "2026-10-25 04:00", begin: "00:30", end: "03:00"},
		{name: "ends in it", from: "2026-10-25 01:00", to: "2026-10-25 02:30", begin: "23:00", end: "01:30"},
		{name: "within it", from: "2026-10-25 02:00", to: "2026-10-25 02:59", begin: "00:00", end: "01:59"},
		{name: "from equals to", from: "2026-10-25 02:30", to: "2026-10-25 02:30", begin: "00:30", end: "01:30"},
		{
			name:  "with an offset",
			from:  "2026-10-25T02:30:00+01:00",
			to:    "2026-10-25T03:00:00+01:00",
			begin: "01:30",
			end:   "02:00",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := fmt.Sprintf(
				"routes: [{repository: acme/api}]\nfreeze: [{zone: Europe/Berlin, from: %s, to: %s}]", c.from, c.to)
			f := parseTable(t, text).Routes()[0].Policy.Freezes[0]
			if begin, end := f.From.Format("15:04"), f.To.Format("15:04"); begin != c.begin || end != c.end {
				t.Errorf("got %s to %s, want %s to %s", begin, end, c.begin, c.end)
			}
		})
	}
}
