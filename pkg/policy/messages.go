package policy

import (
	"cmp"
	"fmt"
	"slices"
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

// unknown waits for a fact that could not be read.
func unknown(what, problem string) Outcome {
	if problem == "" {
		return wait(CodeUnknown, "%s, which could not be read", what)
	}
	return wait(CodeUnknown, "%s, which could not be read (%s)", what, problem)
}

// unexpected is the problem with a fact whose value we do not know.
func unexpected(value string) string { return fmt.Sprintf("unexpected answer %q", value) }

// displayName names somebody by their current login, and an app by its slug.
func displayName(a deployment.Actor, membership Fact[Membership]) string {
	switch {
	case a.App != "":
		return appSlug(a.App)
	case a == deployment.Actor{}:
		return "somebody unknown"
	default:
		return cmp.Or(membership.Value.Login, a.String())
	}
}

func shortSHA(sha string) string { return sha[:min(len(sha), 7)] }

// maxShownName is how many characters of a ref or of a check's name are shown.
const maxShownName = 40

func truncateName(name string) string {
	if runes := []rune(name); len(runes) > maxShownName {
		return string(runes[:maxShownName-1]) + "…"
	}
	return name
}

// listNames lists three names at most, and how many more there are.
func listNames(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
}

// listChecks lists the names of two checks at most, and how many more there are. The app that one
// must come from is shown only where the check stands alone, because of the length.
func listChecks(names []CheckName, seen []Check) string {
	quoted := make([]string, min(len(names), 2))
	for i := range quoted {
		quoted[i] = strconv.Quote(truncateName(names[i].Name))
	}

	switch len(names) {
	case 1:
		return "check " + quoted[0] + ofApp(names[0].App, seen)
	case 2:
		return "checks " + quoted[0] + " and " + quoted[1]
	default:
		return fmt.Sprintf("checks %s, %s and %d more", quoted[0], quoted[1], len(names)-2)
	}
}

// ofApp names the app that a check must come from, by its slug if one of its checks was seen.
func ofApp(app string, seen []Check) string {
	if app == "" {
		return ""
	}

	i := slices.IndexFunc(seen, func(c Check) bool { return c.App != "" && c.setBy(app) })
	if i >= 0 {
		app = seen[i].App
	}

	return " of app " + truncateName(strings.TrimPrefix(app, "id:"))
}

// formatDuration writes a duration without zero minutes and seconds at the end: 1h, not 1h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// formatTime writes a time with no more of the date than is needed to understand it now.
func formatTime(t, now time.Time) string {
	switch until := t.Sub(now); {
	case until < 6*24*time.Hour:
		return t.Format("Mon 15:04 MST")
	case until < 300*24*time.Hour:
		return t.Format("2 Jan 15:04 MST")
	default:
		return t.Format("2 Jan 2006 15:04 MST")
	}
}
