package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/phrase"
)

// Where more than Limits.CardsPerMinute cards begin in one channel within a minute, nobody can read them. If the route
// wants lists, the deployments then have no cards of their own: one list shows them, a line for each, and is edited as
// they change. A deployment that needs somebody, failed, could not be run or was rejected has a card as well: there is
// something to press, and a new message is noticed.
const (
	burstLater = 10 * time.Second // how much of the minute of a burst is after the beginning of a card
	listFor    = 10 * time.Minute // a list takes in further deployments for so long: what is older is out of sight
	maxListed  = 40               // deployments in one list
	listGather = 3 * time.Second  // before a list is posted, so that it begins with most of a burst
	listEvery  = 5 * time.Second  // between two edits of a list
)

// isAlone says whether a deployment has a card of its own also in a burst: somebody has to do something, or it failed,
// could not be run or was rejected. One that was canceled has none.
func (f Facts) isAlone() bool {
	switch f.Deployment.State {
	case deployment.Held, deployment.Failed, deployment.Errored, deployment.Rejected:
		return true
	default:
		return f.NeedsApproval() || f.ButtonsUnknown()
	}
}

// isListed says whether a list shows the deployment of a card, or has to, instead of the card. A card that was posted,
// or may have been, goes on.
func isListed(m deployment.Message, f Facts) bool {
	return m.Kind == deployment.MessageCard && isUnsaid(m, aboutCard) && (m.List != 0 || f.InBurst) && !f.isAlone()
}

// planListed has a list show the deployment.
func planListed(m deployment.Message, f Facts) Step {
	switch {
	case m.List == 0:
		return Step{Do: DoList}
	case f.Deployment.State.Open():
		return wait(time.Time{})
	default:
		return Step{Do: DoFinish}
	}
}

// planList posts a list and brings it up to date. What shows no new deployment and no new end is sent less often, and
// not at all once it has taken two calls for each deployment: the others are kept for the ends.
func planList(m deployment.Message, f Facts, now time.Time) Step {
	if len(f.Listed) == 0 {
		return wait(time.Time{})
	}

	c := NewListCard(f.Listed)
	s := Step{Do: DoEdit, About: aboutCard, Card: &c, Hash: c.Hash()}
	card := partOf(m, aboutCard)
	switch {
	case card != nil && card.Gone != "":
		return planListClosing(m, f, *card, c)
	case card == nil || card.MessageID == "":
		s.Do = DoPost
		if at := m.CreatedAt.Add(listGather); waitsFor(at, now) {
			return wait(at)
		}
		return s
	case card.Call != nil:
		return s
	case card.Hash == s.Hash:
		return wait(time.Time{})
	}

	at := m.CalledAt.Add(listEvery)
	if generationOf(card.Hash) == c.Generation {
		if at = m.CalledAt.Add(detailEvery); m.Calls >= 2*len(f.Listed) {
			return wait(time.Time{})
		}
	}
	if now.Before(at) {
		return wait(at)
	}
	return s
}

// planListClosing posts how all have ended, once, where the list itself cannot show it.
func planListClosing(m deployment.Message, f Facts, card deployment.MessagePart, c Card) Step {
	switch isOpen := func(f Facts) bool { return f.Deployment.State.Open() }; {
	case card.Gone == goneDeleted:
		return Step{Do: DoFinish}
	case slices.ContainsFunc(f.Listed, isOpen):
		return wait(time.Time{})
	case card.Hash == c.Hash() || !owes(m, aboutClosing):
		return Step{Do: DoFinish}
	}
	return Step{Do: DoPost, About: aboutClosing, Card: &c, Hash: c.Hash()}
}

// listOrder is the order in which the title of a list counts the states.
var listOrder = append(slices.Clone(ends),
	deployment.Held, deployment.Running, deployment.Unconfirmed, deployment.Triggering, deployment.Waiting)

