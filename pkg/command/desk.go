// Package command is what people may ask of the service: to explain, approve, force and cancel
// deployments, and to lock environments. It knows who may, has it done, and keeps it in the audit.
// It has no face: the API, chat and the command line all come here.
package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Caller is who asks, and through which door. Without a person's id By is the API token itself.
type Caller struct {
	Channel string
	By      deployment.Actor
	Admin   bool // the token may do what owners may
}

// Gate is asked what the rules say.
type Gate interface {
	Decide(ctx context.Context, d deployment.Deployment) (policy.Verdict, error)
	Ask(ctx context.Context, q policy.Question) (policy.Verdict, error)
	Approver(ctx context.Context, d deployment.Deployment, by deployment.Actor) (a policy.Approval, refused string)
	Forcer(ctx context.Context, d deployment.Deployment, by deployment.Actor) (refused string)
	Member(ctx context.Context, d deployment.Deployment, by deployment.Actor) (refused string)
}

// Engine changes deployments.
type Engine interface {
	Cancel(
		ctx context.Context,
		row int64,
		ask deployment.CancelRequested,
		act deployment.AuditEvent,
	) (deployment.Deployment, error)
	Force(
		ctx context.Context,
		row int64,
		force deployment.Force,
		act deployment.AuditEvent,
	) (deployment.Deployment, error)
}

// Resolver finds a repository by its name. policy.ErrMissing: there is none.
type Resolver interface {
	ResolveRepository(ctx context.Context, owner, name string) (deployment.Source, error)
}

// Deployments are the rows, and the approvals given to them.
type Deployments interface {
	Get(ctx context.Context, deploymentID int64) ([]deployment.Record, error)
	Approve(ctx context.Context, row int64, a policy.Approval, act deployment.AuditEvent) error
}

// Locks are the locks, and what their owners are to be told. A lock that has ended gives
// deployment.ErrNotFound; *policy.Held: somebody has it.
type Locks interface {
	TakeLock(ctx context.Context, l policy.Lock, source string, act deployment.AuditEvent) (policy.Lock, error)
	StealLock(
		ctx context.Context,
		id int64,
		l policy.Lock,
		act deployment.AuditEvent,
		notice string,
	) (policy.Lock, error)
	ExtendLock(ctx context.Context, id int64, until time.Time, act deployment.AuditEvent) (policy.Lock, error)
	HandOverLock(ctx context.Context, id int64, to deployment.Actor, act deployment.AuditEvent) (policy.Lock, error)
	ReleaseLock(ctx context.Context, id int64, act deployment.AuditEvent, notice string) error
	Lock(ctx context.Context, id int64) (l policy.Lock, open bool, err error)
	OpenLock(ctx context.Context, repositoryID int64, environmentKey string) (policy.Lock, bool, error)
	Locks(ctx context.Context) ([]policy.Lock, error)
	WaitingFor(ctx context.Context, l policy.Lock) ([]deployment.Deployment, error)
	Notices(ctx context.Context, after int64, limit int) ([]policy.Notice, error)
}

// Service does what is asked. It is safe for concurrent use.
type Service struct {
	Gate        Gate
	Engine      Engine
	Resolver    Resolver
	Deployments Deployments
	Store       Locks
	Now         func() time.Time
	LockTask    string // the task that locks: who asks for a lock in another way is judged as one who deploys with it
}

// Kind says why something is not done.
type Kind string

// The kinds.
const (
	KindInvalid   Kind = "invalid"   // it makes no sense as it is asked
	KindForbidden Kind = "forbidden" // the caller may not
	KindNotFound  Kind = "not_found"
	KindConflict  Kind = "conflict" // it cannot be done now
)

// Error says, for people, why something is not done.
type Error struct {
	Kind    Kind
	Code    string // stable
	Message string
}

// Error is the message.
func (r *Error) Error() string { return r.Message }

func newError(kind Kind, code, format string, args ...any) error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// maxReason bounds what people may write, in code points: it is shown in GitHub's descriptions.
const maxReason = 200

func checkReason(reason string, needed bool) error {
	switch {
	case needed && reason == "":
		return newError(KindInvalid, "reason_missing", "a reason is needed")
	case len([]rune(reason)) > maxReason:
		return newError(KindInvalid, "reason_too_long", "the reason has more than %d characters", maxReason)
	case strings.ContainsFunc(reason, unicode.IsControl):
		return newError(KindInvalid, "reason_not_plain", "the reason must be one line, without control characters")
	default:
		return nil
	}
}

// plain puts what others wrote on one line, without control characters.
func plain(text string) string {
	return strings.Join(
		strings.FieldsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }),
		" ",
	)
}

// find gives the deployment with GitHub's id.
func (k *Service) find(ctx context.Context, id int64) (deployment.Deployment, error) {
	records, err := k.Deployments.Get(ctx, id)
	if err != nil && !errors.Is(err, deployment.ErrNotFound) {
		return deployment.Deployment{}, err
	}

	if len(records) == 0 {
		return deployment.Deployment{}, newError(
			KindNotFound,
			"not_found",
			"no deployment has this id; it is GitHub's deployment id that is asked for",
		)
	}

	return records[0].Deployment, nil
}

// auditEvent is what the audit keeps of what a caller asks about a deployment.
func auditEvent(c Caller, kind deployment.AuditKind, detail []byte) deployment.AuditEvent {
	return deployment.AuditEvent{Kind: kind, Channel: c.Channel, Actor: c.By, Detail: detail}
}
