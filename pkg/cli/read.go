package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/client"
	"github.com/seraph-deploy/seraph/pkg/config"
)

// wantID checks that there is one argument, the id of a deployment.
func wantID(cmd *cobra.Command, args []string) error {
	if err := wantArguments(1, 1, "the ID of a deployment")(cmd, args); err != nil {
		return err
	}
	return checkID(args[0])
}

func checkID(text string) error {
	id, err := strconv.ParseInt(strings.TrimPrefix(text, "#"), 10, 64)
	if err != nil || id <= 0 {
		return fmt.Errorf("%q is no id of a deployment: write GitHub's number, see `seraph list`", text)
	}
	return nil
}

// idOf is the id that checkID has accepted.
func idOf(args []string) int64 {
	id, _ := strconv.ParseInt(strings.TrimPrefix(args[0], "#"), 10, 64)
	return id
}

// place is the repository and environment that arguments name; both may be missing.
type place struct{ repository, environment string }

func (p *place) read(cmd *cobra.Command, args []string) error {
	if err := wantArguments(0, 2, "at most OWNER/NAME and ENVIRONMENT")(cmd, args); err != nil {
		return err
	}

	if len(args) > 0 {
		p.repository = args[0]
		if err := checkRepository(args[0]); err != nil {
			return err
		}
	}
	if len(args) > 1 {
		p.environment = args[1]
	}

	return nil
}

func (c *commands) statusCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "status [OWNER/NAME [ENVIRONMENT]]",
		Short: "show what runs where, what waits, and who has locked it",
		Long: "Show for each environment what was deployed last with success, what is being deployed, how many\n" +
			"deployments wait, and who has locked it.",
		Example:           "seraph status\nseraph status acme/api production",
		Args:              at.read,
		ValidArgsFunction: c.completePlace,
	}
	return c.asking(cmd, func(ctx context.Context, s *session, _ []string) error {
		list, err := s.environments(ctx, at)
		if err != nil {
			return err
		}
		return s.print(list, func() { s.printEnvironments(ctx, list.Environments, at) })
	})
}

// maxPages is how many pages of environments are read, of 200 each.
const maxPages = 50

// environments reads all pages.
func (s *session) environments(ctx context.Context, at place) (api.EnvironmentList, error) {
	query := client.EnvironmentQuery{Repository: at.repository, Environment: at.environment}
	all, err := s.client.Environments(ctx, query)
	for page := 1; err == nil && all.NextCursor != "" && page < maxPages; page++ {
		var next api.EnvironmentList
		query.Cursor = all.NextCursor
		next, err = s.client.Environments(ctx, query)
		all.Environments = append(all.Environments, next.Environments...)
		all.NextCursor = next.NextCursor
	}
	return all, err
}

func (s *session) printEnvironments(ctx context.Context, list []api.Environment, at place) {
	if len(list) == 0 {
		s.noteNothing(ctx, "no environment", at)
		return
	}

	rows := [][]cell{plain("REPOSITORY", "ENVIRONMENT", "DEPLOYED", "BY", "WHEN", "NOW", "WAITING", "LOCKED BY")}
	for _, e := range list {
		row := plain(e.Repository, e.Environment, "nothing yet", "", "", "", "", "")
		if e.Current != nil {
			row[2].text, row[3].text, row[4].text = what(*e.Current), requester(*e.Current), s.ago(e.Current.EndedAt)
		}
		if e.Active != nil {
			row[5] = coloured(e.Active.State)
			row[5].text += fmt.Sprintf(" %s #%d", what(*e.Active), e.Active.ID)
		}
		if e.WaitingCount > 0 {
			row[6].text = strconv.Itoa(e.WaitingCount)
		}
		if e.Lock != nil {
			row[7].text = actor(e.Lock.Owner) + ": " + e.Lock.Reason
		}
		rows = append(rows, row)
	}

	s.out.table("", rows...)
}

// noteNothing tells that nothing matches, and what was probably meant.
func (s *session) noteNothing(ctx context.Context, nothing string, at place) {
	note := nothing + " matches"
	if at == (place{}) {
		note = nothing + " yet"
	}
	if hint := s.hintAboutPlace(ctx, at.repository, at.environment); hint != "" {
		note = hint
	}
	s.notes.line(note)
}

