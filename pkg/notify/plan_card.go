package notify

import (
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func planCard(m deployment.Message, f Facts, now time.Time) Step {
	card := partOf(m, aboutCard)
	switch {
	case card != nil && card.Gone != "":
		return planClosing(m, f, *card)
	case card == nil || card.MessageID == "":
		return planFirst(m, f, now)
	}

	edit := planEdit(m, f, *card, now)
	if edit.Do != DoWait {
		return edit
	}
	reply := planReply(m, f, *card, now)
	if reply.Do != DoWait {
		return reply
	}
	return planTidy(f, *card, wait(soonest(edit.At, reply.At)), now)
}

// planFirst posts the card, once there is something to say.
func planFirst(m deployment.Message, f Facts, now time.Time) Step {
	d := f.Deployment
	switch {
	case !wants(m.Settings, d.State) && d.State.Open():
		return wait(time.Time{})
	case !wants(m.Settings, d.State):
		return Step{Do: DoFinish}
	case m.List != 0 && isListed(m, f):
		return planListed(m, f)
	case isOld(m, d, now):
		return Step{Do: DoSummarize}
	}
	if at, ok := quietUntil(f, now); !ok {
		return wait(at)
	}
	if isListed(m, f) {
		return planListed(m, f)
	}

	c := NewCard(f, now)
	return Step{Do: DoPost, About: aboutCard, Card: &c, Hash: c.Hash()}
}

// planEdit brings the card up to date.
func planEdit(m deployment.Message, f Facts, card deployment.MessagePart, now time.Time) Step {
	d := f.Deployment
	if d.State.Open() && !wants(m.Settings, d.State) || card.Tidied {
		return wait(time.Time{})
	}

	if f.ButtonsUnknown() && card.State == d.State && card.Call == nil {
		return wait(now.Add(unknownEvery))
	}

	c := NewCard(f, now)
	if c.Hash() == card.Hash && card.Call == nil {
		return wait(time.Time{})
	}
	if at, ok := editAt(m, f, card, c); !ok {
		return wait(time.Time{})
	} else if waitsFor(at, now) {
		return wait(at)
	}
	return Step{Do: DoEdit, About: aboutCard, Card: &c, Hash: c.Hash()}
}

// editAt says when a card that shows something else may be edited; ok is false where that is not worth a call.
func editAt(m deployment.Message, f Facts, card deployment.MessagePart, c Card) (at time.Time, ok bool) {
	d := f.Deployment
	switch {
	case !d.State.Open() || card.Call != nil:
		return at, true
	case card.State == d.State && generationOf(card.Hash) == c.Generation && f.NeedsApproval():
		return at, m.Calls <= maxCallsDetail // somebody has approved, and looks at it
	case card.State == d.State && generationOf(card.Hash) == c.Generation:
		return m.CalledAt.Add(detailEvery), m.Calls < maxCallsDetail
	case d.State == deployment.Running && card.State == deployment.Waiting && len(f.Approvals) == 0 && d.Cancel == nil:
		return d.StartedAt.Add(startsFor), true
	default:
		return at, true
	}
}

// planReply says a decisive moment below the card. Those who follow the thread get it, whereas edits notify
// nobody.
func planReply(m deployment.Message, f Facts, card deployment.MessagePart, now time.Time) Step {
	d := f.Deployment
	switch {
	case !d.State.Open():
		return planEnded(m, f, card, now)
	case !wants(m.Settings, d.State):
		return wait(time.Time{})
	case d.State == deployment.Held && card.First != deployment.Held && owes(m, aboutHeld):
		return reply(m, f, aboutHeld, heldNote(f))
	case f.NeedsApproval() && m.Settings.Mention != "":
		return planAsked(m, f, now)
	default:
		return wait(time.Time{})
	}
}

// planAsked mentions those who may approve: when approvals are first missing, and once more after half of the time
// that the deployment may wait. Where nothing could be said before that, once is enough.
func planAsked(m deployment.Message, f Facts, now time.Time) Step {
	var again time.Time
	if f.Route.MaxWait > 0 {
		again = f.Deployment.AcceptedAt.Add(f.Route.MaxWait / 2)
	}
	about := aboutAsked
	first := partOf(m, aboutAsked)
	underWay := first != nil && first.Call != nil
	if !again.IsZero() && !now.Before(again) && !underWay {
		about, again = aboutAgain, time.Time{}
	}
	if !owes(m, about) {
		return wait(again)
	}

	n := askedNote(f)
	n.Mention = m.Settings.Mention
	return reply(m, f, about, n)
}

// planEnded says how it ended, where somebody should know: it did not succeed, or the route wants it to reach the
// channel. A card that has shown nothing but the end says it already, except for the output of a failing step. Where so
// many cards have begun that nobody can read them, only a failure is said again.
func planEnded(m deployment.Message, f Facts, card deployment.MessagePart, now time.Time) Step {
	d := f.Deployment
	broadcast := slices.Contains(m.Settings.Broadcast, d.State) && !f.InBurst
	bad := d.State == deployment.Failed || d.State == deployment.Errored || d.State == deployment.Rejected
	if !owes(m, aboutEnded) || !broadcast && !bad {
		return wait(time.Time{})
	}
	if at := outputUntil(d); waitsFor(at, now) {
		return wait(at)
	}

	n := endedNote(f)
	if !card.First.Open() && len(n.Output) == 0 {
		return wait(time.Time{})
	}
	return reply(m, f, aboutEnded, n)
}

func reply(m deployment.Message, f Facts, about string, n Note) Step {
	return Step{
		Do:        DoPost,
		About:     about,
		Note:      &n,
		Hash:      digest(n),
		Broadcast: slices.Contains(m.Settings.Broadcast, f.Deployment.State),
	}
}

// planClosing says how it ended in a message of its own, where the card cannot show it.
func planClosing(m deployment.Message, f Facts, card deployment.MessagePart) Step {
	d := f.Deployment
	switch {
	case d.State.Open():
		return wait(time.Time{})
	case card.Gone == goneDeleted || card.State == d.State || !owes(m, aboutClosing):
		return Step{Do: DoFinish}
	}

	n := endedNote(f)
	return Step{Do: DoPost, About: aboutClosing, Note: &n, Hash: digest(n)}
}

// planTidy takes the buttons off a card a day after the end.
func planTidy(f Facts, card deployment.MessagePart, otherwise Step, now time.Time) Step {
	d := f.Deployment
	if d.State.Open() {
		return otherwise
	}
	if card.Tidied {
		return Step{Do: DoFinish}
	}

	at := d.EndedAt.Add(tidyAfter)
	if now.Before(at) {
		return wait(soonest(otherwise.At, at))
	}

	full := NewCard(f, now)
	c := full.WithoutButtons()
	if len(c.Buttons) == len(full.Buttons) {
		return Step{Do: DoFinish}
	}
	return Step{Do: DoEdit, About: aboutCard, Rank: deployment.RankTidy, Card: &c, Hash: c.Hash(), Tidy: true}
}
