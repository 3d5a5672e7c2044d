package server

import (
	"context"
	"fmt"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/command"
)

// Answerer answers lines of text that people type. Errors are as those of LockCommands.
type Answerer interface {
	Answer(ctx context.Context, c command.Caller, l command.Line) (command.Answer, error)
	// AsksGitHub says whether an answer to a line may need GitHub.
	AsksGitHub(text string) bool
}

// Limits of what comes with a line, in characters.
const (
	maxRequestID = 150
	maxPlace     = 200
	maxPrefix    = 50
)

// runLine does what a line of text asks for. Refusals are answers, too: people read them.
func (s *Server) runLine(ctx context.Context, c command.Caller, _ int64, req api.CommandRequest) (any, error) {
	if req.Request == "" || !command.PlainText(req.Request, maxRequestID) {
		const format = `"request" is required: an id of the message, of at most %d plain characters. The same id gives the ` +
			"same answer, and does nothing twice"
		return nil, badRequest(fmt.Sprintf(format, maxRequestID))
	}
	if !command.PlainText(req.Place, maxPlace) {
		return nil, badRequest(fmt.Sprintf(`"place" must be at most %d plain characters`, maxPlace))
	}
	if !command.PlainText(req.Prefix, maxPrefix) || strings.ContainsAny(req.Prefix, "<>`\"") {
		const format = `"prefix" must be at most %d plain characters, without quotes, backticks, < and >`
		return nil, badRequest(fmt.Sprintf(format, maxPrefix))
	}

	line := command.Line{
		Text:    req.Text,
		Place:   req.Place,
		Asker:   c.By.Token,
		Request: req.Request,
	}
	if req.Chat != nil {
		line.Face = req.Chat.Face
	}
	if prefix := strings.TrimSpace(req.Prefix); prefix != "" {
		line.Prefix = prefix + " "
	}

	if s.o.Lines.AsksGitHub(line.Text) {
		if err := s.countGitHub(c); err != nil {
			return nil, err
		}
	}

	a, err := s.o.Lines.Answer(ctx, c, line)
	if err != nil {
		return nil, err
	}
	s.countUnknownRef(c, a.Refused)

	answer := api.CommandResponse{Text: a.Text}
	if a.Deployment != nil {
		d := s.apiDeployment(*a.Deployment)
		answer.Deployment = &d
	}
	return answer, nil
}
