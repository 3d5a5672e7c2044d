package chat

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/phrase"
)

func (s *Service) approve(ctx context.Context, c command.Caller, cmd grammar.Command) (command.Answer, error) {
	d, v, err := s.o.Deployments.Approve(ctx, c, cmd.ID, cmd.Comment)
	return command.Answer{Text: phrase.Approved(c.By, d, v, s.o.Now()), Deployment: &d}, err
}

func (s *Service) approveHold(ctx context.Context, c command.Caller, cmd grammar.Command) (command.Answer, error) {
	d, err := s.o.Holds.ApproveHold(ctx, c, cmd.ID, cmd.Job)
	return command.Answer{Text: phrase.HoldApproved(c.By, d), Deployment: &d}, err
}

func (s *Service) cancel(ctx context.Context, c command.Caller, cmd grammar.Command) (command.Answer, error) {
	d, err := s.o.Deployments.Cancel(ctx, c, cmd.ID, cmd.Reason)
	return command.Answer{Text: phrase.Canceled(d), Deployment: &d}, err
}

func (s *Service) why(ctx context.Context, cmd grammar.Command) (command.Answer, error) {
	d, v, err := s.o.Deployments.Explain(ctx, cmd.ID)
	return command.Answer{Text: phrase.Why(d, v, s.o.Now()), Deployment: &d}, err
}

// maxListed is how many deployments are listed.
const maxListed = 10

func (s *Service) deploys(ctx context.Context, cmd grammar.Command) (command.Answer, error) {
	list, err := s.o.Reader.List(ctx, deployment.Filter{
		Repository:  cmd.Repository,
		Environment: cmd.Environment,
		Limit:       maxListed,
	})
	return command.Answer{Text: phrase.Deployments(cmd.App, list, s.o.Now())}, err
}
