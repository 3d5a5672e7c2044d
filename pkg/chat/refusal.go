package chat

import (
	"errors"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/phrase"
)

// refusal says why a command was refused; false: it was not, or it is not known whether the caller may.
func refusal(p phrase.Prefix, cmd grammar.Command, err error) (string, bool) {
	var refused *command.Error
	if !errors.As(err, &refused) || refused.Kind == command.KindUnavailable {
		return "", false
	}
	return phrase.NotDone(refused.Message, p.Hint(refused.Code, cmd)), true
}
