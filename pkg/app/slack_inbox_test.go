package app

import (
	"bytes"
	"context"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/slack"
	"github.com/seraph-deploy/seraph/test/memnet"
	simslack "github.com/seraph-deploy/seraph/test/sim/slack"
)

// TestSlackBot_RefusedToken checks that a token that Slack refuses is not tried every half minute for ever, that the
// log says what to do, and that the bot is known soon after Slack takes the token.
func TestSlackBot_RefusedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simslack.New(simslack.Options{})
		defer sim.Close()
		sim.Refuse("account_inactive")
		base, _ := url.Parse("http://slack.test/api/")
		client := slack.New(slack.Options{
			BaseURL: base,
			Token:   simslack.DefaultToken,
			HTTP:    memnet.Serve(t, sim),
		})
		var log bytes.Buffer
		bot := &slackBot{client: client, fromRoutes: func() string { return "" }, log: zerolog.New(&log)}

		done := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			defer close(done)
			bot.learn(ctx)
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(sim.Calls("auth.test")); n < 10 || n > 16 {
			t.Errorf("got %d calls within an hour, want one in 5 minutes after the first ones", n)
		}
		for _, want := range []string{`"level":"error"`, "set SERAPH_SLACK_BOT_TOKEN to its new bot token"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("got %s, want %s in it", &log, want)
			}
		}

		sim.Refuse("")
		time.Sleep(identityRetryMax)
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("got the bot unknown 5 minutes after Slack takes the token again")
		}
		if got := bot.workspace(); got != simslack.DefaultTeam {
			t.Errorf("got workspace %q, want %q", got, simslack.DefaultTeam)
		}
	})
}
