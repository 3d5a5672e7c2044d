package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// span is what a lock covers: one environment of one repository, one environment of all, or everything.
type span struct {
	repository, environment string
	everyRepository         bool
	everything              bool
}

func (l *span) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&l.everyRepository, "every-repository", false, "in every repository; needs scope admin")
	cmd.Flags().BoolVar(&l.everything, "everything", false, "every environment of every repository; needs scope admin")
}

// read reads what follows `lock` or `unlock`.
func (l *span) read(cmd *cobra.Command, args []string) error {
	switch {
	case l.everything && l.everyRepository:
		return errors.New("give --everything or --every-repository, not both")
	case l.everything:
		return wantArguments(0, 0, "")(cmd, args)
	case l.everyRepository:
		if err := wantArguments(1, 1, "an ENVIRONMENT")(cmd, args); err != nil {
			return err
		}
		l.environment = args[0]
		return nil
	}

	if err := wantArguments(2, 2, "OWNER/NAME and ENVIRONMENT")(cmd, args); err != nil {
		return err
	}

	l.repository, l.environment = args[0], args[1]
	return checkRepository(l.repository)
}

// covers names what a lock covers.
func covers(l api.Lock) string {
	switch {
	case l.Repository == "" && l.Environment == "":
		return "everything"
	case l.Repository == "":
		return l.Environment + " of every repository"
	case l.Environment == "":
		return l.Repository
	default:
		return l.Environment + " of " + l.Repository
	}
}

func (c *commands) lockCommand() *cobra.Command {
	var at span
	var req api.TakeLockRequest
	var duration time.Duration
	cmd := &cobra.Command{
		Use:   "lock OWNER/NAME ENVIRONMENT --reason TEXT",
		Short: "lock an environment, so that only you can deploy there",
		Long: "Lock an environment: until the lock ends, only its owner can deploy there, and what others ask for\n" +
			"waits. If you have the lock already, it gets the new reason and end.",
		Example: "seraph lock acme/api production --for 2h --reason \"database migration\"\n" +
			"seraph lock production --every-repository --reason \"network maintenance\"\n" +
			"seraph lock --everything --for 30m --reason \"CircleCI is down\"",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case req.Reason == "":
				return errors.New("lock needs --reason: everybody who waits for it sees it")
			case duration < 0:
				return errors.New("--for must be a duration such as 2h")
			}
			return at.read(cmd, args)
		},
		ValidArgsFunction: c.completePlace,
	}

	at.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&req.Reason, "reason", "", "why, `TEXT` of one line")
	flags.DurationVar(&duration, "for", 0, "unlock by itself after this `DURATION`, such as 2h; default never")
	flags.BoolVar(&req.Steal, "steal", false, "take the lock from its owner, who gets a notice")
	return c.acting(cmd, func(ctx context.Context, s *session, _ []string) error {
		req.OnBehalf = c.behalf()
		req.Repository, req.Environment = at.repository, at.environment
		if duration > 0 {
			req.ExpiresIn = duration.String()
		}

		l, err := s.client.TakeLock(ctx, req)
		if err != nil {
			return s.explainPlace(ctx, err, at.repository, at.environment)
		}
		return s.print(l, func() {
			until := "until it is unlocked"
			if l.ExpiresAt != nil {
				until = "until " + stamp(l.ExpiresAt)
			}
			s.out.line(fmt.Sprintf("locked: %s, %s (%s)", covers(l), until, l.Reason))
		})
	})
}

func (c *commands) unlockCommand() *cobra.Command {
	var at span
	cmd := &cobra.Command{
		Use:   "unlock OWNER/NAME ENVIRONMENT",
		Short: "release the lock of an environment",
		Long: "Release the lock of an environment. Its owner can, and a token with scope admin. The deployments\n" +
			"that wait for it continue by themselves, in order.",
		Example:           "seraph unlock acme/api production",
		Args:              at.read,
		ValidArgsFunction: c.completePlace,
	}
	at.addFlags(cmd)
	return c.acting(cmd, func(ctx context.Context, s *session, _ []string) error {
		return s.unlock(ctx, at, api.ReleaseLockRequest{OnBehalf: c.behalf()})
	})
}

func (s *session) unlock(ctx context.Context, at span, req api.ReleaseLockRequest) error {
	list, err := s.client.Locks(ctx)
	if err != nil {
		return err
	}

	var others []string
	for _, l := range list.Locks {
		same := strings.EqualFold(l.Repository, at.repository) && strings.EqualFold(l.Environment, at.environment)
		if !same {
			others = append(others, covers(l))
			continue
		}

		if err := s.client.ReleaseLock(ctx, l.ID, req); err != nil {
			return err
		}
		return s.print(l, func() { s.out.line("unlocked: " + covers(l)) })
	}

	problem := fmt.Errorf("%s is not locked", covers(api.Lock{Repository: at.repository, Environment: at.environment}))
	if len(others) == 0 {
		return problem
	}
	return &failure{problem, "locked are: " + strings.Join(others, "; ")}
}

func (c *commands) locksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "locks",
		Short:   "list the locks",
		Example: "seraph locks",
	}
	return c.reading(cmd, func(ctx context.Context, s *session, _ []string) error {
		list, err := s.client.Locks(ctx)
		if err != nil {
			return err
		}
		return s.print(list, func() {
			if len(list.Locks) == 0 {
				s.notes.line("nothing is locked")
				return
			}

			rows := [][]cell{plain("ID", "LOCKED", "OWNER", "SINCE", "UNTIL", "REASON")}
			for _, l := range list.Locks {
				until := stamp(l.ExpiresAt)
				if until == "" {
					until = "unlocked"
				}
				rows = append(rows, plain(
					strconv.FormatInt(l.ID, 10), covers(l), actor(l.Owner), s.ago(l.TakenAt), until, l.Reason,
				))
			}
			s.out.table("", rows...)
		})
	})
}
