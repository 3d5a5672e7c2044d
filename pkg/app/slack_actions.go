package app

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/chat"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/gate"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/slackapp"
	"github.com/seraph-deploy/seraph/pkg/store"
)

// newSlackActions makes the Actions that carry out the requests of people in Slack.
func (a *App) newSlackActions(
	c *clients,
	rules *gate.Gate,
	commands *command.Service,
	lines *chat.Service,
) *slackapp.Actions {
	return slackapp.NewActions(slackapp.Options{
		Directory:      c.slack,
		Speaker:        c.slack,
		Views:          c.slack,
		Persons:        a.links,
		Links:          a.links,
		Lines:          lines,
		Orders:         commands,
		Cards:          slackCards{source: a.newCardSource(c, rules), db: a.db, messages: a.notifier},
		Deployments:    a.db,
		Locks:          a.db,
		Approvers:      rules,
		Messages:       a.notifier,
		Audit:          a.db,
		Workspace:      a.routes.SlackWorkspace,
		Names:          a.routes.Names,
		Render:         a.renderOptions(),
		ObserveRefused: a.metrics.ChatRefused(faceSlack),
		Log:            a.log,
		Now:            now,
	})
}

// newSlackNotices makes the sender of direct messages about locks, and about the end of deployments.
func (a *App) newSlackNotices() *slackapp.Notices {
	return slackapp.NewNotices(slackapp.NoticeOptions{
		Locks:       a.db,
		Deployments: a.db,
		Leases:      a.db,
		Messages:    a.notifier,
		Persons:     a.links,
		Workspace:   a.inbox.bot.workspace,
		Log:         a.log,
		Now:         now,
	})
}

// slackCards tells what the cards of deployments show. It implements slackapp.Cards.
type slackCards struct {
	source   *cardSource
	db       *store.DB
	messages *notify.Worker
}

// Facts gathers what the card of a deployment shows now.
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
