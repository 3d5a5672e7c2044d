package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/client"
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

// place is an environment of a repository. In arguments both may be missing.
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
	return c.reading(cmd, func(ctx context.Context, s *session, _ []string) error {
		list, err := s.environments(ctx, at)
		if err != nil {
			return err
		}
		return s.print(list, func() {
			s.printEnvironments(ctx, list.Environments, at)
			s.noteOtherLocks(ctx, list.Environments, at)
		})
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
		row := plain(e.Repository, e.Environment, "nothing known", "", "", "", "", "")
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

// noteOtherLocks tells of the locks that no environment has shown: those that cover several, where none of these is
// listed, and those beside an older one.
func (s *session) noteOtherLocks(ctx context.Context, shown []api.Environment, at place) {
	locks, err := s.client.Locks(ctx)
	if err != nil {
		return // what was asked for is printed
	}

	var others []string
	for _, l := range locks.Locks {
		isAbout := (at.repository == "" || l.Repository == "" || strings.EqualFold(l.Repository, at.repository)) &&
			(at.environment == "" || l.Environment == "" || strings.EqualFold(l.Environment, at.environment))
		isShown := slices.ContainsFunc(shown, func(e api.Environment) bool {
			return e.Lock != nil && e.Lock.ID == l.ID
		})
		if isAbout && !isShown {
			others = append(others, covers(l)+" by "+actor(l.Owner))
		}
	}
	if len(others) > 0 {
		s.notes.line("locked, too: " + strings.Join(others, "; ") + " (`seraph locks` says why)")
	}
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

// stateNames are the states of a deployment that list --state takes, in the order in which they are completed.
var stateNames = []string{
	"waiting", "triggering", "unconfirmed", "running", "held", "succeeded", "failed", "errored", "canceled", "rejected",
}

func (c *commands) listCommand() *cobra.Command {
	var at place
	var query client.ListQuery
	ignored := false
	cmd := &cobra.Command{
		Use:   "list [OWNER/NAME [ENVIRONMENT]]",
		Short: "list deployments, newest first",
		Long: "List deployments, newest first; with --ignored those of the last 7 days that Seraph does not run,\n" +
			"and why.",
		Example: "seraph list --state waiting\nseraph list acme/api production --limit 5\n" +
			"seraph list --ignored",
		ValidArgsFunction: c.completePlace,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case query.State != "" && !slices.Contains(stateNames, query.State):
				return fmt.Errorf("no state is called %q%s", query.State, meant(query.State, stateNames))
			case query.Limit < 1 || query.Limit > 200:
				return errors.New("--limit must be a number from 1 to 200")
			case ignored && (query.State != "" || query.Cursor != ""):
				return errors.New("--ignored goes with neither --state nor --cursor")
			}
			return at.read(cmd, args)
		},
	}

	flags := cmd.Flags()
	flags.StringVar(&query.State, "state", "", "only those in this `STATE` (seraph help states)")
	flags.IntVar(&query.Limit, "limit", 20, "at most `N`, 1 to 200; default 20")
	flags.StringVar(&query.Cursor, "cursor", "", "the next page: next_cursor of --output json, `CURSOR`")
	flags.BoolVar(&ignored, "ignored", false, "those that Seraph does not run, and why")
	_ = cmd.RegisterFlagCompletionFunc("state", fixed(stateNames...))
	return c.reading(cmd, func(ctx context.Context, s *session, _ []string) error {
		if ignored {
			return s.listIgnored(ctx, at, query.Limit)
		}

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

	if list.NextCursor != "" {
		s.notes.line("there are more: --limit, or --cursor " + list.NextCursor)
	}
}

// listIgnored lists the deployments that GitHub reported to the service, and that it does not run.
func (s *session) listIgnored(ctx context.Context, at place, limit int) error {
	list, err := s.client.Deliveries(ctx, at.repository, at.environment, limit)
	if err != nil {
		return err
	}
	return s.print(list, func() {
		if len(list.Deliveries) == 0 {
			s.notes.line("nothing was ignored in the last 7 days")
			return
		}

		rows := [][]cell{plain("ID", "REPOSITORY", "ENVIRONMENT", "WHEN", "WHY")}
		for _, d := range list.Deliveries {
			id := strconv.FormatInt(d.Deployment, 10)
			rows = append(rows, plain(id, d.Repository, d.Environment, s.ago(d.ReceivedAt), d.Reason))
		}
		s.out.table("", rows...)
	})
}
