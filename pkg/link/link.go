// Package link links the users of chat systems to accounts at GitHub. A user proves that both accounts are theirs.
//
// A user asks for a link in the chat system and gets an address there, privately. Whoever opens it signs in at
// GitHub and is then shown a page that names both accounts and a code. The two are linked only when the user who asked
// for the address types that code in the chat system. So nobody gains anything by sending the address to somebody else:
// the code is shown to whoever signed in at GitHub, and counts for whoever asked for the address.
//
// What the routes file says about a user comes first, and no link can change it.
package link

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// The faces whose users can be linked. A Hubot in a Slack workspace knows people by the ids that they have in Slack.
const (
	faceSlack      = "slack"
	faceHubotSlack = "hubot-slack"
)

const (
	lifetime    = 10 * time.Minute // of an attempt
	mostTyped   = 5                // how many codes a user may type for one attempt
	mostVisits  = 10               // how often browsers may come back from GitHub with one attempt
	readTimeout = 5 * time.Second  // for a read whose caller passes no context
)

// Why a link ends. The words are kept in the audit.
const (
	WhyAsked   = "asked"   // its user asked for it
	WhyDeleted = "deleted" // the chat system says that the user was deactivated or deleted
	WhyGuest   = "guest"   // the chat system says that the user is a guest, or of another company
	WhyGone    = "gone"    // GitHub says that there is no such account
	WhyListed  = "listed"  // the routes file says that the user is another account
)

// User is a user of a chat system who asks for a link. The names are shown to people and mean nothing else.
type User struct {
	deployment.ChatUser
	Name          string // as people of the workspace see them; empty: unknown
	WorkspaceName string // empty: unknown
}

// Known says who the operator has written down in the routes file.
type Known interface {
	// Person returns who a user of a chat system is at GitHub.
	Person(face, workspace, user string) (deployment.Actor, bool)
	// ChatUser returns the user of a workspace who is somebody at GitHub.
	ChatUser(face, workspace string, githubID int64) (user string, ok bool)
}

// Attempts keeps the links that are under way. deployment.ErrNotFound: there is no such attempt.
type Attempts interface {
	StartLink(ctx context.Context, a deployment.LinkAttempt) error
	LinkAttempt(ctx context.Context, addressHash string) (deployment.LinkAttempt, error)
	VisitLink(ctx context.Context, addressHash string, most int) (deployment.LinkAttempt, bool, error)
	SignedIn(ctx context.Context, addressHash string, who deployment.Actor, codeHash string) (first bool, err error)
	DropLinkAttempt(ctx context.Context, u deployment.ChatUser) error
}

// Codes finds the attempt to which a typed code belongs, and ends attempts. deployment.ErrNotFound: there is no such
// attempt.
type Codes interface {
	TypeLinkCode(ctx context.Context, u deployment.ChatUser, most int) (deployment.LinkAttempt, bool, error)
	LinkAttemptByCode(ctx context.Context, face, workspace, codeHash string) (deployment.LinkAttempt, error)
	ConfirmLink(ctx context.Context, a deployment.LinkAttempt, act deployment.AuditEvent) error
	RefuseLink(ctx context.Context, act deployment.AuditEvent, voids *deployment.LinkAttempt,
		notice string, forWhom deployment.Actor) error
}

// Links keeps who is linked. deployment.ErrNotFound: nobody is.
type Links interface {
	LinkOfUser(ctx context.Context, u deployment.ChatUser) (deployment.Link, error)
	LinkOfAccount(ctx context.Context, face, workspace string, id int64) (deployment.Link, error)
	UncheckedLinks(ctx context.Context, since time.Time, limit int) ([]deployment.Link, error)
	CheckedLink(ctx context.Context, l deployment.Link, login string) error
	EndLink(ctx context.Context, l deployment.Link, act deployment.AuditEvent) (ended bool, err error)
}

// SignIn lets somebody sign in at GitHub. GitHub is one.
type SignIn interface {
	// URL is where a browser goes to sign in. It comes back with the state, and a code that Account takes together
	// with the verifier.
	URL(state, verifier string) string
	// Account returns who has signed in. It is a *SignInError where GitHub refused the code.
	Account(ctx context.Context, code, verifier string) (deployment.Actor, error)
}

// Accounts reads accounts at GitHub.
type Accounts interface {
	// Login returns the login that an account has now; policy.ErrMissing: GitHub shows no such account.
	Login(ctx context.Context, id int64) (string, error)
}

// Options are what a Service is made of. All fields are required, except where it says otherwise.
type Options struct {
	Known    Known
	Attempts Attempts
	Codes    Codes
	Links    Links
	Accounts Accounts
	// Left asks the chat system why the link of a user has to end: WhyDeleted or WhyGuest; empty: it need not.
	// nil: the chat system is not asked.
	Left   func(ctx context.Context, u deployment.ChatUser) (why string, err error)
	SignIn SignIn   // nil: people cannot link themselves, but links that stand count
	Public *url.URL // where people reach this service; required with SignIn
	Now    func() time.Time
	Log    zerolog.Logger
}

// Service makes and reads links. It is safe for concurrent use.
type Service struct {
	o       Options
	handler http.Handler
	listed  *command.Recently[deployment.ChatUser] // users whom the routes file names, and who were refused
}

// New makes a Service.
func New(o Options) *Service {
	s := &Service{o: o, listed: command.NewRecently[deployment.ChatUser](o.Now, auditAgain)}
	s.handler = s.routes()
	return s
}

// Person returns who a user of a chat system is at GitHub: as the routes file says, or else as they have
// linked themselves. False: neither says so, or it could not be read. The faces slack and hubot-slack have the
// same users.
func (s *Service) Person(face, workspace, user string) (deployment.Actor, bool) {
	if known, ok := s.o.Known.Person(face, workspace, user); ok {
		return known, true
	}

	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	asked := deployment.ChatUser{Face: storedFace(face), Workspace: workspace, User: user}
	l, err := s.o.Links.LinkOfUser(ctx, asked)
	if err != nil {
		s.logRead(err)
		return deployment.Actor{}, false
	}

	// If the routes file says that somebody else has that account, it belongs to them.
	if other, taken := s.o.Known.ChatUser(l.User.Face, workspace, l.GitHub.ID); taken && other != user {
		return deployment.Actor{}, false
	}
	return l.GitHub, true
}

// ChatUser is the opposite of Person: it returns the id that somebody at GitHub has in a workspace. False: it is not
// known, or could not be read.
func (s *Service) ChatUser(face, workspace string, githubID int64) (user string, ok bool) {
	if known, ok := s.o.Known.ChatUser(face, workspace, githubID); ok {
		return known, true
	}

	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	face = storedFace(face)
	l, err := s.o.Links.LinkOfAccount(ctx, face, workspace, githubID)
	if err != nil {
		s.logRead(err)
		return "", false
	}

	if _, other := s.o.Known.Person(face, workspace, l.User.User); other {
		return "", false // the routes file says that this user is somebody else
	}
	return l.User.User, true
}

// storedFace is the face under which the links of a face are stored.
func storedFace(face string) string {
	if face == faceHubotSlack {
		return faceSlack
	}
	return face
}

// logRead logs that a link could not be read.
func (s *Service) logRead(err error) {
	if !errors.Is(err, deployment.ErrNotFound) {
		s.o.Log.Error().Err(err).Msg("link not read")
	}
}

// Handler serves GET /link/{code} and GET /login/callback. Without SignIn it answers 404.
func (s *Service) Handler() http.Handler { return s.handler }
