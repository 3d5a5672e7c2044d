package chat

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// deploy asks for a deployment.
func (s *Service) deploy(ctx context.Context, c command.Caller, l command.Line, cmd grammar.Command) (
	command.Answer,
	error,
) {
	order := command.DeployOrder{
		Repository:  cmd.Repository,
		Ref:         cmd.Ref,
		Environment: cmd.Environment,
		Task:        s.task(cmd),
		Payload:     payload(cmd.Values),
		Reason:      cmd.Reason,
		Force:       cmd.Force,
		Origin:      origin(l),
	}
	if !s.mayAskHere(l, cmd, order.Task) {
		return wrongPlace(cmd), nil
	}

	if order.Ref == "" {
		var err error
		if order.Ref, err = s.defaultBranch(ctx, cmd.Repository); err != nil {
			return command.Answer{}, err
		}
	}

	what := cmd.Repository + "@" + order.Ref + " to " + cmd.Environment
	done, err := s.o.Asks.Deploy(ctx, c, order)
	return s.asked(done, l, what, cmd, err)
}

// rollback asks for a rollback.
func (s *Service) rollback(ctx context.Context, c command.Caller, l command.Line, cmd grammar.Command) (
	command.Answer,
	error,
) {
	order := command.RollbackOrder{
		Repository:  cmd.Repository,
		Environment: cmd.Environment,
		To:          cmd.SHA,
		Reason:      cmd.Reason,
		Origin:      origin(l),
	}
	if cmd.ID != 0 {
		order.To = strconv.FormatInt(cmd.ID, 10)
	}
	if !s.mayAskHere(l, cmd, "") {
		return wrongPlace(cmd), nil
	}

	done, err := s.o.Asks.Rollback(ctx, c, order)
	return s.asked(done, l, "an earlier commit of "+cmd.Repository+" to "+cmd.Environment, cmd, err)
}

// asked is the answer to an order, or to the error that it ended with.
func (s *Service) asked(
	done command.Ordered,
	l command.Line,
	what string,
	cmd grammar.Command,
	err error,
) (command.Answer, error) {
	var refused *command.Error
	if errors.As(err, &refused) && refused.Verdict != nil {
		return command.Answer{Text: phrase.Refused(what, *refused.Verdict, s.o.Now()), Refused: err}, nil
	}
	if err != nil {
		return command.Answer{}, err
	}

	if done.Deployment == nil {
		status := grammar.Command{Verb: grammar.Status, App: cmd.App, Environment: cmd.Environment}
		return command.Answer{Text: phrase.Prefix(l.Prefix).Pending(what, status.String()), Changed: true}, nil
	}

	var verdict policy.Verdict
	if done.Verdict != nil {
		verdict = *done.Verdict
	}
	text := phrase.Prefix(l.Prefix).Created(*done.Deployment, verdict, s.o.Now())
	return command.Answer{Text: text, Deployment: done.Deployment, Changed: true}, nil
}

// wrongPlace refuses what may not be asked for where it was.
func wrongPlace(cmd grammar.Command) command.Answer {
	text := phrase.WrongPlace(cmd.App, cmd.Environment)
	refused := &command.Error{Kind: command.KindForbidden, Code: "wrong_place", Message: text}
	return command.Answer{Text: text, Refused: refused}
}

// task is the task of a command; empty: the usual one.
func (s *Service) task(cmd grammar.Command) string {
	if cmd.Task == "" {
		return ""
	}
	return s.o.TaskPrefix + ":" + cmd.Task
}

// mayAskHere says whether a deployment may be asked for in the place of a line.
func (s *Service) mayAskHere(l command.Line, cmd grammar.Command, task string) bool {
	owner, name, _ := strings.Cut(cmd.Repository, "/")
	places := s.o.Routes.AskPlaces(deployment.Request{
		Repository:  deployment.Repository{Owner: owner, Name: name},
		Environment: cmd.Environment,
		Task:        task,
	})
	return places == nil || slices.Contains(places, l.Place)
}

// defaultBranch returns what is deployed where a line names no ref.
func (s *Service) defaultBranch(ctx context.Context, repository string) (string, error) {
	owner, name, err := policy.ParseRepository(repository)
	if err != nil {
		return "", &command.Error{Kind: command.KindNotFound, Code: "not_found", Message: err.Error()}
	}

	branch, err := s.o.Branches.DefaultBranch(ctx, owner, name)
	switch {
	case err == nil:
		return branch, nil
	case errors.Is(err, policy.ErrMissing):
		message := policy.LookupError("repository "+repository, policy.ErrMissing).Error()
		return "", &command.Error{Kind: command.KindNotFound, Code: "not_found", Message: message}
	default:
		const message = "the default branch could not be read at GitHub: name a branch, or try again"
		return "", &command.Error{Kind: command.KindUnavailable, Code: "unavailable", Message: message, Err: err}
	}
}

// payload makes the payload of values; nil: there are none.
func payload(values []grammar.Value) json.RawMessage {
	if len(values) == 0 {
		return nil
	}

	fields := map[string]string{}
	for _, v := range values {
		fields[v.Key] = v.Text
	}
	text, _ := json.Marshal(fields) // it has no value that can fail
	return text
}

// origin says where an order comes from. Its key makes the same message ask for one deployment, even
// where its answer was not kept.
func origin(l command.Line) command.Origin {
	return command.Origin{Key: "message:" + l.Request, Via: l.Face, Place: l.Place, Text: l.Text}
}
