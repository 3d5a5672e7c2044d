// Package command is what people may ask of the service: to deploy and roll back, to explain, approve,
// force and cancel deployments, to approve jobs that CircleCI holds, and to lock environments. It checks who
// may, carries it out and records it in the audit. The API and chat call it, and the command line through the
// API.
package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Caller is who asks, and through which channel. Without a person's id, By is the API token itself.
type Caller struct {
	Channel string
	By      deployment.Actor
	Admin   bool     // may do what only owners may
	Chat    ChatUser // as whom By asks in a chat system; the zero ChatUser: in none
}

// ChatUser is somebody by the id that a chat system gives them.
type ChatUser = deployment.ChatUser

// auditEvent is the audit record of what a caller does.
func (c Caller) auditEvent(kind deployment.AuditKind, detail []byte) deployment.AuditEvent {
	return deployment.AuditEvent{Kind: kind, Channel: c.Channel, Actor: c.By, Detail: detail}
}

// Options are what a Service is made of. All fields are required, except where it says otherwise.
type Options struct {
	Gate        Gate
	People      People
	Routes      Routes
	Engine      Engine
	Holds       Holds
	HoldPeople  HoldPeople
	Deployments Deployments
	Locks       Locks
	LockReader  LockReader
	Resolver    Resolver
	Requests    Requests
	Refs        Refs
	History     History
	Task        string // of a deployment whose order names none
	// LockTask is the task of deployments that lock. Whoever asks for a lock in another way must be
	// allowed to deploy with it.
	LockTask string
	Now      func() time.Time
}

// Service carries out commands. It is safe for concurrent use.
type Service struct{ o Options }

// New makes a Service.
func New(o Options) *Service { return &Service{o} }

// Error is the refusal of a command. The message is for people.
type Error struct {
	Kind    Kind
	Code    string // stable
	Message string
	Verdict *policy.Verdict // what the rules said; nil: they did not refuse it
	Err     error           // for the log; nil: there is no more to say
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// Kind says why a command is refused.
type Kind string

// The kinds.
const (
	KindInvalid   Kind = "invalid"   // it makes no sense
	KindForbidden Kind = "forbidden" // the caller is not allowed to
	KindNotFound  Kind = "not_found"
	KindConflict  Kind = "conflict" // it cannot be done in this state

	// KindUnavailable: it is unknown whether the caller is allowed to. They may ask again.
	KindUnavailable Kind = "unavailable"
)

func invalid(code, message string) error {
	return &Error{Kind: KindInvalid, Code: code, Message: message}
}

func forbidden(message string) error {
	return &Error{Kind: KindForbidden, Code: "not_allowed", Message: message}
}

// refuseCaller is the error of a refusal by the rules; nil: the caller is allowed to.
func refuseCaller(r policy.Refusal, code string) error {
	switch {
	case !r.Refused():
		return nil
	case r.Unknown:
		return &Error{Kind: KindUnavailable, Code: "unavailable", Message: r.Reason}
	default:
		return &Error{Kind: KindForbidden, Code: code, Message: r.Reason}
	}
}

func notFound(message string) error {
	return &Error{Kind: KindNotFound, Code: "not_found", Message: message}
}

func conflict(code, message string) error {
	return &Error{Kind: KindConflict, Code: code, Message: message}
}

// refuseUnknown refuses a command about a repository or person that does not exist. Any other error,
// such as an outage of GitHub, stays as it is.
func refuseUnknown(err error) error {
	var unknown *policy.NotFoundError
	if errors.As(err, &unknown) {
		return notFound(unknown.Error())
	}
	return err
}

// find returns the deployment with GitHub's id. An id that two repositories have is refused: GitHub gives
// each id once, so that all but one of them were made up.
func (s *Service) find(ctx context.Context, id int64) (deployment.Deployment, error) {
	records, err := s.o.Deployments.Get(ctx, id)
	if err != nil && !errors.Is(err, deployment.ErrNotFound) {
		return deployment.Deployment{}, err
	}
	if len(records) == 0 {
		return deployment.Deployment{}, notFound("no deployment has this id; use GitHub's deployment id")
	}
	if n := len(records); n > 1 {
		const format = "deployments of %d repositories have this id: rotate the webhook secret, and deploy again"
		return deployment.Deployment{}, conflict("ambiguous", fmt.Sprintf(format, n))
	}

	return records[0].Deployment, nil
}
