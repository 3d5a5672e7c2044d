package slackapp

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// face is what Slack is called in links, in the audit and in metrics.
const face = "slack"

// tokenLostAgain is how long it is not logged again that the token was lost: Slack sends two events for one loss.
const tokenLostAgain = time.Hour

// Directory says who somebody is at Slack, and who can read a channel. Errors are *notify.SendError.
type Directory interface {
	User(ctx context.Context, id string) (slack.User, error)
	// KnownChannel may return what Slack said up to slack.KnownFor ago, unless that is from before since or
	// ForgetChannel was called.
	KnownChannel(ctx context.Context, id string, since time.Time) (slack.Channel, error)
	ForgetChannel(id string)
	// Identity says as whom Slack knows this service. It asks only until Slack has answered.
	Identity(ctx context.Context) (slack.Identity, error)
	// Whoami asks Slack each time.
	Whoami(ctx context.Context) (slack.Identity, error)
}

// Speaker says something at Slack. Errors are *notify.SendError.
type Speaker interface {
	Respond(ctx context.Context, responseURL slack.Secret, m slack.Message) error
	PostMessage(ctx context.Context, m slack.Message) (notify.MessageID, error)
	PostEphemeral(ctx context.Context, channel, user string, m slack.Message) error
}

// Views shows modals and home tabs. Errors are *notify.SendError.
type Views interface {
	OpenView(ctx context.Context, trigger slack.Secret, v slack.View) (slack.ViewID, error)
	UpdateView(ctx context.Context, id slack.ViewID, v slack.View) (slack.ViewID, error)
	PublishHome(ctx context.Context, user string, v slack.View) error
}

// Persons knows who the users of Slack are at GitHub; false: it does not know this one.
type Persons interface {
	Person(face, workspace, user string) (deployment.Actor, bool)
	ChatUser(face, workspace string, githubID int64) (user string, ok bool)
}

// Links makes and ends links of users of Slack with accounts at GitHub. Refusals are *command.Error.
type Links interface {
	Start(ctx context.Context, u link.User) (address string, err error)
	Confirm(ctx context.Context, u deployment.ChatUser, code string) (deployment.Actor, error)
	Unlink(ctx context.Context, u deployment.ChatUser, why string) error
}

// Lines answers lines of text that people type. Errors are as those of chat.Service.
type Lines interface {
	Answer(ctx context.Context, c command.Caller, l command.Line) (command.Answer, error)
	// Before returns the answer that a line with the same Request was given before; false: there is none.
	Before(ctx context.Context, c command.Caller, l command.Line) (command.Answer, bool, error)
	// AsksGitHub says whether an answer to a line may need GitHub.
	AsksGitHub(text string) bool
}

// Orders has deployments created, and says what became of an order. It refuses with *command.Error.
type Orders interface {
	Again(ctx context.Context, c command.Caller, o command.AgainOrder) (command.Ordered, error)
	Rollback(ctx context.Context, c command.Caller, o command.RollbackOrder) (command.Ordered, error)
	Request(ctx context.Context, c command.Caller, key string) (command.Ordered, error)
}

// Cards knows what the card of a deployment shows now.
type Cards interface {
	// Facts gathers them. deployment.ErrNotFound: there is no such row.
	Facts(ctx context.Context, row int64) (notify.Facts, error)
	// Refresh has the messages about a deployment brought up to date.
	Refresh(ctx context.Context, row int64) error
}

// Approvers says whether somebody may approve a deployment, and the jobs of it that CircleCI holds.
type Approvers interface {
	Approver(ctx context.Context, d deployment.Deployment, by deployment.Actor) (policy.Approval, policy.Refusal)
	HoldApprover(ctx context.Context, d deployment.Deployment, by deployment.Actor) policy.Refusal
}

// Audit keeps who was refused what.
type Audit interface {
	AppendAudit(ctx context.Context, event deployment.AuditEvent) error
}

// Deployments reads deployments, what runs where, and what people asked for.
type Deployments interface {
	List(ctx context.Context, f deployment.Filter) ([]deployment.Deployment, error)
	ListEnvironments(ctx context.Context, f deployment.EnvironmentFilter) (
		list []deployment.EnvironmentStatus, last deployment.EnvironmentID, err error)
}

