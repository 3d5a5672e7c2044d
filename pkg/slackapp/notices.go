package slackapp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Times of the notices to the owners of locks.
const (
	noticesEvery  = 10 * time.Second // how often it is looked for something to say
	noticesHold   = 2 * time.Minute  // for how long one process does that alone
	waitsAgain    = 15 * time.Minute // between two messages to the owner of one lock that others wait
	waitsFor      = 10 * time.Second // a deployment that has waited for less is not mentioned
	noticesMaxAge = time.Hour        // older changes of a lock, and older ends, are not mentioned
	noticesPage   = 100
	maxNamed      = 5 // waiting deployments that a message names

	endsEvery  = time.Minute     // how often it is looked for deployments that have ended
	endsAfter  = 5 * time.Minute // after a longer time whoever asked in a direct message learns the end
	endsNewest = 200             // deployments among which it is looked for these
)

// noticesLease is the name of the lease of the process that sends notices.
const noticesLease = "slack notices"

// Messages has notes sent to people, and cards to channels.
type Messages interface {
	// Enqueue has a note sent to somebody by their id at Slack. It is sent once for each topic, however often it is
	// given; added says whether it is new.
	Enqueue(ctx context.Context, topic, user string, note notify.Note) (added bool, err error)
	// Resume says that a channel can be used again. It counts once for each topic.
	Resume(ctx context.Context, topic, channel string) error
}

// Leases lets one process at a time do periodic work.
type Leases interface {
	AcquireLease(ctx context.Context, name string, hold time.Duration, due time.Time) (deployment.Lease, bool, error)
	ReleaseLease(ctx context.Context, lease deployment.Lease, next time.Time) error
}

// NoticeOptions are what Notices are made of. All fields are required.
type NoticeOptions struct {
	Locks       Locks
	Deployments Deployments
	Leases      Leases
	Messages    Messages
	Persons     Persons
	Workspace   func() string
	Log         zerolog.Logger
	Now         func() time.Time
}

// Notices sends direct messages. The owners of locks learn that somebody took or released their lock, and that
// deployments wait for it. Whoever asked for a deployment in a direct message learns how it ended. Several processes
// share the work, and each message is sent once.
type Notices struct{ o NoticeOptions }

// NewNotices makes Notices.
func NewNotices(o NoticeOptions) *Notices { return &Notices{o} }

// noticesNote is kept in the lease from one run of Tell to the next one.
type noticesNote struct {
	Notice int64               `json:"notice"` // id of the newest notice that was looked at
	Waits  map[int64]waitsSent `json:"waits"`  // the last message about each open lock, by the lock's id
	Ends   time.Time           `json:"ends"`   // when it was last looked for deployments that have ended
}

// waitsSent describes the last message to the owner of a lock about deployments that wait for it.
type waitsSent struct {
	At     time.Time `json:"at"`
	Newest int64     `json:"newest"` // row of the newest deployment that it was about
}

