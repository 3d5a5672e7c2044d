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

// healthTimeout bounds the question of `seraph health`.
const healthTimeout = 5 * time.Second

func (c *commands) approveCommand() *cobra.Command {
	comment := ""
	cmd := &cobra.Command{
		Use:   "approve ID [COMMENT]",
		Short: "approve a waiting deployment",
		Long: "Approve a waiting deployment: this commit, with these parameters, under the rules as they are now.\n" +
			"Nobody can approve what they asked for.",
		Example: "seraph approve 3145728007 looks good",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("approve needs the ID of a deployment")
			}
			comment = strings.Join(args[1:], " ")
			return checkID(args[0])
		},
		ValidArgsFunction: c.completeID("waiting"),
	}
	return c.asking(cmd, func(ctx context.Context, s *session, args []string) error {
		found, err := s.client.Approve(ctx, idOf(args), api.ApproveRequest{Comment: comment})
		if err != nil {
			return err
		}
		return s.print(found, func() {
			d := found.Deployment
			s.out.line(fmt.Sprintf("approved: deployment %d of %s, %s to %s", d.ID, d.Repository, what(d), d.Environment))
			if found.Verdict.Decision != "allow" {
				s.out.printVerdict(found.Verdict, openRule)
				return
			}
			s.notes.line(fmt.Sprintf("nothing else stops it; `seraph watch %d` watches it.", d.ID))
		})
	})
}

// sentence says in one line what a deployment is, and how it stands.
func sentence(d api.Deployment) string {
	line := fmt.Sprintf("deployment %d of %s, %s to %s, is %s", d.ID, d.Repository, what(d), d.Environment, d.State)
	return strings.TrimSuffix(line+", "+situation(d), ", ")
}

func (c *commands) approveHoldCommand() *cobra.Command {
	job := ""
	cmd := &cobra.Command{
		Use:     "approve-hold ID [JOB]",
		Short:   "approve a job that CircleCI holds",
		Long:    "Approve a job on which a pipeline waits in CircleCI. JOB is needed only where several are held.",
		Example: "seraph approve-hold 3145728007\nseraph approve-hold 3145728007 release",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := wantArguments(1, 2, "the ID of a deployment, and a JOB where several are held")(cmd, args); err != nil {
				return err
			}
			job = strings.Join(args[1:], "")
			return checkID(args[0])
		},
		ValidArgsFunction: c.completeID("held"),
	}
	return c.asking(cmd, func(ctx context.Context, s *session, args []string) error {
		d, err := s.client.ApproveHold(ctx, idOf(args), api.ApproveHoldRequest{Job: job})
		if err != nil {
			return err
		}
		return s.print(d, func() { s.out.line("approved in CircleCI: " + sentence(d)) })
	})
}

func (c *commands) cancelCommand() *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "cancel a deployment",
		Long: "Cancel a deployment. One that waits ends at once. Of one that runs the workflows are canceled, and it\n" +
			"ends when CircleCI shows that they have ended.",
		Example:           "seraph cancel 3145728007 --reason \"wrong branch\"",
		Args:              wantID,
		ValidArgsFunction: c.completeID("waiting", "running", "held"),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, `TEXT` of one line; shown wherever the deployment is")
	return c.asking(cmd, func(ctx context.Context, s *session, args []string) error {
		d, err := s.client.Cancel(ctx, idOf(args), api.CancelRequest{Reason: reason})
		if err != nil {
			return err
		}
		return s.print(d, func() {
			if ended(d.State) {
				s.out.line(sentence(d))
				return
			}
			s.out.line("canceling: " + sentence(d))
			s.notes.line(fmt.Sprintf("`seraph watch %d` shows when it has ended.", d.ID))
		})
	})
}

func (c *commands) forceCommand() *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use:   "force ID --reason TEXT",
		Short: "make a waiting deployment pass rules",
		Long: "Make a waiting deployment pass the rules require_ahead, checks, after, freeze and locks; never allow,\n" +
			"refs, approvals or the queue. It needs the rule force. The reason is shown wherever the deployment is.",
		Example: "seraph force 3145728007 --reason \"the site is down\"",
		Args: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return errors.New("force needs --reason: everybody sees who forced it and why")
			}
			return wantID(cmd, args)
		},
		ValidArgsFunction: c.completeID("waiting"),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, `TEXT` of one line")
	return c.asking(cmd, func(ctx context.Context, s *session, args []string) error {
		d, err := s.client.Force(ctx, idOf(args), api.ForceRequest{Reason: reason})
		if err != nil {
			return err
		}
		return s.print(d, func() {
			s.out.line("forced: " + sentence(d))
			s.notes.line(fmt.Sprintf("the rules are asked again now; `seraph watch %d` watches it.", d.ID))
		})
	})
}

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
	var order api.TakeLockRequest
	var duration time.Duration
	cmd := &cobra.Command{
		Use:   "lock OWNER/NAME ENVIRONMENT --reason TEXT",
		Short: "lock an environment, so that only you can deploy there",
		Long: "Lock an environment: until the lock ends, only its owner can deploy there, and what others ask for\n" +
			"waits. If you have the lock already, it gets the new reason and end.",
		Example: "seraph lock acme/api production --for 2h --reason \"database migration\"",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case order.Reason == "":
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
	flags.StringVar(&order.Reason, "reason", "", "why, `TEXT` of one line")
	flags.DurationVar(&duration, "for", 0, "unlock by itself after this `DURATION`, such as 2h; default never")
	flags.BoolVar(&order.Steal, "steal", false, "take the lock from its owner, who gets a notice")
	return c.asking(cmd, func(ctx context.Context, s *session, _ []string) error {
		order.Repository, order.Environment = at.repository, at.environment
		if duration > 0 {
			order.ExpiresIn = duration.String()
		}

		l, err := s.client.TakeLock(ctx, order)
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
		Long: "Release the lock of an environment. Its owner can, and a token with scope admin. The deployments that\n" +
			"wait for it continue by themselves, in order.",
		Example:           "seraph unlock acme/api production",
		Args:              at.read,
		ValidArgsFunction: c.completePlace,
	}
	at.addFlags(cmd)
	return c.asking(cmd, func(ctx context.Context, s *session, _ []string) error { return s.unlock(ctx, at) })
}

func (s *session) unlock(ctx context.Context, at span) error {
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

		if err := s.client.ReleaseLock(ctx, l.ID, api.ReleaseLockRequest{}); err != nil {
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
	return c.asking(cmd, func(ctx context.Context, s *session, _ []string) error {
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