// Locks reads locks, and who waits for them.
type Locks interface {
	Locks(ctx context.Context) ([]policy.Lock, error)
	WaitingFor(ctx context.Context, l policy.Lock) ([]deployment.Deployment, error)
	Notices(ctx context.Context, after int64, limit int) ([]policy.Notice, error)
}

// Options are what Actions are made of. All fields are required.
type Options struct {
	Directory   Directory
	Speaker     Speaker
	Views       Views
	Persons     Persons
	Links       Links
	Lines       Lines
	Orders      Orders
	Cards       Cards
	Deployments Deployments
	Locks       Locks
	Approvers   Approvers
	Messages    Messages
	Audit       Audit

	// Workspace returns the id of the workspace that the routes file names; empty: it names none, and the one of the
	// token counts.
	Workspace func() string
	Names     func() grammar.Names
	Render    slack.RenderOptions

	// ObserveRefused counts one request that was refused. The code is from a closed set.
	ObserveRefused func(code string)
	Log            zerolog.Logger
	Now            func() time.Time
}

// Actions does what people ask for in Slack: it finds out who asks and whether they may, does it, and answers. It
// is safe for concurrent use.
type Actions struct {
	o       Options
	people  *people
	audited *command.Recently[string] // refusals that are in the audit already
	opened  *command.Recently[string] // users who have opened their home tab
	limits  *limits
	shown   *publications

	tokenLost *command.Recently[string] // workspaces for which it was logged that the token was lost
}

// NewActions makes Actions.
func NewActions(o Options) *Actions {
	return &Actions{
		o:       o,
		people:  newPeople(o),
		audited: command.NewRecently[string](o.Now, auditAgain),
		opened:  command.NewRecently[string](o.Now, homeLasts),
		limits:  newLimits(o.Now),
		shown:   newPublications(),

		tokenLost: command.NewRecently[string](o.Now, tokenLostAgain),
	}
}

// Do does what a request of Slack asks for, and answers whoever asked. A refusal is an answer, too. An error means
// that nothing was answered and the request may be given again: with the same RequestKey it is not done twice.
func (a *Actions) Do(ctx context.Context, in slack.Incoming) error {
	switch in.Kind {
	case slack.KindCommand, slack.KindMention, slack.KindDirect:
		return a.say(ctx, in)
	case slack.KindClick:
		return a.click(ctx, in)
	case slack.KindSubmit:
		return a.submit(ctx, in)
	case slack.KindHome:
		return a.home(ctx, in)
	case slack.KindEvent:
		return a.event(ctx, in)
	}
	return nil
}

// event does what follows from something that has changed at Slack.
func (a *Actions) event(ctx context.Context, in slack.Incoming) error {
	switch in.Event {
	case slack.EventAppUninstalled, slack.EventTokensRevoked:
		return a.lostToken(ctx, in)
	}

	if err := a.people.changed(ctx, in); err != nil || in.Event != slack.EventChannelJoined {
		return err
	}
	return a.o.Messages.Resume(ctx, in.RequestKey, in.Channel)
}

// lostToken tells the operator that the app was uninstalled or its token revoked, once for both events, if the token
// really does not work any more: the event may be about an older token, and may come late. Links stay, for the day on
// which the app is installed again.
func (a *Actions) lostToken(ctx context.Context, in slack.Incoming) error {
	_, err := a.o.Directory.Whoami(ctx)
	var refused *notify.SendError
	switch {
	case err == nil:
		a.o.Log.Info().Str("event", in.Event).Msg("token of Slack still works")
		return nil
	case !errors.As(err, &refused) || refused.Kind != notify.SendFace:
		return err
	}

	if a.tokenLost.First(in.Team) {
		a.o.Log.Error().Err(err).Str("event", in.Event).
			Msg("token of Slack refused, nothing is sent or answered there, run \"seraph check\"")
	}
	return nil
}

// Left asks Slack why the link of a user has to end: as link.WhyDeleted or link.WhyGuest; empty: it need not.
func (a *Actions) Left(ctx context.Context, user deployment.ChatUser) (why string, err error) {
	code, err := a.people.left(ctx, user)
	return endsLink(code), err
}
