package slack

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// userInfo is the answer of users.info.
type userInfo struct {
	User struct {
		ID       string `json:"id"`
		TeamID   string `json:"team_id"`
		Name     string `json:"name"`
		RealName string `json:"real_name"`
		TZ       string `json:"tz"`
		Profile  struct {
			DisplayName string `json:"display_name"`
		} `json:"profile"`
		Enterprise struct {
			ID           string   `json:"id"`
			EnterpriseID string   `json:"enterprise_id"`
			Teams        []string `json:"teams"`
		} `json:"enterprise_user"`

		Deleted        bool `json:"deleted"`
		IsBot          bool `json:"is_bot"`
		IsWorkflowBot  bool `json:"is_workflow_bot"`
		IsRestricted   bool `json:"is_restricted"`
		IsUltra        bool `json:"is_ultra_restricted"`
		IsStranger     bool `json:"is_stranger"`
		IsInvited      bool `json:"is_invited_user"`
		IsConnectorBot bool `json:"is_connector_bot"`
	} `json:"user"`
}

// slackbot is the id of Slackbot in every workspace. users.info does not call it a bot.
const slackbot = "USLACKBOT"

// User asks Slack who a user is. Nothing is remembered: a caller that may use an older answer keeps it.
func (c *Client) User(ctx context.Context, id string) (User, error) {
	var out userInfo
	err := c.do(ctx, call{
		method: methodUser,
		out:    &out,
		check: func() *notify.SendError {
			if out.User.ID == "" || out.User.ID != id || out.User.TeamID == "" {
				return unreadable()
			}
			return nil
		},
		send: func(ctx context.Context) error {
			_, err := c.api.GetUserInfoContext(ctx, id)
			return err
		},
	})
	if err != nil {
		return User{}, err
	}

	return out.user(), nil
}

// user returns what the answer says.
func (i userInfo) user() User {
	in := i.User
	u := User{
		ID:              in.ID,
		Team:            in.TeamID,
		Enterprise:      in.Enterprise.EnterpriseID,
		Teams:           in.Enterprise.Teams,
		Name:            in.Profile.DisplayName,
		Timezone:        in.TZ,
		Deleted:         in.Deleted,
		Bot:             in.IsBot || in.IsConnectorBot || in.ID == slackbot,
		WorkflowBot:     in.IsWorkflowBot,
		Restricted:      in.IsRestricted,
		UltraRestricted: in.IsUltra,
		Stranger:        in.IsStranger,
		Invited:         in.IsInvited,
	}

	if u.Name == "" {
		u.Name = in.RealName
	}
	if u.Name == "" {
		u.Name = in.Name
	}
	return u
}
