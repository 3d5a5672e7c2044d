package chat

import (
	"context"
	"slices"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/phrase"
)

func (s *Service) approve(ctx context.Context, c command.Caller, p phrase.Prefix, cmd grammar.Command) (
	command.Answer,
	error,
) {
	d, v, err := s.o.Deployments.Approve(ctx, c, cmd.ID, cmd.Comment)
	return command.Answer{Text: p.Approved(c.By, d, v, s.o.Now()), Deployment: &d, Changed: true}, err
}

func (s *Service) approveHold(ctx context.Context, c command.Caller, p phrase.Prefix, cmd grammar.Command) (
	command.Answer,
	error,
) {
	d, err := s.o.Holds.ApproveHold(ctx, c, cmd.ID, cmd.Job)
	return command.Answer{Text: p.HoldApproved(c.By, d), Deployment: &d, Changed: d.State.Open()}, err
}

func (s *Service) cancel(ctx context.Context, c command.Caller, cmd grammar.Command) (command.Answer, error) {
	d, err := s.o.Deployments.Cancel(ctx, c, cmd.ID, cmd.Reason)
	return command.Answer{Text: phrase.Canceled(d), Deployment: &d, Changed: true}, err
}

func (s *Service) why(ctx context.Context, p phrase.Prefix, cmd grammar.Command) (command.Answer, error) {
	d, v, err := s.o.Deployments.Explain(ctx, cmd.ID)
	return command.Answer{Text: p.Why(d, v, s.o.Now()), Deployment: &d}, err
}

// Limits of the list of deployments.
const (
	maxListed = 10 // lines of an answer
	maxRead   = 50 // deployments of the repository, among which those of the app are looked for
)

func (s *Service) deploys(ctx context.Context, cmd grammar.Command) (command.Answer, error) {
	list, err := s.o.Reader.List(ctx, deployment.Filter{
		Repository:  cmd.Repository,
		Environment: cmd.Environment,
		Limit:       maxRead,
	})
	if err != nil {
		return command.Answer{}, err
	}

	// Several apps may share the repository.
	app, _ := s.o.Routes.Names().App(cmd.App)
	list = slices.DeleteFunc(list, func(d deployment.Deployment) bool {
		_, ok := app.Environment(d.Request.Environment)
		return !ok
	})
	list = list[:min(len(list), maxListed)]
	return command.Answer{Text: phrase.Deployments(cmd.App, list, s.o.Now())}, nil
}
