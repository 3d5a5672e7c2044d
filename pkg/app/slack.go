package app

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/chat"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/gate"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/slack"
	"github.com/seraph-deploy/seraph/pkg/slackapp"
	"github.com/seraph-deploy/seraph/pkg/store"
)

// slackApp is what people use in Slack: what comes in, what is done about it, and what owners of locks are told.
type slackApp struct {
	identity *slackIdentity
	handler  *slackapp.Handler
	worker   *slackapp.Worker
	notices  *slackapp.Notices
}

// newSlackApp makes what answers people in Slack.
func (a *App) newSlackApp(
	c *clients,
	rules *gate.Gate,
	commands *command.Service,
	lines *chat.Service,
) (*slackApp, error) {
	verifier, err := slack.NewVerifier(slack.Secret(a.cfg.Slack.SigningSecret.Reveal()))
	if err != nil {
		return nil, err
	}

	s := &slackApp{identity: &slackIdentity{client: c.slack, named: a.routes.SlackWorkspace, log: a.log}}
	actions := slackapp.NewActions(slackapp.Options{
		Directory:      c.slack,
		Speaker:        c.slack,
		Views:          c.slack,
		Persons:        a.links,
		Links:          a.links,
		Lines:          lines,
		Orders:         commands,
		Cards:          slackCards{source: a.newCardSource(c, rules), db: a.db, messages: a.notifier},
		Approvers:      rules,
		Deployments:    a.db,
		Locks:          a.db,
		Messages:       a.notifier,
		Audit:          a.db,
		Workspace:      a.routes.SlackWorkspace,
		Names:          a.routes.Names,
		Render:         a.renderOptions(),
		ObserveRefused: a.metrics.ChatRefused(faceSlack),
		Log:            a.log,
		Now:            now,
	})

	s.worker = slackapp.NewWorker(slackapp.WorkerOptions{
		Rows:   a.db,
		Do:     actions.Do,
		GaveUp: func(kind string) { a.metrics.Delivery(faceSlack, kind, "given_up") },
		Log:    a.log,
		Now:    now,
	})
	s.handler = slackapp.NewHandler(slackapp.HandlerOptions{
		Verifier:  verifier,
		Inbox:     a.db,
		Workspace: s.identity.workspace,
		BotUser:   s.identity.botUser,
		Check:     actions.Check,
		Stored:    s.worker.Wake,
		Tell: func(ctx context.Context, responseURL slack.Secret, text string) error {
			return c.slack.Respond(ctx, responseURL, slack.Message{Text: text})
		},
		Observe: a.metrics.Delivery,
		Log:     a.log,
		Now:     now,
	})
	s.notices = slackapp.NewNotices(slackapp.NoticeOptions{
		Locks:     a.db,
		Leases:    a.db,
		Messages:  a.notifier,
		Persons:   a.links,
		Workspace: s.identity.workspace,
		Log:       a.log,
		Now:       now,
	})
	return s, nil
}

// start starts the worker, and has ctx end the rest, which group waits for.
func (s *slackApp) start(ctx context.Context, group *sync.WaitGroup) {
	s.worker.Start()
	group.Go(func() { s.identity.learn(ctx) })
	group.Go(func() { s.notices.Run(ctx) })
}

// slackHandler serves what Slack sends; nil: Slack is off.
func (a *App) slackHandler() http.Handler {
	if a.slackApp == nil {
		return nil
	}
	return a.slackApp.handler
}

// slackCards says what the card of a deployment shows, and has it shown.
type slackCards struct {
	source   *cardSource
	db       *store.DB
	messages *notify.Worker
}

// Facts gathers what a card shows now.
func (s slackCards) Facts(ctx context.Context, row int64) (notify.Facts, error) {
	d, err := s.source.Load(ctx, row)
	if err != nil {
		return notify.Facts{}, err
	}
	return s.source.Facts(ctx, d)
}

// Refresh has the messages about a deployment brought up to date.
func (s slackCards) Refresh(ctx context.Context, row int64) error {
	err := s.db.RefreshMessages(ctx, row)
	s.messages.Announce()
	return err
}

// slackIdentity knows as whom Slack knows this service.
type slackIdentity struct {
	client *slack.Client
	named  func() string // the workspace that the routes file names; empty: none
	log    zerolog.Logger
	known  atomic.Pointer[slack.Identity]
}

// How long to wait before Slack is asked again as whom it knows this service.
const (
	identityFirstPause   = time.Second
	identityLongestPause = time.Minute
)

// learn asks Slack until it answers, or ctx ends.
func (s *slackIdentity) learn(ctx context.Context) {
	for pause := identityFirstPause; ctx.Err() == nil; pause = min(2*pause, identityLongestPause) {
		me, err := s.client.Whoami(ctx)
		if err == nil {
			s.known.Store(&me)
			return
		}

		s.log.Warn().Err(err).Dur("retry_in", pause).Msg("Slack does not say who this service is")
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// workspace is the workspace, or the organization, whose requests count: the one of the routes file, or else the one
// of the token. Empty: neither is known yet.
func (s *slackIdentity) workspace() string {
	if named := s.named(); named != "" {
		return named
	}
	if me := s.known.Load(); me != nil {
		return me.Team
	}
	return ""
}

// botUser is the user id of this app's bot; empty: not known yet.
func (s *slackIdentity) botUser() string {
	if me := s.known.Load(); me != nil {
		return me.User
	}
	return ""
}
