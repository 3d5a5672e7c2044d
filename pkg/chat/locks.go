package chat

import (
	"context"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

func (s *Service) lock(ctx context.Context, c command.Caller, p phrase.Prefix, cmd grammar.Command) (
	command.Answer,
	error,
) {
	now := s.o.Now()
	wanted := command.LockRequest{
		Repository:  cmd.Repository,
		Environment: cmd.Environment,
		Reason:      cmd.Reason,
	}
	if cmd.Duration > 0 {
		wanted.Until = now.Add(cmd.Duration).UTC()
	}

	l, err := s.o.Locks.TakeLock(ctx, c, wanted)
	unlock := grammar.Command{Verb: grammar.Unlock, App: cmd.App, Environment: cmd.Environment}
	return command.Answer{Text: p.Locked(l, unlock.String(), now), Changed: true}, err
}

func (s *Service) unlock(ctx context.Context, c command.Caller, p phrase.Prefix, cmd grammar.Command) (
	command.Answer,
	error,
) {
	open, err := s.o.Locks.Locks(ctx)
	if err != nil {
		return command.Answer{}, err
	}

	var wider *policy.Lock
	for i, l := range open {
		exact := strings.EqualFold(l.Repository, cmd.Repository) && strings.EqualFold(l.Environment, cmd.Environment)
		if !exact && covers(l, cmd.Repository, cmd.Environment) {
			wider = &open[i]
		}
		if !exact {
			continue
		}

		state, err := s.o.Locks.Lock(ctx, l.ID)
		if err != nil {
			return command.Answer{}, err
		}
		err = s.o.Locks.ReleaseLock(ctx, c, l.ID)
		return command.Answer{Text: phrase.Unlocked(l, len(state.Waiting)), Changed: true}, err
	}

	if wider != nil {
		return command.Answer{Text: phrase.LockedWider(cmd.App, cmd.Environment, *wider, s.o.Now())}, nil
	}
	return command.Answer{Text: p.NotLocked(cmd.App, cmd.Environment)}, nil
}

// covers says whether a lock covers an environment of a repository.
func covers(l policy.Lock, repository, environment string) bool {
	return (l.Repository == "" || strings.EqualFold(l.Repository, repository)) &&
		(l.Environment == "" || strings.EqualFold(l.Environment, environment))
}

func (s *Service) locks(ctx context.Context) (command.Answer, error) {
	open, err := s.o.Locks.Locks(ctx)
	return command.Answer{Text: phrase.Locks(open, s.o.Now())}, err
}
