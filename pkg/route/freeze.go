package route

import (
	"slices"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

var freezeKeys = []string{"cron", "duration", "from", "to", "zone", "message", "mode"}

const (
	longestFreeze = 366 * 24 * time.Hour // of one that comes back
	maxMessage    = 60                   // code points: it must fit into a status
	latestYear    = 2999
)

// freezes reads the times in which nothing starts.
func (r *reader) freezes(m mapping) []policy.Freeze {
	n, ok := m.values[policy.RuleFreeze]
	if !ok {
		return nil
	}

	list, ok := n.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		r.wrong(n, "freeze must be a list of at least one {cron, duration} or {from, to}")
		return nil
	}

	var all []policy.Freeze
	for _, one := range list.Values {
		f, ok := r.freeze(one)
		if ok && slices.Contains(all, f) {
			r.wrong(one, "freeze: this one is given twice")
		}

		all = append(all, f)
	}

	return all
}

func (r *reader) freeze(n ast.Node) (policy.Freeze, bool) {
	before := len(r.problems)
	m, ok := r.mapping(n, "a freeze", freezeKeys)
	if !ok {
		return policy.Freeze{}, false
	}

	f := policy.Freeze{Mode: policy.Mode(r.choice(m, "mode", "wait", "reject"))}
	if s, n := r.text(m, "message"); n != nil {
		f.Message = s
		if len([]rune(s)) > maxMessage || slices.ContainsFunc([]rune(s), unicode.IsControl) {
			r.wrong(n, "message must be one line of at most %d characters", maxMessage)
		}
	}

	zone, z := r.text(m, "zone")
	location, err := policy.Zone(zone)
	if err != nil {
		r.wrong(z, "zone: %v", err)
		location = time.UTC
	}

	f.Zone = zone
	r.recurring(&f, m)
	r.once(&f, m, location)
	return f, len(r.problems) == before
}

// recurring reads cron and duration.
func (r *reader) recurring(f *policy.Freeze, m mapping) {
	_, recurs := m.values["cron"]
	lasting, lasts := m.values["duration"]
	switch {
	case lasts && !recurs:
		r.wrong(m.keys["duration"], "duration works only with cron")
	case recurs && !lasts:
		r.wrong(m.keys["cron"], "cron says when a freeze begins: give its duration, too")
	}

	if f.Duration = r.duration(m, "duration", 0); f.Duration > longestFreeze {
		r.wrong(lasting, "duration must be at most %.0fh", longestFreeze.Hours())
	}

	cron, n := r.text(m, "cron")
	if n == nil {
		return
	}

	f.Cron = cron
	if err := policy.ParseCron(cron); err != nil {
		r.wrong(
			n,
			"cron %q: %v (minute, hour, day of the month, month, day of the week from 0, Sunday, to 6)",
			cron,
			err,
		)
	}
}

// once reads from and to.
func (r *reader) once(f *policy.Freeze, m mapping, zone *time.Location) {
	_, cron := m.values["cron"]
	_, from := m.values["from"]
	_, to := m.values["to"]
	switch {
	case cron && (from || to):
		r.wrong(m.first(), "a freeze comes back by cron and duration, or is once, from and to: make two of it")
		return
	case !cron && !from && !to:
		r.wrong(m.first(), "a freeze needs cron and duration, or from and to")
		return
	case cron:
		return
	case !from || !to:
		r.wrong(m.first(), "a freeze needs both from and to")
		return
	}

	begins, ok := r.moment(m, "from", zone)
	ends, okToo := r.moment(m, "to", zone)
	if ok && okToo && !begins.Before(ends) {
		r.wrong(m.values["to"], "to must be after from")
	}

	f.From, f.To = begins, ends
}

// wallTime is how people write a time without a zone.
const wallTime = "2006-01-02 15:04"

// moment reads a time in RFC 3339, or as the clock on the wall of a zone shows it. Of a reading
// that comes twice, when the clocks are set back, a freeze has all that lies between: from is the
// earlier one, to the later.
func (r *reader) moment(m mapping, key string, zone *time.Location) (time.Time, bool) {
	s, n := r.text(m, key)
	if n == nil {
		return time.Time{}, false
	}

	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		if t, err = time.Parse(wallTime, s); err == nil {
			first, last := policy.Instants(t, zone)
			if t = first; key == "to" {
				t = last
			}
		}

		if err == nil && t.Format(wallTime) != s {
			r.wrong(n, "%s %q: the clocks of %s are set over this hour", key, s, zone)
			return t, false
		}
	}

	if err != nil || t.Year() > latestYear {
		r.wrong(n, `%s %q must be a time, such as "2026-12-24 18:00" or 2026-12-24T18:00:00+01:00`, key, s)
		return t, false
	}

	return t.UTC(), true
}