func (c *commands) listCommand() *cobra.Command {
	var at place
	var query client.ListQuery
	cmd := &cobra.Command{
		Use:               "list [OWNER/NAME [ENVIRONMENT]]",
		Short:             "list deployments, newest first",
		Example:           "seraph list --state waiting\nseraph list acme/api production --limit 5",
		ValidArgsFunction: c.completePlace,
		Args: func(cmd *cobra.Command, args []string) error {
			if query.Limit < 1 || query.Limit > 200 {
				return errors.New("--limit must be a number from 1 to 200")
			}
			return at.read(cmd, args)
		},
	}

	flags := cmd.Flags()
	flags.StringVar(&query.State, "state", "", "only those in this `STATE` (seraph help states)")
	flags.IntVar(&query.Limit, "limit", 20, "at most `N`, 1 to 200")
	flags.StringVar(&query.Cursor, "cursor", "", "the next page: next_cursor of --output json, `CURSOR`")
	_ = cmd.RegisterFlagCompletionFunc("state", fixed("waiting", "triggering", "unconfirmed", "running", "held",
		"succeeded", "failed", "errored", "canceled", "rejected"))
	return c.asking(cmd, func(ctx context.Context, s *session, _ []string) error {
		query.Repository, query.Environment = at.repository, at.environment
		list, err := s.client.Deployments(ctx, query)
		if err != nil {
			return err
		}
		return s.print(list, func() { s.printDeployments(ctx, list, at) })
	})
}

func (s *session) printDeployments(ctx context.Context, list api.DeploymentList, at place) {
	if len(list.Deployments) == 0 {
		s.noteNothing(ctx, "no deployment", at)
		return
	}

	rows := [][]cell{plain("ID", "REPOSITORY", "ENVIRONMENT", "WHAT", "BY", "WHEN", "STATE", "")}
	for _, d := range list.Deployments {
		row := plain(
			strconv.FormatInt(d.ID, 10), d.Repository, d.Environment, what(d), requester(d), s.ago(d.AcceptedAt),
		)
		rows = append(rows, append(row, coloured(d.State), cell{text: situation(d)}))
	}
	s.out.table("", rows...)
}

func (c *commands) showCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show ID",
		Short:             "show a deployment with everything that happened to it",
		Example:           "seraph show 3145728007",
		Args:              wantID,
		ValidArgsFunction: c.completeID(),
	}
	return c.asking(cmd, func(ctx context.Context, s *session, args []string) error {
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
	s.out.title("told to GitHub:")
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
	return c.asking(cmd, func(ctx context.Context, s *session, args []string) error {
		found, err := s.client.Explain(ctx, idOf(args))
		if err != nil {
			return err
		}
		return s.print(found, func() {
			d := found.Deployment
			s.out.line(fmt.Sprintf("deployment %d: %s of %s to %s is %s", d.ID, what(d), d.Repository, d.Environment,
				d.State), prefixed("("+join(d.Reason, prefixed("waits for ", d.WaitsFor)), ")"))
			s.out.printVerdict(found.Verdict, everyRule)
		})
	})
}

func (c *commands) gateCommand() *cobra.Command {
	query := url.Values{}
	cmd := &cobra.Command{
		Use:   "gate --repository OWNER/NAME --environment NAME --sha SHA",
		Short: "ask whether a commit may be deployed now",
		Long: "Ask the service at SERAPH_API_URL, with SERAPH_API_TOKEN, whether a commit may be deployed now,\n" +
			"and print what each rule says. Exit code 0 means allowed, 3 wait, 4 rejected, and 1 that there\n" +
			"was no answer.",
		Example: `seraph gate --repository acme/api --environment production --sha "$(git rev-parse HEAD)" --actor alice`,

		Args: func(cmd *cobra.Command, args []string) error {
			for _, name := range []string{"repository", "environment", "sha"} {
				if query.Get(name) == "" {
					return fmt.Errorf("gate needs --%s", name)
				}
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

func (c *commands) healthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "ask whether the service is ready",
		Long: "Ask the service at SERAPH_API_URL whether it is ready; no token is needed. This is for health\n" +
			"checks in the container, where no other program can ask.",
		Example: "seraph health",
		RunE: func(cmd *cobra.Command, _ []string) error {
			defaults, source, err := c.healthDefaults()
			if err != nil {
				return err
			}

			base, err := config.LoadAPIURL(defaults)
			if err != nil {
				return err
			}

			ctx, stop := c.interruptible(cmd.Context())
			defer stop()
			ctx, cancel := context.WithTimeout(ctx, healthTimeout)
			defer cancel()
			s := c.newSession(client.Options{URL: base}, source)
			answer, err := s.client.Ready(ctx)
			if err != nil {
				return s.explainFailure(ctx, err)
			}

			_, err = fmt.Fprintln(c.o.Stdout, answer)
			return err
		},
	}
	c.addContextFlag(cmd)
	return cmd
}

func (c *commands) whoAmICommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "whoami",
		Short:   "say who you are to the service, and what you may do",
		Example: "seraph whoami",
	}
	return c.asking(cmd, func(ctx context.Context, s *session, _ []string) error {
		who, err := s.client.WhoAmI(ctx)
		if err != nil {
			return err
		}
		return s.print(who, func() {
			rows := [][]cell{
				plain("service:", s.url+" ("+s.source+")"),
				plain("token:", who.Token),
				plain("scope:", who.Scope),
			}
			if who.Person != nil {
				rows = append(rows, plain("person:", who.Person.Login+" (id "+strconv.FormatInt(who.Person.ID, 10)+")"))
			}
			s.out.table("", rows...)
		})
	})
}
