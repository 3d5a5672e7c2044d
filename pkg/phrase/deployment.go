// Package phrase writes what Seraph answers to people: plain text of whole sentences that say what is,
// what happens next, and who can help. It is pure: values in, text out. Package chat uses it; whatever else
// shows text to people should use it too, so that they all say the same.
package phrase

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Deployment says of a deployment, in one sentence, what it is and how far it is.
func Deployment(d deployment.Deployment, now time.Time) string {
	return fmt.Sprintf("%s %s.", full(d), Progress(d, now))
}

// Follow says what to type to see how an open deployment goes on, or to stop it. It is empty for one
// that has ended.
func (p Prefix) Follow(d deployment.Deployment) string {
	cancel := p.command(fmt.Sprintf("cancel #%d", d.Request.ID))
	switch {
	case !d.State.Open():
		return ""
	case d.State == deployment.Waiting:
		return p.why(d.Request.ID) + " says how far it is, and " + cancel + " takes it back."
	case d.State == deployment.Held:
		hold := p.command(fmt.Sprintf("approve-hold #%d", d.Request.ID))
		return hold + " approves the job, and " + cancel + " stops it."
	default:
		return p.why(d.Request.ID) + " says how far it is, and " + cancel + " stops it."
	}
}

// why quotes the command that explains a deployment.
func (p Prefix) why(id int64) string { return p.command(fmt.Sprintf("why #%d", id)) }

// full names a deployment with its number, what it deploys where, and who asked for it.
func full(d deployment.Deployment) string {
	text := fmt.Sprintf("#%d (%s", d.Request.ID, What(d.Request))
	if by := d.Request.Requester(); by != (deployment.Actor{}) {
		text += ", asked for by " + by.String()
	}
	return text + ")"
}

// What says what a request deploys, and where.
func What(r deployment.Request) string {
	return commit(r) + " to " + r.Environment
}

// commit names the repository and the commit of a request.
func commit(r deployment.Request) string {
	text := r.Repository.FullName()
	if ref := r.Ref; ref != "" && !strings.EqualFold(ref, r.SHA) {
		text += "@" + ref
	}
	if r.SHA != "" {
		text += " at " + shortSHA(r.SHA)
	}
	return text
}

// Progress says how far a deployment is, in words that follow its name.
func Progress(d deployment.Deployment, now time.Time) string {
	switch d.State {
	case deployment.Waiting:
		if d.BlockedBy == "" {
			return "is about to start"
		}
		return "waits for " + d.BlockedBy
	case deployment.Triggering:
		return "is being started at CircleCI"
	case deployment.Unconfirmed:
		return "may have been started at CircleCI, which Seraph is checking"
	case deployment.Running:
		return "is running" + pipeline(d) + since(d.RunningSince, now)
	case deployment.Held:
		return "waits for the approval of a job in CircleCI" + pipeline(d) + since(d.HeldSince, now)
	default:
		return ended(d)
	}
}

// ended says how a deployment ended.
func ended(d deployment.Deployment) string {
	reason := ""
	if d.Reason != "" {
		reason = ": " + strings.TrimSuffix(d.Reason, ".")
	}

	switch d.State {
	case deployment.Succeeded:
		return "succeeded" + took(d)
	case deployment.Failed:
		return "failed" + took(d) + reason
	case deployment.Canceled:
		if how, ok := strings.CutPrefix(d.Reason, "Canceled"); ok {
			return "was canceled" + how
		}
		return "was canceled" + reason
	case deployment.Rejected:
		return "was rejected" + reason
	default:
		return "could not be run" + reason
	}
}

func pipeline(d deployment.Deployment) string {
	if d.Pipeline == nil || d.Pipeline.Number == 0 {
		return ""
	}
	return fmt.Sprintf(" as pipeline %d", d.Pipeline.Number)
}

// since says for how long something has been so; nothing where that is not known.
func since(from, now time.Time) string {
	if from.IsZero() {
		return ""
	}
	return ", for " + Duration(now.Sub(from)) + " now"
}

func took(d deployment.Deployment) string {
	if d.StartedAt.IsZero() || d.EndedAt.IsZero() {
		return ""
	}
	return " after " + Duration(d.EndedAt.Sub(d.StartedAt))
}

func shortSHA(sha string) string { return sha[:min(len(sha), 7)] }

// Duration writes a duration for people, in its largest one or two units.
func Duration(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Second:
		return "a moment"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour && d%time.Hour >= time.Minute:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
}

// Ago says how long ago something was.
func Ago(t, now time.Time) string { return Duration(now.Sub(t)) + " ago" }

// Sentence ends a text with one full stop.
func Sentence(text string) string {
	text = strings.TrimRight(text, ". ")
	if text == "" {
		return ""
	}
	return text + "."
}

// UpperFirst begins a text with a capital.
func UpperFirst(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// join puts sentences that are not empty one after the other.
func join(sentences ...string) string {
	var all []string
	for _, s := range sentences {
		if s != "" {
			all = append(all, s)
		}
	}
	return strings.Join(all, " ")
}
