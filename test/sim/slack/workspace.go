package slack

import (
	"maps"
	"slices"
	"strings"
)

// Team is a workspace.
type Team struct {
	ID         string
	Domain     string // of ACME.slack.com
	Name       string
	Enterprise string // id of its organization; empty: none
}

// User is a person, a bot or Slackbot. Slack has no single flag for people of other companies.
type User struct {
	ID   string
	Team string // default Options.Team
	Name string // user name; default the id in lower case
	Real string // default Name

	Deleted         bool
	Bot             bool
	AppUser         bool
	Admin           bool
	Restricted      bool // a guest
	UltraRestricted bool // a guest of a single channel
	Stranger        bool // somebody of another workspace whom nobody here knows
	Invited         bool // has not accepted the invitation yet
	WorkflowBot     bool
	Invisible       bool // users.info answers user_not_visible

	Enterprise      string   // id of the organization, on Enterprise Grid
	EnterpriseTeams []string // workspaces of the organization that the user belongs to
}

// Channel is a conversation. Public ones are open to everybody of the workspace, also without joining.
type Channel struct {
	ID       string
	Team     string // default Options.Team
	Name     string // default the id in lower case
	Private  bool
	Archived bool
	Away     bool // the bot is not a member

	SharedWith    []string // other workspaces that see the channel
	External      bool     // one of SharedWith is of another company
	PendingShared bool     // an invitation to another company is open
	User          string   // the channel is the direct messages of the bot with this user
	Refused       string   // error of whatever is written to it, such as restricted_action; empty: none

	Members []string // who is in the channel besides the bot; nil: everybody
}

// installation is the app in one workspace.
type installation struct {
	team    string
	token   string
	botUser string
	botID   string
	scopes  []string
	refused string // error of all calls; empty: none
	gone    bool   // it was uninstalled
	revoked string // the token that it had before it was installed again
}

// Installation says how the app is installed in a workspace.
type Installation struct {
	Team    string
	Token   string
	BotUser string
	BotID   string
}

// AddTeam adds a workspace, or replaces it.
func (s *Server) AddTeam(t Team) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.teams[t.ID] = &t
}

// Install installs the app in one more workspace, which AddTeam has added.
func (s *Server) Install(team string) Installation {
	s.mu.Lock()
	token := "xoxb-simulated-" + s.newID("") + "-slack"
	botUser, botID := s.newID("U"), s.newID("B")
	s.mu.Unlock()
	return s.install(team, token, botUser, botID)
}

func (s *Server) install(team, token, botUser, botID string) Installation {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := &installation{
		team:    team,
		token:   token,
		botUser: botUser,
		botID:   botID,
		scopes:  slices.Clone(s.options.Scopes),
	}

	s.installations = append(s.installations, made)
	s.users[botUser] = &User{ID: botUser, Team: team, Name: "seraph", Real: "Seraph", Bot: true, AppUser: true}

	return Installation{Team: team, Token: token, BotUser: botUser, BotID: botID}
}

// installationOf returns the app's installation in a workspace, or nil. The caller holds the lock.
func (s *Server) installationOf(team string) *installation {
	for _, in := range s.installations {
		if in.team == team {
			return in
		}
	}
	return nil
}

// SetScopes replaces the scopes of the app in Options.Team.
func (s *Server) SetScopes(scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installations[0].scopes = slices.Clone(scopes)
}

// Refuse makes all calls with the token of Options.Team fail with an error such as invalid_auth, token_revoked or
// account_inactive. An empty word ends that.
func (s *Server) Refuse(word string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installations[0].refused = word
}

// AddUser adds a user, or replaces one without telling the app: see ChangeUser.
func (s *Server) AddUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addUser(u)
}

func (s *Server) addUser(u User) {
	if u.Team == "" {
		u.Team = s.options.Team
	}
	if u.Name == "" {
		u.Name = strings.ToLower(u.ID)
	}
	if u.Real == "" {
		u.Real = u.Name
	}
	s.users[u.ID] = &u
}

// AddChannel adds a channel, or replaces one without telling the app: see Archive and Share.
func (s *Server) AddChannel(c Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Team == "" {
		c.Team = s.options.Team
	}
	if c.Name == "" {
		c.Name = strings.ToLower(c.ID)
	}
	s.channels[c.ID] = &c
}

// Users returns all users, bots included, in order of their ids.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []User
	for _, id := range slices.Sorted(maps.Keys(s.users)) {
		all = append(all, *s.users[id])
	}
	return all
}

// Channels returns all channels, direct messages included, in order of their ids.
func (s *Server) Channels() []Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Channel
	for _, id := range slices.Sorted(maps.Keys(s.channels)) {
		all = append(all, *s.channels[id])
	}
	return all
}

// Direct returns the id of the direct messages of a user with the bot of Options.Team. They are opened when they do not
// exist.
func (s *Server) Direct(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.direct(user, s.options.Team).ID
}

func (s *Server) direct(user, team string) *Channel {
	for _, c := range s.channels {
		if c.User == user && c.Team == team {
			return c
		}
	}

	c := &Channel{ID: s.newID("D"), Team: team, Name: user, User: user, Private: true, Members: []string{user}}
	s.channels[c.ID] = c

	return c
}

// visibleTo reports whether the app of a workspace can see the channel at all. The caller holds the lock.
func (c *Channel) visibleTo(in *installation) bool {
	return c.Team == in.team || slices.Contains(c.SharedWith, in.team)
}

// has reports whether a user is in the channel.
func (c *Channel) has(user string) bool {
	return c.Members == nil || slices.Contains(c.Members, user)
}
