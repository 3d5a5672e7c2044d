package cli

import (
	"context"
	"fmt"
	"net/url"
	"regexp"

	"github.com/spf13/cobra"
)

func (c *commands) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "explain ID",
		Aliases: []string{"why"},
		Short:   "say why a deployment waits or was rejected, and who can help",
		Long: "Print what every rule says about a deployment now or, of one that has ended, said when it started\n" +
			"or was rejected, and who can change it.",
		Example:           "seraph explain 3145728007",
		Args:              wantID,
		ValidArgsFunction: c.completeID("waiting"),
	}
	return c.reading(cmd, func(ctx context.Context, s *session, args []string) error {
		found, err := s.client.Explain(ctx, idOf(args))
		if err != nil {
			return err
		}
		return s.print(found, func() {
			d := found.Deployment
			state := "is " + d.State
			if how, ok := canceled(d); ok {
				state = "was canceled" + how
			} else if text := situation(d); text != "" {
				state += " (" + text + ")"
			}
			const line = "deployment %d: %s of %s to %s %s"
			s.out.line(fmt.Sprintf(line, d.ID, what(d), d.Repository, d.Environment, state))
			s.out.printVerdict(found.Verdict, everyRule)
			if d.State == "held" {
				const format = "CircleCI holds a job: `seraph approve-hold %d` approves it, or somebody in CircleCI."
				s.notes.line(fmt.Sprintf(format, d.ID))
			}
		})
	})
}

// wholeCommit is a commit's whole id.
var wholeCommit = regexp.MustCompile(`^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$`)

func (c *commands) gateCommand() *cobra.Command {
	query := url.Values{}
	cmd := &cobra.Command{
		Use:   "gate --repository OWNER/NAME --environment NAME --sha SHA",
		Short: "ask whether a commit may be deployed now",
		Long: "Ask the service at SERAPH_API_URL, with SERAPH_API_TOKEN, whether a commit may be deployed now,\n" +
			"and print what each rule says. Exit code 0 means allowed, 3 wait, 4 rejected, and 1 that there\n" +
			"was no answer.",
		Example: "seraph gate --repository acme/api --environment production --sha \"$(git rev-parse HEAD)\" " +
			"--actor alice",

		Args: func(cmd *cobra.Command, args []string) error {
			for _, name := range []string{"repository", "environment", "sha"} {
				if query.Get(name) == "" {
					return fmt.Errorf("gate needs --%s", name)
				}
			}
			if sha := query.Get("sha"); !wholeCommit.MatchString(sha) {
				const format = "--sha must be the 40 or 64 hex digits of a commit, as `git rev-parse` prints them, " +
					"not %q"
				return fmt.Errorf(format, sha)
			}
			return wantArguments(0, 0, "")(cmd, args)
		},
	}

	for _, parameter := range []struct{ name, usage string }{
		{"repository", "the repository, `OWNER/NAME`"},
		{"environment", "the environment, `NAME`"},
		{"sha", "the commit, `SHA` of 40 or 64 hex digits"},
		{"ref", "the branch or tag, `REF`; needed where the route has the rule refs"},
		{"actor", "who would deploy, `LOGIN`; needed where the route has the rule allow"},
		{"task", "the task, `TASK`; needed where it is not the usual one"},
	} {
		cmd.Flags().Func(parameter.name, parameter.usage, func(value string) error {
			query.Set(parameter.name, value)
			return nil
		})
	}

	return c.asking(cmd, func(ctx context.Context, s *session, _ []string) error {
		verdict, err := s.client.Gate(ctx, query)
		if err != nil {
			return s.explainPlace(ctx, err, query.Get("repository"), query.Get("environment"))
		}
		if err := s.print(verdict, func() { s.out.printVerdict(verdict, everyRule) }); err != nil {
			return err
		}

		switch verdict.Decision {
		case "allow":
			return nil
		case "wait":
			return exit(ExitWaiting)
		default:
			return exit(ExitRejected)
		}
	})
}
