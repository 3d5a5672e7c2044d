package app

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/slack"
	"github.com/seraph-deploy/seraph/pkg/slackapp"
)

// identityRetry is how long the look-up of the bot pauses after an error. If Slack refuses the token, the pause doubles
// each time, up to identityRetryMax, because another token needs a restart.
const (
	identityRetry    = 30 * time.Second
	identityRetryMax = 5 * time.Minute
)

// slackActions does what people ask for in Slack.
type slackActions interface {
	Do(ctx context.Context, in slack.Incoming) error
	Check(in slack.Incoming) slack.ViewErrors
}

// slackInbox stores the requests that Slack sends, and has them carried out.
type slackInbox struct {
	handler *slackapp.Handler
	worker  *slackapp.Worker
	bot     *slackBot
}

// newSlackInbox makes the inbox of Slack's requests. actions carries them out.
func (a *App) newSlackInbox(client *slack.Client, actions slackActions) (*slackInbox, error) {
	verifier, err := slack.NewVerifier(slack.Secret(a.cfg.Slack.SigningSecret.Reveal()))
	if err != nil {
		return nil, err
	}

	bot := &slackBot{client: client, fromRoutes: a.routes.SlackWorkspace, log: a.log}
	worker := slackapp.NewWorker(slackapp.WorkerOptions{
		Rows:   a.db,
		Do:     actions.Do,
		GaveUp: a.metrics.ChatGaveUp(faceSlack),
		Log:    a.log,
		Now:    now,
	})
	handler := slackapp.NewHandler(slackapp.HandlerOptions{
		Verifier:  verifier,
		Inbox:     a.db,
		Workspace: bot.workspace,
		BotUser:   bot.user,
		Check:     actions.Check,
		Stored:    worker.Wake,
		Tell: func(ctx context.Context, responseURL slack.Secret, text string) error {
			return client.Respond(ctx, responseURL, slack.Message{Text: text})
		},
		Observe: a.metrics.Delivery,
		Log:     a.log,
		Now:     now,
	})

	return &slackInbox{handler: handler, worker: worker, bot: bot}, nil
}

// stop waits for what is being done for at most half of the time that is left, so that the steps of deployments have
// the rest.
func (s *slackInbox) stop(ctx context.Context) {
	ctx, cancel := halfOf(ctx)
	defer cancel()

	s.worker.Stop(ctx)
}

// handlerOrNil is the handler, or nil where there is no inbox.
func (s *slackInbox) handlerOrNil() http.Handler {
	if s == nil {
		return nil
	}
	return s.handler
}

// slackBot asks Slack for the identity of this service's bot, and remembers it.
type slackBot struct {
	client     *slack.Client
	fromRoutes func() string // the workspace that the routes name
	log        zerolog.Logger
	identity   atomic.Pointer[slack.Identity] // nil: Slack has not said it yet
}

// learn asks until Slack answers or ctx ends.
func (b *slackBot) learn(ctx context.Context) {
	refusedPause := identityRetry
	for {
		identity, err := b.client.Whoami(ctx)
		if err == nil {
			b.identity.Store(&identity)
			if b.workspace() == "" {
				b.log.Error().Str("workspace", identity.Team).Msg("requests of Slack refused: bot token of another " +
					"workspace than slack.workspace of the routes file, run \"seraph check\"")
			}
			return
		}

		level, pause := zerolog.WarnLevel, identityRetry
		if send, ok := errors.AsType[*notify.SendError](err); ok && send.Kind == notify.SendFace {
			level, pause = zerolog.ErrorLevel, refusedPause
			refusedPause = min(2*refusedPause, identityRetryMax)
		}
		b.log.WithLevel(level).Err(err).Dur("retry_in", pause).Msg("bot of Slack not read")
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// workspace is the workspace, or the organization, whose requests count: that of the routes, unless the token is of
// another one. Empty: it is not known yet, or there is none.
func (b *slackBot) workspace() string {
	named, me := b.fromRoutes(), b.identity.Load()
	switch {
	case me == nil:
		return named
	case named == "":
		return me.Team
	case named == me.Team || named == me.Enterprise:
		return named
	default:
		return ""
	}
}

// user is the user id of the bot; empty: it is not known yet.
func (b *slackBot) user() string {
	if me := b.identity.Load(); me != nil {
		return me.User
	}
	return ""
}
