package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// stamp is a time for people who compare it with logs.
func stamp(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// ago is how long ago something was, in one unit.
func (s *session) ago(at *time.Time) string {
	if at == nil {
		return ""
	}
	return short(s.o.Now().Sub(*at)) + " ago"
}

// short is a duration in one unit.
func short(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	}
}

// took is how long a deployment has run, or ran.
func took(d api.Deployment) string {
	if d.StartedAt == nil || d.EndedAt == nil {
		return ""
	}
	return short(d.EndedAt.Sub(*d.StartedAt))
}

// shortSHA is a commit as people write it.
func shortSHA(sha string) string { return sha[:min(7, len(sha))] }

// what names what a deployment deploys.
func what(d api.Deployment) string {
	ref := strings.TrimPrefix(strings.TrimPrefix(d.Ref, "refs/heads/"), "refs/tags/")
	sha := shortSHA(d.SHA)
	if ref == "" || ref == d.SHA || ref == sha {
		return sha
	}
	return ref + " (" + sha + ")"
}

// actor names who did something.
func actor(a api.Actor) string {
	switch {
	case a.Login != "":
		return a.Login
	case a.App != "":
		return "app " + a.App
	case a.Token != "":
		return "token " + a.Token
	default:
		return ""
	}
}

// requester names who asked for a deployment.
func requester(d api.Deployment) string {
	if name := actor(d.Requester); name != "" {
		return name
	}
	return d.Creator
}

// situation says in words why a deployment is in its state, or where it runs.
func situation(d api.Deployment) string {
	pipeline := ""
	if d.Pipeline != nil {
		pipeline = d.Pipeline.URL
	}

	switch d.State {
	case "waiting":
		if d.WaitsFor != "" {
			return "waits for " + d.WaitsFor
		}
		return d.Reason
	case "running", "held":
		return join(d.Reason, pipeline)
	case "succeeded":
		return join(d.Reason, took(d))
	default:
		return join(d.Reason, pipeline)
	}
}

// join puts texts that are not empty behind each other.
func join(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), ", ")
}

// ended says whether a deployment stays as it is.
func ended(state string) bool {
	switch state {
	case "succeeded", "failed", "errored", "canceled", "rejected":
		return true
	default:
		return false
	}
}

// exitCode is what the end of a deployment means for scripts.
func exitCode(state string) int {
	switch state {
	case "succeeded":
		return ExitOK
	case "rejected":
		return ExitRejected
	case "canceled":
		return ExitCanceled
	case "failed", "errored":
		return ExitFailed
	default:
		return ExitWaiting
	}
}

// meant is a question whether the nearest name was meant, or a list of at most ten.
func meant(typed string, names []string) string {
	if nearest := route.Nearest(typed, names); nearest != "" {
		return "; did you mean " + nearest + "?"
	}

	const most = 10
	more := ""
	if len(names) > most {
		names, more = names[:most], ", …"
	}

	return "; it knows " + strings.Join(names, ", ") + more
}

// addNew adds a name to a list that does not have it.
func addNew(names []string, name string) []string {
	if name == "" || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

func containsFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}
