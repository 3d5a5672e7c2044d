package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/api"
)

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
	return c.acting(cmd, func(ctx context.Context, s *session, args []string) error {
		found, err := s.client.Approve(ctx, idOf(args), api.ApproveRequest{OnBehalf: c.behalf(), Comment: comment})
		if err != nil {
			return err
		}
		return s.print(found, func() {
			d := found.Deployment
			const format = "approved: deployment %d of %s, %s to %s"
			s.out.line(fmt.Sprintf(format, d.ID, d.Repository, what(d), d.Environment))
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
	line := fmt.Sprintf("deployment %d of %s, %s to %s,", d.ID, d.Repository, what(d), d.Environment)
	if how, ok := canceled(d); ok {
		return line + " was canceled" + how
	}
	return strings.TrimSuffix(line+" is "+d.State+", "+situation(d), ", ")
}

// canceled says how a deployment was canceled, in words that follow "was canceled"; false: it was not, or that is not
// known.
func canceled(d api.Deployment) (string, bool) {
	how, ok := strings.CutPrefix(d.Reason, "Canceled")
	return how, ok && d.State == "canceled"
}

func (c *commands) approveHoldCommand() *cobra.Command {
	job := ""
	cmd := &cobra.Command{
		Use:     "approve-hold ID [JOB]",
		Short:   "approve a job that CircleCI holds",
		Long:    "Approve a job on which a pipeline waits in CircleCI. JOB is needed only where several are held.",
		Example: "seraph approve-hold 3145728007\nseraph approve-hold 3145728007 release",
		Args: func(cmd *cobra.Command, args []string) error {
			const arguments = "the ID of a deployment, and a JOB where several are held"
			if err := wantArguments(1, 2, arguments)(cmd, args); err != nil {
				return err
			}
			job = strings.Join(args[1:], "")
			return checkID(args[0])
		},
		ValidArgsFunction: c.completeID("held"),
	}
	return c.acting(cmd, func(ctx context.Context, s *session, args []string) error {
		d, err := s.client.ApproveHold(ctx, idOf(args), api.ApproveHoldRequest{OnBehalf: c.behalf(), Job: job})
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
		Long: "Cancel a deployment. One that waits ends at once. Of one that runs the workflows are canceled, and\n" +
			"it ends when CircleCI shows that they have ended.",
		Example:           "seraph cancel 3145728007 --reason \"wrong branch\"",
		Args:              wantID,
		ValidArgsFunction: c.completeID("waiting", "running", "held"),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, `TEXT` of one line; shown wherever the deployment is")
	return c.acting(cmd, func(ctx context.Context, s *session, args []string) error {
		d, err := s.client.Cancel(ctx, idOf(args), api.CancelRequest{OnBehalf: c.behalf(), Reason: reason})
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
		Long: "Make a waiting deployment pass the rules require_ahead, checks, after, freeze and locks; never\n" +
			"allow, refs, approvals or the queue. It needs the rule force. The reason is shown wherever the\n" +
			"deployment is.",
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
	return c.acting(cmd, func(ctx context.Context, s *session, args []string) error {
		d, err := s.client.Force(ctx, idOf(args), api.ForceRequest{OnBehalf: c.behalf(), Reason: reason})
		if err != nil {
			return err
		}
		return s.print(d, func() {
			s.out.line("forced: " + sentence(d))
			s.notes.line(fmt.Sprintf("the rules are asked again now; `seraph watch %d` watches it.", d.ID))
		})
	})
}
