package chat

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/grammar"
)

func (s *Service) rollback(context.Context, command.Caller, command.Line, grammar.Command) (command.Answer, error) {
	return command.Answer{}, notYet("a rollback cannot be asked for here yet")
}

func notYet(message string) error {
	return &command.Error{Kind: command.KindInvalid, Code: "not_available", Message: message}
}
