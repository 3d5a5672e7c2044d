package control

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// printEvents prints one line per event until ctx ends: a deployment is created, its webhook is
// answered, a pipeline is triggered, a workflow is on hold or ends, a status is written, somebody says
// or does something in Slack.
func (c *Control) printEvents(ctx context.Context, out io.Writer) {
	printLine := func(line string) {
		fmt.Fprintln(out, time.Now().Format(time.TimeOnly), line) // a closed terminal does not stop the program
	}
	printed := map[string]bool{} // lines about pipelines; each change of a pipeline repeats them
	c.follow(ctx, func(events []event) bool {
		for _, e := range events {
			switch data := e.data.(type) {
			case deployment:
				printLine(fmt.Sprintf("GitHub    deployment %d created: %s to %s, %s at %.7s, by %s",
					data.ID, data.Repository, data.Environment, data.Ref, data.SHA, data.Creator))
			case deploymentStatus:
				printLine(fmt.Sprintf("GitHub    deployment %d status written: %s %q",
					data.Deployment, data.State, data.Description))
			case delivery:
				// the status has its own line
				if data.Event != "deployment_status" || data.StatusCode != http.StatusOK {
					printLine(data.line())
				}
			case slackMessage:
				printLine(data.line())
			case slackDelivery:
				printLine(data.line())
			case Pipeline:
				for _, line := range data.lines() {
					if !printed[line] {
						printed[line] = true
						printLine(line)
					}
				}
			}
		}

		return true
	})
}

func (d delivery) line() string {
	sent := fmt.Sprintf("GitHub    webhook %s (delivery %d) sent", d.Event, d.ID)
	switch {
	case d.Lost:
		return sent + ", and lost on the way"
	case d.Answer == "" && d.StatusCode >= http.StatusBadGateway:
		return sent + ", not answered: " + d.Status
	}
	return fmt.Sprintf("%s, answered %d %.200s", sent, d.StatusCode, strings.TrimSpace(d.Answer))
}

func (m slackMessage) line() string {
	what := "message"
	switch {
	case m.OnlyFor != "":
		what = "message for " + m.OnlyFor + " alone"
	case m.Version > 1:
		what = "message edited"
	}
	return fmt.Sprintf("Slack     %s in %s by %s: %.200s", what, m.Channel, m.User, m.Text)
}

func (d slackDelivery) line() string {
	sent := fmt.Sprintf("Slack     %s of %s sent", d.Name, cmp.Or(d.User, "nobody"))
	if d.Failure != "" {
		return sent + ", and not accepted: " + d.Failure
	}
	return sent + ", and accepted"
}

// terminalStatuses are the final statuses of a workflow.
var terminalStatuses = []string{"success", "failed", "error", "canceled", "unauthorized", "not_run"}

func (p Pipeline) lines() []string {
	ref := "branch " + p.Branch
	if p.Tag != "" {
		ref = "tag " + p.Tag
	}

	name := fmt.Sprintf("pipeline %d of %s", p.Number, p.Project)
	all := []string{fmt.Sprintf("CircleCI  %s triggered: %s at %.7s", name, ref, p.Revision)}
	for _, w := range p.Workflows {
		switch {
		case w.Status == "on_hold":
			all = append(
				all,
				fmt.Sprintf("CircleCI  %s, workflow %s waits for an approval: POST /approve {\"pipeline\":%q}",
					name, w.Name, p.ID),
			)
		case slices.Contains(terminalStatuses, w.Status):
			all = append(all, fmt.Sprintf("CircleCI  %s, workflow %s (%.8s) ended: %s", name, w.Name, w.ID, w.Status))
		}
	}

	return all
}
