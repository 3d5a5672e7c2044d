package link

import (
	"context"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

const (
	checkEvery   = time.Hour        // how often links are looked for whose accounts are to be checked
	checkAfter   = 24 * time.Hour   // how long after a check an account is checked again
	checkBatch   = 100              // links that are checked every hour, those that wait longest first
	checkTimeout = 15 * time.Second // for one account
)

// Run checks links until ctx ends: each of them about once a day, but this process at most 100 an hour. A link ends if
// GitHub does not have its account any more, or if its user has left the chat system or is a guest there now. A changed
// login is stored. What is not answered is asked again an hour later.
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

// check asks GitHub about a batch of accounts that were not checked for a day.
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
	call, cancel := context.WithTimeout(ctx, checkTimeout)
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
