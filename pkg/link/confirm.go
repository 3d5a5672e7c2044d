package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Start begins a link for a user, in place of one that they began before, and returns the address that they open
// in a browser within 10 minutes. The caller must show it to them alone. A refusal is a *command.Error, whose message
// is for them.
func (s *Service) Start(ctx context.Context, u User) (address string, err error) {
	if s.o.SignIn == nil || u.Face != faceSlack {
		return "", refuseOff()
	}
	if known, ok := s.o.Known.Person(u.Face, u.Workspace, u.User); ok {
		return "", s.refused(ctx, refuseOperator(known), u.ChatUser, known)
	}

	l, err := s.o.Links.LinkOfUser(ctx, u.ChatUser)
	switch {
	case err == nil:
		return "", refuseLinked(l.GitHub)
	case !errors.Is(err, deployment.ErrNotFound):
		return "", err
	}

	secret := newAddress()
	err = s.o.Attempts.StartLink(ctx, deployment.LinkAttempt{
		User:          u.ChatUser,
		UserName:      deployment.Readable(u.Name),
		WorkspaceName: deployment.Readable(u.WorkspaceName),
		AddressHash:   hashAddress(secret),
		ExpiresAt:     s.o.Now().Add(lifetime),
	})
	if err != nil {
		return "", err
	}
	return s.o.Public.JoinPath("link", secret).String(), nil
}

// Confirm makes the link that a user has begun, because they typed its code, and returns who they are at GitHub from
// now on. A refusal is a *command.Error, whose message is for them. The code that made a link may be given again, as
// long as that link stands and its user has begun no other.
func (s *Service) Confirm(ctx context.Context, u deployment.ChatUser, code string) (deployment.Actor, error) {
	var nobody deployment.Actor
	if s.o.SignIn == nil || u.Face != faceSlack {
		return nobody, refuseOff()
	}
	if known, ok := s.o.Known.Person(u.Face, u.Workspace, u.User); ok {
		return nobody, s.refused(ctx, refuseOperator(known), u, known)
	}

	codeHash := hashCode(readCode(code))
	attempt, counted, err := s.o.Codes.TypeLinkCode(ctx, u, mostTyped)
	if err != nil && !errors.Is(err, deployment.ErrNotFound) {
		return nobody, err
	}

	begun := err == nil
	right := begun && attempt.CodeHash != "" && equal(attempt.CodeHash, codeHash)
	if right && attempt.Confirmed {
		return s.linkedBefore(ctx, attempt, refuseUsed())
	}
	if !right {
		if err := s.refuseCodeOfAnother(ctx, u, codeHash); err != nil {
			return nobody, err
		}
	}

	switch {
	case !begun:
		return nobody, refuseNoAttempt() // nothing was under way, so there is nothing to audit
	case !counted:
		return nobody, refuseTooMany() // it was audited with the last code that counted
	case s.o.Now().After(attempt.ExpiresAt):
		return nobody, s.refused(ctx, refuseExpired(), u, attempt.GitHub)
	case attempt.CodeHash == "":
		return nobody, s.refused(ctx, refuseNotSignedIn(), u, nobody)
	case !right && attempt.Typed >= mostTyped:
		return nobody, s.refused(ctx, refuseTooMany(), u, attempt.GitHub)
	case !right:
		return nobody, s.refused(ctx, refuseWrong(mostTyped-attempt.Typed), u, attempt.GitHub)
	}

	if err := s.refuseByOperator(ctx, attempt); err != nil {
		return nobody, err
	}
	return s.confirm(ctx, attempt)
}

// confirm makes the link of an attempt whose code was typed.
func (s *Service) confirm(ctx context.Context, a deployment.LinkAttempt) (deployment.Actor, error) {
	var taken *deployment.LinkTakenError
	err := s.o.Codes.ConfirmLink(ctx, a, event(deployment.AuditLink, a.User, a.GitHub, detail{}))
	switch {
	case err == nil:
		return a.GitHub, nil
	case errors.Is(err, deployment.ErrNotFound): // the same code was typed at the same moment, or another link begun
		return s.linkedBefore(ctx, a, refuseNoAttempt())
	case !errors.As(err, &taken):
		return deployment.Actor{}, err
	case taken.Link.User == a.User:
		return deployment.Actor{}, s.refused(ctx, refuseLinked(taken.Link.GitHub), a.User, a.GitHub)
	default:
		return deployment.Actor{}, s.refuseTaken(ctx, a)
	}
}