// NewListCard makes the card that shows several deployments, of each of which only Source.Outline has to be known. It has
// no buttons: which of them would be meant? Its generation says how many there are, and how many of
// them have ended.
func NewListCard(listed []Facts) Card {
	count := map[deployment.State]int{}
	c := Card{State: deployment.Succeeded}
	ended := 0
	for _, f := range listed {
		state := f.Deployment.State
		count[state]++
		if !state.Open() {
			ended++
		}
		c.Rows = append(c.Rows, Row{State: state, Text: f.listLine()})
	}

	var parts []string
	for _, state := range listOrder {
		if n := count[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	switch {
	case ended < len(listed):
		c.State = deployment.Running
	case count[deployment.Succeeded] < len(listed):
		c.State = deployment.Failed
	}

	c.Title = phrase.Count(len(listed), "deployment", "deployments") + ": " + strings.Join(parts, ", ")
	c.Summary = c.Title
	c.Generation = fmt.Sprintf("%d/%d", ended, len(listed))
	c.Lines = []Text{Plain("What has to be approved, or has failed, has a message of its own.")}
	return c
}

// listLine is what a list says of a deployment: its number, app, environment and state, the commit and who asked.
// Nobody is mentioned, because a list would mention the same person many times.
func (f Facts) listLine() Text {
	d := f.Deployment
	const maxNames, maxLogin = 100, 40
	names := shorten(deployment.Readable(f.app()+" → "+d.Request.Environment), maxNames)
	text := Text{
		{Text: fmt.Sprintf("#%d ", d.Request.ID)},
		{Text: names + ": " + phrase.StateWords(d, ""), URL: f.logURL()},
	}

	if sha := d.Request.SHA; sha != "" {
		text = append(text, Span{Text: ", "}, Span{Text: phrase.ShortSHA(sha), URL: f.commitURL(sha)})
	}
	if by := d.Request.Requester(); by != (deployment.Actor{}) {
		text = append(text, Span{Text: ", asked for by " + shorten(deployment.Readable(by.String()), maxLogin)})
	}
	return text
}

// inBurst says whether a card began while so many others began in its channel that nobody can read them. It is never so
// in a channel that wants no lists.
func (s *session) inBurst(ctx context.Context, m deployment.Message) (bool, error) {
	if m.Kind != deployment.MessageCard || !m.Settings.Lists {
		return false, nil
	}

	to := m.CreatedAt.Add(burstLater)
	n, err := s.o.Lists.CountCards(ctx, m.Face, m.Channel, to.Add(-time.Minute), to)
	return n > s.pace.limits.CardsPerMinute, err
}

// listed are the deployments that a list shows.
func (s *session) listed(ctx context.Context, list int64) (all []Facts, err error) {
	rows, err := s.o.Lists.ListedRows(ctx, list)
	for _, row := range rows {
		d, err := s.o.Source.Load(ctx, row)
		switch {
		case errors.Is(err, deployment.ErrNotFound):
			continue
		case err != nil:
			return nil, err
		}
		all = append(all, s.o.Source.Outline(d))
	}
	return all, err
}

// join has the newest list of a channel show the deployment of a card, or a new list, where that one is full, too old
// or gone.
func (s *session) join(ctx context.Context, m deployment.Message) error {
	s.listing.Lock()
	defer s.listing.Unlock()

	now := s.o.Now()
	list, size, found, err := s.o.Lists.NewestList(ctx, m.Face, m.Channel, now.Add(-listFor))
	if err != nil {
		return err
	}
	card := partOf(list, aboutCard)
	if !found || size >= maxListed || list.Done || card != nil && card.Gone != "" {
		list = deployment.Message{
			Topic:       fmt.Sprintf("list/%s/%s/%d", m.Face, m.Channel, m.ID),
			Face:        m.Face,
			Channel:     m.Channel,
			Kind:        deployment.MessageList,
			Rank:        deployment.RankEnd,
			Due:         now,
			MessageData: deployment.MessageData{CreatedAt: now, Secret: keyOf(m, "list")},
		}
	}

	m.Due = now
	return s.o.Lists.JoinList(ctx, m, list)
}
