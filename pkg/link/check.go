package link

import (
	"context"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

const (
	checkEvery  = time.Hour      // how often it is looked at which links are due
	checkAfter  = 24 * time.Hour // how long an account is believed to exist
	checkBatch  = 100            // links in one read
	checkedCall = 15 * time.Second
)

// Run asks GitHub once a day about each linked account, and the chat system about its user, until ctx ends. A link
// ends if the account does not exist any more, or the user has left or is a guest now; a login that has changed is
// kept. What is not answered is asked again an hour later.
func (s *Service) Run(ctx context.Context) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		s.check(ctx)

		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// check asks about a batch of the links that are due.
func (s *Service) check(ctx context.Context) {
	due, err := s.o.Links.UncheckedLinks(ctx, s.o.Now().Add(-checkAfter), checkBatch)
	if err != nil {
		s.logCheck(ctx, err, deployment.ChatUser{})
		return
	}

	for _, l := range due {
		if err := s.checkOne(ctx, l); err != nil {
			s.logCheck(ctx, err, l.User)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func (s *Service) checkOne(ctx context.Context, l deployment.Link) error {
	call, cancel := context.WithTimeout(ctx, checkedCall)
	defer cancel()

	var unanswered error
	if s.o.Left != nil {
		why, err := s.o.Left(call, l.User)
		if why != "" {
			_, err = s.o.Links.EndLink(ctx, l, event(deployment.AuditUnlink, l.User, l.GitHub, detail{Reason: why}))
			return err
		}
		unanswered = err
	}

	login, err := s.o.Accounts.Login(call, l.GitHub.ID)
	switch {
	case errors.Is(err, policy.ErrMissing):
		_, err = s.o.Links.EndLink(ctx, l, event(deployment.AuditUnlink, l.User, l.GitHub, detail{Reason: WhyGone}))
		return err
	case err != nil || unanswered != nil:
		return errors.Join(unanswered, err)
	default:
		return s.o.Links.CheckedLink(ctx, l, login)
	}
}

func (s *Service) logCheck(ctx context.Context, err error, u deployment.ChatUser) {
	if ctx.Err() == nil {
		s.o.Log.Warn().Err(err).Stringer("user", u).Dur("retry_in", checkEvery).Msg("link not checked")
	}
}

// logRead logs that a link could not be read.
func (s *Service) logRead(err error) {
	if !errors.Is(err, deployment.ErrNotFound) {
		s.o.Log.Error().Err(err).Msg("link not read")
	}
}
