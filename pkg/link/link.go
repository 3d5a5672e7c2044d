// Package link links the users of chat systems to accounts at GitHub, as both accounts prove.
//
// A user asks for a link in the chat system and gets an address there, privately. Whoever opens it signs in at
// GitHub and is then shown a page that names both accounts and a code. Only when the same user of the chat system
// types that code, the two are linked. So nobody gains anything by sending the address to somebody else: the code
// is shown to whoever signed in at GitHub, and counts for whoever asked for the address.
package link

import (
	"context"
	"net/http"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// User is a user of a chat system who asks for a link. The names are shown to people and mean nothing else.
type User struct {
	deployment.ChatUser
	Name          string // as people of the workspace see them; empty: unknown
	WorkspaceName string // empty: unknown
}

// Why a link ends. The words are kept in the audit.
const (
	WhyAsked   = "asked"   // its user asked for it
	WhyDeleted = "deleted" // the chat system says that the user was deactivated or deleted
	WhyGuest   = "guest"   // the chat system says that the user is a guest, or of another company
	WhyGone    = "gone"    // GitHub says that there is no such account
)

// Person returns who a user of a chat system is at GitHub: as the routes file says, or else as they have
// linked themselves. False: neither says so, or it could not be read. The faces slack and hubot-slack have the
// same users.
func (s *Service) Person(face, workspace, user string) (deployment.Actor, bool) {
	panic("to be written")
}

// ChatUser is the opposite of Person: it returns the id in a workspace of somebody at GitHub; false: nobody
// there is known to be that account.
func (s *Service) ChatUser(face, workspace string, githubID int64) (user string, ok bool) {
	panic("to be written")
}

// Start begins a link for a user, in place of one that they began before, and returns the address that they open
// in a browser. It must be answered to them alone. A refusal is a *command.Error, whose message is for them.
func (s *Service) Start(ctx context.Context, u User) (address string, err error) {
	panic("to be written")
}

// Confirm ends a link with the code that its user typed, and returns who they are at GitHub from now on. A
// refusal is a *command.Error, whose message is for them. The same code may be given again after a success.
func (s *Service) Confirm(ctx context.Context, u deployment.ChatUser, code string) (deployment.Actor, error) {
	panic("to be written")
}

// Unlink ends the link of a user, and what they have begun of another. why is one of the words above. A refusal
// is a *command.Error, whose message is for them: its code is not_linked where there is no link.
func (s *Service) Unlink(ctx context.Context, u deployment.ChatUser, why string) error {
	panic("to be written")
}

// Run asks GitHub once a day whether the linked accounts still exist, until ctx ends. A link to one that does not
// ends; a login that has changed is read again.
func (s *Service) Run(ctx context.Context) {}

// Handler serves GET /link/{code} and GET /login/callback.
func (s *Service) Handler() http.Handler { return nil }

// Service makes and reads links. It is safe for concurrent use.
type Service struct{}
