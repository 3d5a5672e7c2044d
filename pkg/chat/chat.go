// Package chat answers lines of text that people type. It reads a line with package grammar, runs the
// command through the same command.Service as the API, and answers with the sentences of package
// phrase. Whatever a command refuses is answered with a sentence, too.
package chat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Asks has deployments created. Errors are as those of Deployments.
type Asks interface {
	Deploy(ctx context.Context, c command.Caller, o command.DeployOrder) (command.Ordered, error)
	Rollback(ctx context.Context, c command.Caller, o command.RollbackOrder) (command.Ordered, error)
}

// Holds approves jobs that CircleCI holds. Errors are as those of Deployments.
type Holds interface {
	ApproveHold(ctx context.Context, c command.Caller, id int64, job string) (deployment.Deployment, error)
}

// Branches reads the default branches of repositories. policy.ErrMissing: there is no such repository.
type Branches interface {
	DefaultBranch(ctx context.Context, owner, name string) (string, error)
}

// Deployments changes and explains deployments. It refuses with *command.Error; any other error is a
// fault of this service.
type Deployments interface {
	Explain(ctx context.Context, id int64) (deployment.Deployment, policy.Verdict, error)
	Approve(ctx context.Context, c command.Caller, id int64, comment string) (
		deployment.Deployment, policy.Verdict, error)
	Cancel(ctx context.Context, c command.Caller, id int64, reason string) (deployment.Deployment, error)
}

// Locks reads and changes locks. Errors are as those of Deployments.
type Locks interface {
	TakeLock(ctx context.Context, c command.Caller, r command.LockRequest) (policy.Lock, error)
	ReleaseLock(ctx context.Context, c command.Caller, id int64) error
	Lock(ctx context.Context, id int64) (command.LockState, error)
	Locks(ctx context.Context) ([]policy.Lock, error)
}

// Reader reads deployments, and what runs where.
type Reader interface {
	List(ctx context.Context, f deployment.Filter) ([]deployment.Deployment, error)
	Get(ctx context.Context, deploymentID int64) ([]deployment.Record, error)
	ListEnvironments(ctx context.Context, f deployment.EnvironmentFilter) (
		list []deployment.EnvironmentStatus, last deployment.EnvironmentID, err error)
}

// Routes says what can be deployed, where that may be asked for, and who people are.
type Routes interface {
	Names() grammar.Names
	// AskPlaces returns the channels or rooms in which a deployment may be asked for; nil: in any.
	AskPlaces(req deployment.Request) []string
	// Person returns the GitHub account that the routes file gives for a user of a chat system; false: it gives none.
	Person(face, workspace, user string) (deployment.Actor, bool)
}

// Answers keeps the answers to messages. Answer returns deployment.ErrNotFound where there is none;
// AddAnswer returns the one that stands.
type Answers interface {
	Answer(ctx context.Context, asker, request string) (deployment.Answer, error)
	AddAnswer(ctx context.Context, a deployment.Answer) (deployment.Answer, error)
}

// Options are what a Service is made of. All fields are required, except where it says otherwise.
type Options struct {
	Asks        Asks
	Branches    Branches
	Deployments Deployments
	Holds       Holds
	Locks       Locks
	Reader      Reader
	Routes      Routes
	Answers     Answers
	Unlink      func(context.Context, deployment.ChatUser) error // ends somebody's own link
	TaskPrefix  string                                           // of the tasks that deploy
	Now         func() time.Time
}

// Service answers lines. It is safe for concurrent use.
type Service struct{ o Options }

// New makes a Service.
func New(o Options) *Service { return &Service{o} }

// Answer does what a line asks for. A line whose Request was answered before is not done again: it gets
// the answer of that time. The error is a *command.Error where it was not possible to find out whether
// the caller may do this, or where the Request belongs to another message; any other error is a fault
// of this service. After an error the same Request may be sent again.
func (s *Service) Answer(ctx context.Context, c command.Caller, l command.Line) (command.Answer, error) {
	digest := digestOf(c, l)
	before, err := s.o.Answers.Answer(ctx, l.Asker, l.Request)
	if !errors.Is(err, deployment.ErrNotFound) {
		return s.repeat(ctx, before, digest, err)
	}

	answer, keep, err := s.answer(ctx, c, l)
	if err != nil || !keep {
		return answer, err
	}

	kept := deployment.Answer{Asker: l.Asker, Request: l.Request, Digest: digest, Text: answer.Text}
	if answer.Deployment != nil {
		kept.DeploymentID = answer.Deployment.Request.ID
	}
	stands, err := s.o.Answers.AddAnswer(ctx, kept)
	if err != nil || stands.Text == answer.Text {
		return answer, err
	}
	return s.repeat(ctx, stands, digest, nil)
}