// Run sends notices until ctx ends.
func (n *Notices) Run(ctx context.Context) {
	ticker := time.NewTicker(noticesEvery)
	defer ticker.Stop()

	for {
		if err := n.Tell(ctx); err != nil && ctx.Err() == nil {
			n.o.Log.Warn().Err(err).Msg("notices not sent")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Tell sends once the notices that are due, unless another process does it or has just done it. Before Slack has said
// which workspace this is, nobody can be found there: then Tell sends nothing, and leaves everything for a later time.
func (n *Notices) Tell(ctx context.Context) error {
	if n.o.Workspace() == "" {
		return nil
	}

	lease, acquired, err := n.o.Leases.AcquireLease(ctx, noticesLease, noticesHold, n.o.Now())
	if err != nil || !acquired {
		return err
	}

	var note noticesNote
	_ = json.Unmarshal([]byte(lease.Note), &note) // without one it begins anew; topics keep it from sending twice
	failure := n.changes(ctx, &note)
	if failure == nil {
		failure = n.waits(ctx, &note)
	}
	if failure == nil {
		failure = n.ends(ctx, &note)
	}

	text, _ := json.Marshal(note) // it has no field that can fail
	lease.Note = string(text)
	if err := n.o.Leases.ReleaseLease(ctx, lease, n.o.Now().Add(noticesEvery/2)); err != nil && failure == nil {
		return err
	}
	return failure
}

// changes tells what somebody else did to a lock.
func (n *Notices) changes(ctx context.Context, note *noticesNote) error {
	for {
		list, err := n.o.Locks.Notices(ctx, note.Notice, noticesPage)
		if err != nil {
			return err
		}

		for _, notice := range list {
			user, known := n.o.Persons.ChatUser(face, n.o.Workspace(), notice.To.ID)
			if known && n.o.Now().Sub(notice.At) < noticesMaxAge {
				topic := fmt.Sprintf("lock-notice:%d", notice.ID)
				text := phrase.UpperFirst(phrase.Sentence(notice.Text))
				if _, err := n.o.Messages.Enqueue(ctx, topic, user, noteOf(text)); err != nil {
					return err
				}
			}
			note.Notice = notice.ID
		}
		if len(list) < noticesPage {
			return nil
		}
	}
}

// waits tells the owners of open locks which deployments of others wait for them: of each once, and at most every
// waitsAgain about one lock.
func (n *Notices) waits(ctx context.Context, note *noticesNote) error {
	locks, err := n.o.Locks.Locks(ctx)
	if err != nil {
		return err
	}

	before := note.Waits
	note.Waits = map[int64]waitsSent{}
	for _, l := range locks {
		sent, ok := before[l.ID]
		if ok {
			note.Waits[l.ID] = sent
		}
		if n.o.Now().Sub(sent.At) < waitsAgain {
			continue
		}
		user, known := n.o.Persons.ChatUser(face, n.o.Workspace(), l.Owner.ID)
		if !known {
			continue
		}

		waiting, err := n.waitingFor(ctx, l)
		if err != nil {
			return err
		}
		newest := sent.Newest
		for _, d := range waiting {
			newest = max(newest, d.Row)
		}
		if newest == sent.Newest {
			continue
		}

		topic := fmt.Sprintf("lock-waits:%d:%d", l.ID, newest)
		if _, err := n.o.Messages.Enqueue(ctx, topic, user, waitsNote(l, waiting)); err != nil {
			return err
		}
		note.Waits[l.ID] = waitsSent{At: n.o.Now(), Newest: newest}
	}
	return nil
}

// waitingFor lists what waits for a lock and is not its owner's.
func (n *Notices) waitingFor(ctx context.Context, l policy.Lock) ([]deployment.Deployment, error) {
	waiting, err := n.o.Locks.WaitingFor(ctx, l)
	return slices.DeleteFunc(waiting, func(d deployment.Deployment) bool {
		return d.Request.Requester().Same(l.Owner) || n.o.Now().Sub(d.AcceptedAt) < waitsFor
	}), err
}

// ends tells those who asked in a direct message, where no card shows it, how a deployment that took a while has
// ended.
func (n *Notices) ends(ctx context.Context, note *noticesNote) error {
	now := n.o.Now()
	if now.Sub(note.Ends) < endsEvery {
		return nil
	}

	list, err := n.o.Deployments.List(ctx, deployment.Filter{Limit: endsNewest})
	if err != nil {
		return err
	}
	for _, d := range list {
		asked := d.Request.Asked
		isDirect := asked != nil && asked.Channel == deployment.ChannelSlack && strings.HasPrefix(asked.Place, "D")
		isLate := d.EndedAt.Sub(d.AcceptedAt) >= endsAfter && now.Sub(d.EndedAt) < noticesMaxAge
		if !isDirect || d.State.Open() || !isLate {
			continue
		}
		user, known := n.o.Persons.ChatUser(face, n.o.Workspace(), asked.By.ID)
		if !known {
			continue
		}
		topic := fmt.Sprintf("ended:%d", d.Row)
		if _, err := n.o.Messages.Enqueue(ctx, topic, user, noteOf(phrase.Deployment(d, now))); err != nil {
			return err
		}
	}

	note.Ends = now
	return nil
}

// waitsNote says which deployments wait for a lock.
func waitsNote(l policy.Lock, waiting []deployment.Deployment) notify.Note {
	text := fmt.Sprintf("A deployment waits for your lock on %s.", phrase.Scope(l))
	if len(waiting) > 1 {
		text = fmt.Sprintf("%d deployments wait for your lock on %s.", len(waiting), phrase.Scope(l))
	}

	note := noteOf(text)
	for i, d := range waiting {
		if i == maxNamed {
			note.Lines = append(note.Lines, notify.Plain(fmt.Sprintf("… and %d more", len(waiting)-maxNamed)))
			break
		}
		by := d.Request.Requester()
		note.Lines = append(note.Lines, notify.Text{
			{Text: fmt.Sprintf("#%d: %s, asked for by ", d.Request.ID, phrase.What(d.Request))},
			{Text: by.String(), Person: by.ID},
		})
	}
	note.Lines = append(note.Lines, notify.Plain(`"locks" shows your locks, and "unlock APP in ENV" releases one.`))
	return note
}

// askForLock tells the owner of a lock that somebody waits for it, once for each deployment.
func (a *Actions) askForLock(ctx context.Context, c command.Caller, facts notify.Facts) (string, error) {
	d, l := facts.Deployment, facts.Lock
	if l == nil {
		return "No lock keeps this deployment from starting now.", nil
	}
	if l.Owner.Same(c.By) {
		return fmt.Sprintf("You have the lock on %s yourself, and can release it.", phrase.Scope(*l)), nil
	}

	user, known := a.o.Persons.ChatUser(face, c.Chat.Workspace, l.Owner.ID)
	if !known {
		const format = "%s has the lock, but Seraph does not know who that is in Slack. Ask them yourself."
		return fmt.Sprintf(format, l.Owner), nil
	}

	note := notify.Note{
		Summary: fmt.Sprintf("%s asks for your lock on %s", c.By, phrase.Scope(*l)),
		Lines: []notify.Text{
			{
				{Text: c.By.String(), Person: c.By.ID},
				{Text: fmt.Sprintf(" asks you to release your lock on %s:", phrase.Scope(*l))},
			},
			notify.Plain(fmt.Sprintf("#%d (%s) waits for it.", d.Request.ID, phrase.What(d.Request))),
			notify.Plain(`"locks" shows your locks, and "unlock APP in ENV" releases one.`),
		},
	}
	added, err := a.o.Messages.Enqueue(ctx, fmt.Sprintf("lock-asked:%d:%d", l.ID, d.Row), user, note)
	if err != nil {
		return "", err
	}
	if !added {
		return fmt.Sprintf("%s gets no second message that #%d waits for the lock.", l.Owner, d.Request.ID), nil
	}
	return fmt.Sprintf("%s gets a message that #%d waits for the lock.", l.Owner, d.Request.ID), nil
}
