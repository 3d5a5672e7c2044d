package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/api"
)

func (c *commands) showCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show ID",
		Short:             "show a deployment with everything that happened to it",
		Example:           "seraph show 3145728007",
		Args:              wantID,
		ValidArgsFunction: c.completeID(),
	}
	return c.reading(cmd, func(ctx context.Context, s *session, args []string) error {
		d, err := s.client.Deployment(ctx, idOf(args))
		if err != nil {
			return err
		}
		return s.print(d, func() { s.printDetail(d) })
	})
}

func (s *session) printDetail(d api.DeploymentDetail) {
	s.printFacts(d.Deployment)

	var rows [][]cell
	for _, entry := range d.Timeline {
		lines := strings.Split(strings.TrimRight(entry.Detail, "\n"), "\n")
		rows = append(rows, plain(stamp(entry.At), entry.Event, lines[0]))
		for _, line := range lines[1:] {
			rows = append(rows, plain("", "", line))
		}
	}
	s.out.title("timeline:")
	s.out.table("  ", rows...)

	if d.Failure != nil {
		s.out.title("failed in:")
		s.printFailure(d.Failure)
	}
	if len(d.Reports) == 0 {
		return
	}

	rows = nil
	for _, report := range d.Reports {
		sent := stamp(report.SentAt)
		if sent == "" {
			sent = "not sent yet"
		}
		rows = append(rows, plain(sent, report.State, report.Description, report.LogURL))
	}
	s.out.title("reports to GitHub:")
	s.out.table("  ", rows...)
}

// printFacts prints a deployment, one fact a line.
func (s *session) printFacts(d api.Deployment) {
	rows := [][]cell{
		append(plain("deployment:"), cell{text: strconv.FormatInt(d.ID, 10), colour: bold}),
		append(plain("state:"), coloured(d.State)),
		plain("why:", join(d.Reason, prefixed("waits for ", d.WaitsFor))),
		plain("repository:", d.Repository),
		plain("environment:", d.Environment),
		plain("what:", what(d)),
		plain("commit:", d.SHA),
		plain("task:", d.Task),
		plain("by:", requester(d)),
	}

	if d.Forced != nil {
		rows = append(rows, plain("forced:", "by "+actor(d.Forced.By)+": "+d.Forced.Reason))
	}
	if d.Pipeline != nil {
		rows = append(rows, plain("pipeline:", d.Pipeline.URL))
	}
	rows = append(
		rows,
		plain("parameters:", strings.Join(d.Parameters, ", ")),
		plain("accepted:", stamp(d.AcceptedAt)),
		plain("started:", stamp(d.StartedAt)),
		plain("ended:", stamp(d.EndedAt)),
	)

	var filled [][]cell
	for _, row := range rows {
		if row[1].text != "" {
			filled = append(filled, row)
		}
	}
	s.out.table("", filled...)
}

// prefixed puts a prefix before a text, unless that is empty.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// printFailure prints the step that failed, and the last lines of its output.
func (s *session) printFailure(f *api.Failure) {
	s.out.line("  " + join("workflow "+f.Workflow, "job "+f.Job, prefixed("step ", f.Step)))
	for _, line := range f.Lines {
		s.out.line("  | " + line)
	}
}