// Before returns the answer that a line with the same Request was given before; false: there is none. It does nothing.
// The error is as that of Answer.
func (s *Service) Before(ctx context.Context, c command.Caller, l command.Line) (command.Answer, bool, error) {
	before, err := s.o.Answers.Answer(ctx, l.Asker, l.Request)
	if errors.Is(err, deployment.ErrNotFound) {
		return command.Answer{}, false, nil
	}
	answer, err := s.repeat(ctx, before, digestOf(c, l), err)
	return answer, err == nil, err
}

// repeat gives an answer that was given before. The deployment is shown as it is now.
func (s *Service) repeat(ctx context.Context, a deployment.Answer, digest string, err error) (command.Answer, error) {
	if err != nil {
		return command.Answer{}, err
	}
	if a.Digest != digest {
		const message = "another message had this request id before, or it was somebody else's: " +
			"give each message an id of its own"
		return command.Answer{}, &command.Error{Kind: command.KindConflict, Code: "request_reused", Message: message}
	}

	answer := command.Answer{Text: a.Text}
	if a.DeploymentID == 0 {
		return answer, nil
	}
	records, err := s.o.Reader.Get(ctx, a.DeploymentID)
	if err != nil && !errors.Is(err, deployment.ErrNotFound) {
		return command.Answer{}, err
	}
	if len(records) > 0 {
		answer.Deployment = &records[0].Deployment
	}
	return answer, nil
}

// digestOf is the same for a message and its repetition. It is kept in place of the text, which may
// be private.
func digestOf(c command.Caller, l command.Line) string {
	text, _ := json.Marshal([]any{c.By.ID, l.Text, l.Place}) // it has no value that can fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// answer does what a line asks for. keep says whether the answer may be kept: nothing is kept of a line
// that may hold a token.
func (s *Service) answer(ctx context.Context, c command.Caller, l command.Line) (_ command.Answer, keep bool, _ error) {
	cmd, err := grammar.Parse(l.Text, s.o.Routes.Names())
	if e, bad := errors.AsType[*grammar.Error](err); bad {
		return command.Answer{Text: e.Text(l.Prefix)}, e.Code != grammar.CodeSecret, nil
	}

	a, err := s.run(ctx, c, l, cmd)
	if text, refused := refusal(phrase.Prefix(l.Prefix), cmd, err); refused {
		return command.Answer{Text: text, Refused: err}, true, nil
	}
	if err != nil {
		return command.Answer{}, false, err
	}
	return a, true, nil
}

// AsksGitHub says whether an answer to a line may need GitHub, whose calls are limited.
func (s *Service) AsksGitHub(text string) bool {
	cmd, err := grammar.Parse(text, s.o.Routes.Names())
	if err != nil {
		return false // the answer says what is wrong with the line
	}

	switch cmd.Verb {
	case grammar.Status,
		grammar.Deploys,
		grammar.Where,
		grammar.Locks,
		grammar.WhoAmI,
		grammar.Link,
		grammar.Unlink,
		grammar.Help:
		return false
	default:
		return true
	}
}

// run runs a command.
func (s *Service) run(ctx context.Context, c command.Caller, l command.Line, cmd grammar.Command) (
	command.Answer,
	error,
) {
	p := phrase.Prefix(l.Prefix)
	switch cmd.Verb {
	case grammar.Deploy:
		return s.deploy(ctx, c, l, cmd)
	case grammar.Rollback:
		return s.rollback(ctx, c, l, cmd)
	case grammar.ApproveHold:
		return s.approveHold(ctx, c, p, cmd)
	case grammar.Approve:
		return s.approve(ctx, c, p, cmd)
	case grammar.Cancel:
		return s.cancel(ctx, c, cmd)
	case grammar.Why:
		return s.why(ctx, p, cmd)
	case grammar.Status:
		return s.status(ctx, p, cmd)
	case grammar.Deploys:
		return s.deploys(ctx, cmd)
	case grammar.Lock:
		return s.lock(ctx, c, p, cmd)
	case grammar.Unlock:
		return s.unlock(ctx, c, p, cmd)
	case grammar.Locks:
		return s.locks(ctx)
	case grammar.Unlink:
		return s.unlinkPerson(ctx, c)
	default:
		return command.Answer{Text: s.talk(c, p, cmd)}, nil
	}
}
