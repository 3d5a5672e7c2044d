package route

import (
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

const (
	maxFreezeDuration = 366 * 24 * time.Hour // of a recurring freeze
	maxFreezeMessage  = 60                   // code points, so that it fits into a status
	maxFreezeYear     = 2999
)

// freezes reads the periods in which nothing starts.
func (r *reader) freezes(m mapping) []policy.Freeze {
	n, ok := m.values[policy.RuleFreeze]
	if !ok {
		return nil
	}

	list, ok := n.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		r.problem(n, "freeze must be a list of at least one {cron, duration} or {from, to}")
		return nil
	}

	var freezes []policy.Freeze
	for _, element := range list.Values {
		f, ok := r.freeze(element)
		if ok && slices.Contains(freezes, f) {
			r.problem(element, "freeze: the same freeze is given twice")
		}

		freezes = append(freezes, f)
	}

	return freezes
}

func (r *reader) freeze(n ast.Node) (policy.Freeze, bool) {
	before := len(r.problems)
	m, ok := r.mapping(n, "a freeze", []string{"cron", "duration", "from", "to", "zone", "message", "mode"})
	if !ok {
		return policy.Freeze{}, false
	}

	f := policy.Freeze{
		Mode:    policy.Mode(r.choice(m, "mode", "wait", "reject")),
		Message: r.freezeMessage(m),
	}

	name, zoneNode := r.text(m, "zone")
	zone, err := policy.LoadZone(name)
	if err != nil {
		r.problem(zoneNode, "zone: %v", err)
		zone = time.UTC
	}

	f.Zone = name
	r.recurringFreeze(&f, m)
	r.singleFreeze(&f, m, zone)
	return f, len(r.problems) == before
}

func (r *reader) freezeMessage(m mapping) string {
	s, n := r.text(m, "message")
	if utf8.RuneCountInString(s) > maxFreezeMessage || slices.ContainsFunc([]rune(s), unicode.IsControl) {
		r.problem(n, "message must be one line of at most %d characters", maxFreezeMessage)
	}
	return s
}

// recurringFreeze reads cron and duration.
func (r *reader) recurringFreeze(f *policy.Freeze, m mapping) {
	cronKey, durationKey := m.keys["cron"], m.keys["duration"]
	switch {
	case durationKey != nil && cronKey == nil:
		r.problem(durationKey, "duration works only with cron")
	case cronKey != nil && durationKey == nil:
		r.problem(cronKey, "cron says when a freeze begins: give its duration, too")
	}

	f.Duration = r.duration(m, "duration", 0)
	if f.Duration > maxFreezeDuration {
		r.problem(m.values["duration"], "duration must be at most %.0fh", maxFreezeDuration.Hours())
	}

	cron, n := r.text(m, "cron")
	if n == nil {
		return
	}

	f.Cron = cron
	if err := policy.ValidateCron(cron); err != nil {
		r.problem(n, "cron %q: %v (minute, hour, day of the month, month, day of the week from 0, Sunday, to 6)",
			cron, err)
	}
}

// singleFreeze reads from and to, and checks that a freeze is either recurring or happens once.
func (r *reader) singleFreeze(f *policy.Freeze, m mapping, zone *time.Location) {
	cron, from, to := m.keys["cron"] != nil, m.keys["from"] != nil, m.keys["to"] != nil
	switch {
	case cron && (from || to):
		r.problem(m.first(), "a freeze has either cron and duration or from and to: write two freezes")
		return
	case cron:
		return
	case !from && !to:
		r.problem(m.first(), "a freeze needs cron and duration, or from and to")
		return
	case !from || !to:
		r.problem(m.first(), "a freeze needs both from and to")
		return
	}

	begin, beginOK := r.freezeTime(m, "from", zone)
	end, endOK := r.freezeTime(m, "to", zone)
	if beginOK && endOK && !begin.Before(end) {
		r.problem(m.values["to"], "to must be after from")
	}

	f.From, f.To = begin, end
}

// localTime is the layout of a time without a zone.
const localTime = "2006-01-02 15:04"

// freezeTime reads a time in RFC 3339 or a local time of a zone. A local time that occurs twice,
// because clocks are set back, is the earlier one for from and the later one for to, so that the
// freeze includes both.
func (r *reader) freezeTime(m mapping, key string, zone *time.Location) (time.Time, bool) {
	s, n := r.text(m, key)
	if n == nil {
		return time.Time{}, false
	}

	var t time.Time
	local, err := time.Parse(localTime, s)
	isLocal := err == nil
	switch {
	case !isLocal:
		t, err = time.Parse(time.RFC3339, s)
	case key == "to":
		_, t = policy.ResolveLocal(local, zone)
	default:
		t, _ = policy.ResolveLocal(local, zone)
	}

	if isLocal && t.Format(localTime) != s {
		r.problem(n, "%s %q does not exist in %s: clocks are set forward over it", key, s, zone)
		return t, false
	}
	if err != nil || t.Year() > maxFreezeYear {
		r.problem(n, `%s %q must be a time, such as "2026-12-24 18:00" or 2026-12-24T18:00:00+01:00`, key, s)
		return t, false
	}

	return t.UTC(), true
}
