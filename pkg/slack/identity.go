package slack

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// authTest is the answer of auth.test.
type authTest struct {
	URL          string `json:"url"`
	Team         string `json:"team"`
	TeamID       string `json:"team_id"`
	UserID       string `json:"user_id"`
	BotID        string `json:"bot_id"`
	AppID        string `json:"app_id"`
	EnterpriseID string `json:"enterprise_id"`
}

// errNoBot says that a token belongs to a person or to nobody known.
var errNoBot = errors.New(
	"the token is not a bot's: set SERAPH_SLACK_BOT_TOKEN to the bot token, which begins with xoxb-")

// Whoami asks Slack in which workspace and as which bot the token speaks, and what it may do. It fails for a token that
// is not a bot's.
func (c *Client) Whoami(ctx context.Context) (Identity, error) {
	var out authTest
	var header http.Header
	err := c.do(ctx, call{
		method: methodIdentity,
		out:    &out,
		header: &header,
		check: func() *notify.SendError {
			if out.TeamID == "" || out.UserID == "" || out.BotID == "" {
				return &notify.SendError{Kind: notify.SendFace, Code: codeNoID, Err: errNoBot}
			}
			return nil
		},
		send: func(ctx context.Context) error {
			_, err := c.api.AuthTestContext(ctx)
			return err
		},
	})
	if err != nil {
		return Identity{}, err
	}

	me := Identity{
		Team:       out.TeamID,
		TeamName:   out.Team,
		TeamURL:    out.URL,
		Enterprise: out.EnterpriseID,
		User:       out.UserID,
		Bot:        out.BotID,
		App:        out.AppID,
	}
	for scope := range strings.SplitSeq(header.Get("X-OAuth-Scopes"), ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			me.Scopes = append(me.Scopes, scope)
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.me = &me
	return me, nil
}

// Identity returns the answer of the last Whoami, and asks only where there is none: as long as the token is the same,
// so is the bot.
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	c.mu.Lock()
	me := c.me
	c.mu.Unlock()
	if me != nil {
		return *me, nil
	}
	return c.Whoami(ctx)
}
