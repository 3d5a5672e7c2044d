package slack

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// userInfo shows a user with all the flags that say who it is.
func (s *Server) userInfo(c *call) *answer {
	u := s.users[c.args["user"]]
	if u == nil {
		return fail("user_not_found")
	}
	if u.Invisible || u.Team != c.in.team && !s.meets(u, c.in) {
		return fail("user_not_visible")
	}

	return ok(Object{"user": s.userBody(u)})
}

// meets reports whether a user of another workspace shares a channel or an organization with the app's. The caller
// holds the lock.
func (s *Server) meets(u *User, in *installation) bool {
	if slices.Contains(u.EnterpriseTeams, in.team) {
		return true
	}
	for _, ch := range s.channels {
		teams := append([]string{ch.Team}, ch.SharedWith...)
		if slices.Contains(teams, u.Team) && slices.Contains(teams, in.team) {
			return true
		}
	}
	return false
}

// userBody is a user as the API shows it.
func (s *Server) userBody(u *User) Object {
	body := Object{
		"id":                  u.ID,
		"team_id":             u.Team,
		"name":                u.Name,
		"deleted":             u.Deleted,
		"color":               "9f69e7",
		"real_name":           u.Real,
		"tz":                  "Europe/Berlin",
		"tz_label":            "Central European Time",
		"tz_offset":           3600,
		"is_admin":            u.Admin,
		"is_owner":            false,
		"is_primary_owner":    false,
		"is_restricted":       u.Restricted,
		"is_ultra_restricted": u.UltraRestricted,
		"is_bot":              u.Bot,
		"is_app_user":         u.AppUser,
		"is_email_confirmed":  !u.Bot,
		"updated":             1_700_000_000,
		"profile": Object{
			"real_name":               u.Real,
			"real_name_normalized":    u.Real,
			"display_name":            u.Name,
			"display_name_normalized": u.Name,
			"avatar_hash":             "g00000000000",
			"image_48":                "https://a.slack-edge.com/48.png",
			"status_text":             "",
			"status_emoji":            "",
			"team":                    u.Team,
		},
	}

	for name, set := range map[string]bool{ // Slack shows these only when they are true
		"is_stranger":     u.Stranger,
		"is_invited_user": u.Invited,
		"is_workflow_bot": u.WorkflowBot,
	} {
		if set {
			body[name] = true
		}
	}
	if u.Enterprise != "" {
		body["enterprise_user"] = Object{
			"id":              u.ID,
			"enterprise_id":   u.Enterprise,
			"enterprise_name": "Acme Group",
			"is_admin":        false,
			"is_owner":        false,
			"teams":           u.EnterpriseTeams,
		}
	}

	return body
}

// compareTS compares two ts as numbers.
func compareTS(a, b string) int {
	wholeA, restA, _ := strings.Cut(a, ".")
	wholeB, restB, _ := strings.Cut(b, ".")
	secondsA, _ := strconv.ParseInt(wholeA, 10, 64) // what is no number is 0
	secondsB, _ := strconv.ParseInt(wholeB, 10, 64)
	return cmp.Or(cmp.Compare(secondsA, secondsB), cmp.Compare((restA + "000000")[:6], (restB + "000000")[:6]))
}