// linkedBefore answers the code of an attempt that is not open any more: with the link, if the attempt has made the one
// that stands, and otherwise with a refusal.
func (s *Service) linkedBefore(
	ctx context.Context,
	a deployment.LinkAttempt,
	refusal *command.Error,
) (deployment.Actor, error) {
	l, err := s.o.Links.LinkOfUser(ctx, a.User)
	switch {
	case err == nil && l.GitHub.ID == a.GitHub.ID:
		return l.GitHub, nil
	case err == nil, errors.Is(err, deployment.ErrNotFound):
		return deployment.Actor{}, s.refused(ctx, refusal, a.User, a.GitHub)
	default:
		return deployment.Actor{}, err
	}
}

// refuseCodeOfAnother refuses a code that belongs to the attempt of another user, and ends that attempt: either its
// code is known to somebody who should not know it, or this user was sent the address of the other. nil: it belongs to
// no other user.
func (s *Service) refuseCodeOfAnother(ctx context.Context, u deployment.ChatUser, codeHash string) error {
	others, err := s.o.Codes.LinkAttemptByCode(ctx, u.Face, u.Workspace, codeHash)
	switch {
	case errors.Is(err, deployment.ErrNotFound):
		return nil
	case err != nil:
		return err
	case others.User == u || others.Confirmed:
		return nil
	}

	refusal := refuseOthers()
	about := detail{Reason: refusal.Code, By: u.String()}
	act := event(deployment.AuditLinkRefused, others.User, others.GitHub, about)
	if err := s.o.Codes.RefuseLink(ctx, act, &others, "", deployment.Actor{}); err != nil {
		return err
	}
	return refusal
}

// refuseByOperator refuses an account of which the routes file says whose it is; nil: it does not say.
func (s *Service) refuseByOperator(ctx context.Context, a deployment.LinkAttempt) error {
	user, known := s.o.Known.ChatUser(a.User.Face, a.User.Workspace, a.GitHub.ID)
	switch {
	case !known:
		return nil
	case user == a.User.User: // it was written down after the attempt was begun
		return s.refused(ctx, refuseOperator(a.GitHub), a.User, a.GitHub)
	default:
		return s.refuseTaken(ctx, a)
	}
}

// refuseTaken refuses an account that is linked to another user, ends the attempt, and leaves a notice for whoever has
// the account.
func (s *Service) refuseTaken(ctx context.Context, a deployment.LinkAttempt) error {
	const format = "Somebody has signed in at GitHub as you, %s, to link your account to another user of the chat " +
		"(%s). That was refused, because you are linked already. If it was not you, somebody else may be using your " +
		"account at GitHub."
	refusal := refuseTaken(a.GitHub)
	act := event(deployment.AuditLinkRefused, a.User, a.GitHub, detail{Reason: refusal.Code})
	notice := fmt.Sprintf(format, a.GitHub, a.User)
	if err := s.o.Codes.RefuseLink(ctx, act, &a, notice, a.GitHub); err != nil {
		return err
	}
	return refusal
}

// refused audits a refusal and returns it. One that its user can repeat without end is audited once a minute.
func (s *Service) refused(
	ctx context.Context,
	refusal *command.Error,
	u deployment.ChatUser,
	who deployment.Actor,
) error {
	if refusal.Code == codeOperator && !s.listed.First(u) {
		return refusal
	}

	act := event(deployment.AuditLinkRefused, u, who, detail{Reason: refusal.Code})
	if err := s.o.Codes.RefuseLink(ctx, act, nil, "", deployment.Actor{}); err != nil {
		return err
	}
	return refusal
}

// auditAgain is after how long the same refusal of a user whom the routes file names is audited again.
const auditAgain = time.Minute

// Unlink ends the link of a user, and what they have begun of another. why is WhyAsked, WhyDeleted or WhyGuest. A
// refusal is a *command.Error, whose message is for them: its code is not_linked where there is no link, and
// operator_entry where there is none and the routes file says who they are.
func (s *Service) Unlink(ctx context.Context, u deployment.ChatUser, why string) error {
	u.Face = storedFace(u.Face)
	l, err := s.o.Links.LinkOfUser(ctx, u)
	if err == nil {
		_, err = s.o.Links.EndLink(ctx, l, event(deployment.AuditUnlink, u, l.GitHub, detail{Reason: why}))
		return err // if it was ended meanwhile, it is ended
	}
	if !errors.Is(err, deployment.ErrNotFound) {
		return err
	}

	if err := s.o.Attempts.DropLinkAttempt(ctx, u); err != nil {
		return err
	}
	if known, ok := s.o.Known.Person(u.Face, u.Workspace, u.User); ok {
		return refuseOperator(known)
	}
	return refuseNotLinked()
}
