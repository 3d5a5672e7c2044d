package server

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Persons knows who the users of chat systems are at GitHub; false: it does not know this one.
type Persons interface {
	Person(face, workspace, user string) (deployment.Actor, bool)
}

// nobody knows no one.
type nobody struct{}

func (nobody) Person(string, string, string) (deployment.Actor, bool) {
	return deployment.Actor{}, false
}

// Chat is one workspace of a chat system.
type Chat struct{ Face, Workspace string }

// String returns face/workspace.
func (c Chat) String() string { return c.Face + "/" + c.Workspace }

// maxLogin is how many bytes a login may have. GitHub allows fewer, also for enterprise users.
const maxLogin = 100

// validPerson says whether somebody can be a person at GitHub. Their login is shown to people, in
// statuses and in the audit, so it must not be any text.
func validPerson(p *api.Person) bool {
	return p != nil && p.ID > 0 && len(p.Login) <= maxLogin && policy.ParseLogin(p.Login) == nil
}

// What the parts of a chat user can be. They are shown to people and written into the log.
var (
	chatFace      = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)
	chatWorkspace = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	chatUser      = regexp.MustCompile(`^[!-~]{1,100}$`)
)

func validChatUser(u *api.ChatUser) bool {
	return chatFace.MatchString(u.Face) && chatWorkspace.MatchString(u.Workspace) && chatUser.MatchString(u.User)
}

// callerOf is who asks: the token itself, or the person for whom the token's holder asks.
func (s *Server) callerOf(token Token, person *api.Person, user *api.ChatUser) (command.Caller, error) {
	c := tokenCaller(token)
	behalf, bound := token.Scope == ScopeBehalf, token.Chat != Chat{}
	switch {
	case person != nil && user != nil:
		return c, badRequest(`name the person by "actor" or by "person", not by both`)
	case !behalf && person == nil && user == nil:
		return c, nil
	case !behalf:
		const message = "only a token with the scope behalf may ask for another person"
		return c, newError(http.StatusForbidden, "behalf_needed", message)
	case bound && user == nil && person == nil:
		return c, badRequest(`this token must name the person it asks for in "person"`)
	case bound && user == nil:
		return c, notOfChat(token.Chat)
	case user != nil:
		return s.chatCaller(c, token, user)
	case person == nil:
		return c, badRequest(`a token with the scope behalf must name the person it asks for in "actor" or "person"`)
	case !validPerson(person):
		return c, badRequest(`"actor" needs the GitHub id and login of the person`)
	}

	c.By.ID, c.By.Login = person.ID, person.Login
	return c, nil
}

// chatCaller makes the user of a chat system the caller, as whoever they are at GitHub.
func (s *Server) chatCaller(c command.Caller, token Token, user *api.ChatUser) (command.Caller, error) {
	if !validChatUser(user) {
		return c, badRequest(`"person" needs the face, workspace and user of the person, as the chat system gives them`)
	}

	chat := Chat{Face: user.Face, Workspace: user.Workspace}
	c.Chat = command.ChatUser{Face: user.Face, Workspace: user.Workspace, User: user.User}
	if token.Chat != (Chat{}) && token.Chat != chat {
		return c, notOfChat(token.Chat)
	}

	who, ok := s.o.Persons.Person(user.Face, user.Workspace, user.User)
	if !ok {
		return c, newError(http.StatusForbidden, "not_linked", s.notLinked(user))
	}

	c.By.ID, c.By.Login = who.ID, who.Login
	return c, nil
}

// notOfChat refuses a person for whom a token may not speak.
func notOfChat(chat Chat) error {
	const format = `this token may speak only for people of %s, whom it names in "person"`
	return newError(http.StatusForbidden, "forbidden", fmt.Sprintf(format, chat))
}

// notLinked says how somebody becomes known.
func (s *Server) notLinked(u *api.ChatUser) string {
	self, id := "", fmt.Sprintf("%s: %s/%s", u.Face, u.Workspace, u.User)
	if u.Face == "slack" || u.Face == "hubot-slack" {
		id = "slack: " + u.User
		if s.o.Link != nil {
			self = `type "/seraph link" in Slack, or `
		}
	}

	const format = "the user %s of %s/%s is not linked to a GitHub account: %sask the operator to add " +
		"{id: ID, login: LOGIN, %s} to people in the routes file; https://api.github.com/users/LOGIN shows the id"
	return fmt.Sprintf(format, u.User, u.Face, u.Workspace, self, id)
}
