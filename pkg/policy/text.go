package policy

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func allow(format string, args ...any) Outcome {
	return Outcome{Decision: DecisionAllow, Code: CodeOK, Message: fmt.Sprintf(format, args...)}
}

func wait(code Code, format string, args ...any) Outcome {
	return Outcome{Decision: DecisionWait, Code: code, Message: fmt.Sprintf(format, args...)}
}

func reject(code Code, format string, args ...any) Outcome {
	return Outcome{Decision: DecisionReject, Code: code, Message: fmt.Sprintf(format, args...)}
}

// unknown waits for a fact that could not be had.
func unknown(what, problem string) Outcome {
	return wait(CodeUnknown, "an answer about %s", because(what, problem))
}

func because(what, problem string) string {
	if problem == "" {
		return what
	}
	return what + " (" + problem + ")"
}

// who names somebody as they are called now; an app by its slug.
func who(a deployment.Actor, standing Fact[Membership]) string {
	if a.App != "" {
		return slug(a.App)
	}
	return cmp.Or(standing.Value.Login, a.String())
}

func short(sha string) string { return sha[:min(len(sha), 7)] }

// longName is how much of a name that others chose is shown, in code points.
const longName = 40

func shown(name string) string {
	if runes := []rune(name); len(runes) > longName {
		return string(runes[:longName-1]) + "…"
	}
	return name
}

// few lists at most three names.
func few(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
}

// named says which checks: one, two, or two and how many more.
func named(checks []string) string {
	quoted := make([]string, min(len(checks), 2))
	for i := range quoted {
		quoted[i] = strconv.Quote(shown(checks[i]))
	}

	switch len(checks) {
	case 1:
		return "check " + quoted[0]
	case 2:
		return "checks " + quoted[0] + " and " + quoted[1]
	default:
		return fmt.Sprintf("checks %s, %s and %d more", quoted[0], quoted[1], len(checks)-2)
	}
}

// span is a duration without the parts that are nothing: 1h, not 1h0m0s.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// clockTime is a time for people who know what day it is.
func clockTime(t, now time.Time) string {
	switch days := t.Sub(now); {
	case days < 6*24*time.Hour:
		return t.Format("Mon 15:04 MST")
	case days < 300*24*time.Hour:
		return t.Format("2 Jan 15:04 MST")
	default:
		return t.Format("2 Jan 2006 15:04 MST")
	}
}
