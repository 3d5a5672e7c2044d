package phrase

import (
	"fmt"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Environment is what is known of one environment of an app.
type Environment struct {
	App    string // what people call it
	Name   string
	Status *deployment.EnvironmentStatus // nil: nothing has happened there for as long as is remembered
	Lock   *policy.Lock                  // nil: it is not locked
}

// Status says what runs where, one line for each environment, and at most so many.
func (p Prefix) Status(environments []Environment, most int, now time.Time) string {
	if len(environments) == 0 {
		return "Nothing is deployed or waits there."
	}

	var lines []string
	for _, e := range environments[:min(len(environments), most)] {
		lines = append(lines, e.App+" in "+e.Name+": "+e.status(now))
	}
	if more := len(environments) - most; more > 0 {
		lines = append(lines, count(more, "more is", "more are")+" not shown: "+p.command("status APP")+
			" shows those of one app.")
	}
	return strings.Join(lines, "\n")
}

func (e Environment) status(now time.Time) string {
	sentences := []string{"Seraph knows of no deployment there."}
	if s := e.Status; s != nil {
		switch c := s.Current; {
		case c != nil:
			sentences[0] = current(*c, now)
		case s.Active != nil || len(s.Waiting) > 0:
			sentences[0] = "Seraph knows of no successful deployment there."
		}
		if a := s.Active; a != nil {
			sentences = append(sentences, Deployment(*a, now))
		}
		if len(s.Waiting) > 0 {
			sentences = append(sentences, Deployment(s.Waiting[0], now))
		}
		if more := s.Queued - min(len(s.Waiting), 1); more > 0 {
			sentences = append(sentences, count(more, "more waits", "more wait")+" behind it.")
		}
	}

	if e.Lock != nil {
		sentences = append(sentences, Sentence("Locked by "+owner(*e.Lock, now)))
	}
	return strings.Join(sentences, " ")
}

// current says what is deployed.
func current(d deployment.Deployment, now time.Time) string {
	ref := d.Request.Ref
	if ref == "" || strings.EqualFold(ref, d.Request.SHA) {
		ref = shortSHA(d.Request.SHA)
	} else {
		ref += " at " + shortSHA(d.Request.SHA)
	}

	text := fmt.Sprintf("%s, deployed %s as #%d", ref, Ago(d.EndedAt, now), d.Request.ID)
	if by := d.Request.Requester(); by != (deployment.Actor{}) {
		text += " for " + by.String()
	}
	return text + "."
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Deployments lists deployments, one a line, in the order given.
func Deployments(app string, list []deployment.Deployment, now time.Time) string {
	if len(list) == 0 {
		return "Seraph knows of no deployment of " + app + " there."
	}

	lines := make([]string, len(list))
	for i, d := range list {
		when := d.AcceptedAt
		if !d.EndedAt.IsZero() {
			when = d.EndedAt
		}
		lines[i] = fmt.Sprintf("%s (%s)", strings.TrimSuffix(Deployment(d, now), "."), Ago(when, now))
	}
	return strings.Join(lines, "\n")
}

// Where says where an app can be deployed.
func (p Prefix) Where(app string, environments []string, patterns []string, example string) string {
	if len(environments) == 0 && len(patterns) == 0 {
		return "No route leads anywhere for " + app + "."
	}

	text := app + " can be deployed to " + List(environments)
	switch {
	case len(environments) == 0:
		text = app + " can be deployed to environments whose names fit " + List(patterns)
	case len(patterns) > 0:
		text += ", and to environments whose names fit " + List(patterns)
	}
	return text + ". For example: " + p.command(example) + ". " + p.command("status "+app) + " says what runs there."
}

// List joins names for people.
func List(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
