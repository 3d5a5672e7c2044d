package notify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// leaseNote is what one holder of the lease leaves for the next one.
type leaseNote struct {
	Position int64     `json:"position"` // of the changes that were followed
	At       time.Time `json:"at"`       // when it was written
}

const (
	// noteFor is how long the note of a holder counts. After a longer time nobody wants to read what happened
	// meanwhile, so the worker begins with what is open.
	noteFor = 24 * time.Hour

	// aliveEvery is how often a holder renews its note. After trustedGap without one the database may have been
	// restored from a backup, so that messages may be posted that it does not know of.
	aliveEvery = time.Minute
	trustedGap = 5 * time.Minute

	neighborDelay = 10 * time.Second // after which a card shows its new place in line
	listPage      = 200
)

// start finds out where the changes go on that the last holder of the lease has followed. Without one it begins
// with what is open now, and never says what has ended.
func (s *session) start(ctx context.Context) error {
	var note leaseNote
	known := s.lease.Note != "" && json.Unmarshal([]byte(s.lease.Note), &note) == nil
	s.suspect = known && s.o.Now().Sub(note.At) > trustedGap
	if known && s.o.Now().Sub(note.At) <= noteFor {
		s.cursor = deployment.ChangeCursor{Position: note.Position}
		return s.leaveNote(ctx, nil)
	}

	var err error
	s.cursor, err = s.o.Feed.LastChange(ctx)
	if err != nil {
		return err
	}

	var touches []deployment.MessageTouch
	for _, state := range deployment.States() {
		if !state.Open() {
			continue
		}

		filter := deployment.Filter{State: state, Limit: listPage}
		for {
			page, err := s.o.Feed.List(ctx, filter)
			if err != nil {
				return err
			}
			for _, d := range page {
				touches = append(touches, s.touch(d))
				filter.Before = d.Row
			}
			if len(page) < listPage {
				break
			}
		}
	}

	return s.leaveNote(ctx, touches)
}

// follow reads what has changed and makes the messages due that are about it. The position that it came to is
// saved in the same commit.
func (s *session) follow(ctx context.Context) error {
	for {
		changes, to, more, err := s.o.Feed.ReadChanges(ctx, s.cursor)
		if err != nil {
			return err
		}

		touches, err := s.touches(ctx, changes)
		if err != nil {
			return err
		}

		before := s.cursor
		s.cursor = to
		if len(touches) > 0 || s.o.Now().Sub(s.noted) >= aliveEvery {
			if err := s.leaveNote(ctx, touches); err != nil {
				s.cursor = before
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// touches are the messages that changes make due: those about the deployments, and those about others that wait in
// the same environments, whose place in line may have changed.
func (s *session) touches(ctx context.Context, changes []deployment.Change) ([]deployment.MessageTouch, error) {
	var touches []deployment.MessageTouch
	changed := map[int64]bool{}
	environments := map[deployment.EnvironmentID]bool{}
	for _, c := range changes {
		d := c.Deployment
		touches = append(touches, s.touch(d))
		changed[d.Row] = true
		if d.State != deployment.Waiting && len(s.o.Source.Channels(d)) > 0 {
			id := deployment.EnvironmentID{RepositoryID: d.Request.Repository.ID, Key: d.Request.EnvironmentKey()}
			environments[id] = true
		}
	}

	later := s.o.Now().Add(neighborDelay)
	for id := range environments {
		rows, err := s.o.Feed.WaitingBefore(ctx, id.RepositoryID, id.Key, math.MaxInt64)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if !changed[row] {
				touch := deployment.MessageTouch{Row: row, Rank: deployment.RankPeople, Due: later}
				touches = append(touches, touch)
			}
		}
	}

	return touches, nil
}

// touch is what a change of a deployment does. The channels are those of its route at its first change, so that a
// message ends where it began, also if the route names another channel meanwhile.
func (s *session) touch(d deployment.Deployment) deployment.MessageTouch {
	now := s.o.Now()
	touch := deployment.MessageTouch{Row: d.Row, Rank: Rank(d), Due: now}
	for _, n := range s.o.Source.Channels(d) {
		if n.Face != s.o.Name {
			continue
		}

		settings := withDefaults(n, d.Request, s.o.Source.Outline(d).Route.Production)
		kind := deployment.MessageCard
		if settings.Posts {
			kind = deployment.MessagePosts
		}
		touch.New = append(touch.New, deployment.Message{
			Topic:   fmt.Sprintf("deployment/%d/%s/%s", d.Row, n.Face, n.Channel),
			Row:     d.Row,
			Face:    n.Face,
			Channel: n.Channel,
			Kind:    kind,
			Rank:    Rank(d),
			Due:     now,
			MessageData: deployment.MessageData{
				CreatedAt: now,
				Secret:    rand.Text(),
				Settings:  settings,
			},
		})
	}
	return touch
}

// leaveNote saves the position in the feed together with what it made due.
func (s *session) leaveNote(ctx context.Context, touches []deployment.MessageTouch) error {
	now := s.o.Now()
	text, err := json.Marshal(leaseNote{Position: s.cursor.Settled(), At: now})
	if err != nil {
		return err
	}

	lease := s.lease
	lease.Note = string(text)
	if err := s.o.Feed.TouchMessages(ctx, lease, touches); err != nil {
		return err
	}

	s.lease, s.noted = lease, now
	return nil
}

// newNote makes a message that is posted once and shows a note.
func newNote(face, channel, topic string, n Note, now time.Time) (deployment.Message, error) {
	text, err := json.Marshal(n)
	return deployment.Message{
		Topic:       topic,
		Face:        face,
		Channel:     channel,
		Kind:        deployment.MessageNote,
		Rank:        deployment.RankPeople,
		Due:         now,
		MessageData: deployment.MessageData{CreatedAt: now, Secret: rand.Text(), Note: text},
	}, err
}
