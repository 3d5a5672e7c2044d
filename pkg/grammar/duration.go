package grammar

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxDuration is the longest duration of a lock that has an end.
const maxDuration = 366 * 24 * time.Hour

// durationPart matches a number with a unit.
var durationPart = regexp.MustCompile(
	`(?i)^(\d{1,6}|an?|one)(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w)`)

// units are the units by their first letter.
var units = map[string]time.Duration{
	"s": time.Second,
	"m": time.Minute,
	"h": time.Hour,
	"d": 24 * time.Hour,
	"w": 7 * 24 * time.Hour,
}

// readDuration reads "for" and a duration: 2h, 1h30m, 2 hours, a day.
func (p *parser) readDuration(c *Command) *Error {
	for n := min(2, len(p.words)-p.at-1); n > 0; n-- {
		if d, ok := parseDuration(strings.Join(p.words[p.at+1:p.at+1+n], "")); ok {
			c.Duration = d
			p.at += 1 + n
			return nil
		}
	}

	var lines []string
	if !p.given {
		lines = append(lines, p.line(1, "because"))
	}
	const message = `After "for" comes how long, such as "for 2h", "for 30 minutes" or "for 1d". Nothing was done.`
	e := p.fail(CodeBadDuration, message, lines...)
	e.Form = Form(Lock)
	return e
}

// parseDuration reads a duration of at least a second, without spaces.
func parseDuration(text string) (time.Duration, bool) {
	var sum time.Duration
	for text != "" {
		found := durationPart.FindStringSubmatch(text)
		if found == nil {
			return 0, false
		}

		number, err := strconv.Atoi(found[1])
		if err != nil {
			number = 1 // a, an, one
		}
		sum += time.Duration(number) * units[strings.ToLower(found[2][:1])]
		if sum > maxDuration {
			return 0, false
		}
		text = text[len(found[0]):]
	}
	return sum, sum > 0
}

// FormatDuration writes a duration of whole seconds without the units that are zero at its end, such as
// 2h instead of 2h0m0s.
func FormatDuration(d time.Duration) string {
	text := d.String()
	if d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d%time.Hour == 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
