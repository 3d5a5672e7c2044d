package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Do is what a Step does.
type Do string

// What a Step does.
const (
	DoWait      Do = "wait"      // nothing before Step.At, unless the deployment changes
	DoPost      Do = "post"      // post a part of the message
	DoEdit      Do = "edit"      // edit it
	DoFind      Do = "find"      // look for a part that may have been posted
	DoSummarize Do = "summarize" // its deployment ended long ago and no message said so: a summary is enough
	DoGiveUp    Do = "give up"   // what is owed cannot be sent any more
	DoFinish    Do = "finish"    // nothing is owed any more
	DoList      Do = "list"      // have a list show its deployment, because its channel has too many cards
)

// What the parts of a message are about. A part of a message for each state is about that state.
const (
	aboutCard    = "card"
	aboutNote    = "note"
	aboutAsked   = "asked"       // the first mention of those who may approve
	aboutAgain   = "asked again" // the second one
	aboutHeld    = "held"
	aboutEnded   = "ended"
	aboutClosing = "closing" // how it ended, where the card cannot show it
)

// Why a part can neither be posted nor edited any more.
const (
	goneDeleted = "it was deleted"
	goneFinal   = "it cannot be edited any more"
	goneLost    = "it is not known whether it was posted"
	goneRefused = "its content was refused"
	goneReply   = "the message above it was deleted"
)

// Step is what is to be done next for a message.
type Step struct {
	Do    Do
	At    time.Time              // with DoWait: not before; zero: when the deployment changes
	Rank  deployment.MessageRank // which of several steps goes first
	About string                 // the part
	Why   string                 // with DoGiveUp

	Card      *Card // with DoPost and DoEdit: what is shown; exactly one of Card and Note is set
	Note      *Note
	Broadcast bool
	Tidy      bool // the card has no buttons that do anything
	Hash      string
}

// plain has the step show plain text alone, where anything else was refused.
func (s *Step) plain(plain bool) {
	if s.Card != nil {
		s.Card.Plain = plain
	}
	if s.Note != nil {
		s.Note.Plain = plain
	}
}

func wait(at time.Time) Step { return Step{Do: DoWait, At: at} }

func giveUp(why string) Step { return Step{Do: DoGiveUp, Why: why} }

// generationOf is what the hash of a card begins with.
func generationOf(hash string) string {
	generation, _, _ := strings.Cut(hash, ":")
	return generation
}

// Hash is the same for cards that show the same. It begins with the generation.
func (c Card) Hash() string { return c.Generation + ":" + digest(c) }

func digest(v any) string {
	text, _ := json.Marshal(v) // cards and notes have no field that can fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// soonest returns the earlier of two moments; a zero one is never.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Ready says whether facts have to be gathered to plan the next step of a message. Otherwise the step is known from
// the deployment alone.
func Ready(m deployment.Message, d deployment.Deployment, now time.Time) (Step, bool) {
	if m.Done {
		return wait(time.Time{}), false
	}
	if now.Before(m.RetryAt) {
		return wait(m.RetryAt), false
	}
	if m.Failures > 0 && now.Sub(m.FailedAt) >= giveUpAfter {
		return giveUp("the chat system has not taken it for a day"), false
	}

	if p := callOf(m); p != nil {
		return planCall(*p, now)
	}
	if !m.CalledAt.IsZero() && now.Before(m.CalledAt.Add(editEvery)) && m.Kind != deployment.MessageNote {
		return wait(m.CalledAt.Add(editEvery)), false
	}
	return Step{}, true
}

// callOf returns the part with a call of unknown outcome; nil: there is none.
func callOf(m deployment.Message) *deployment.MessagePart {
	for i := range m.Parts {
		if m.Parts[i].Call != nil {
			return &m.Parts[i]
		}
	}
	return nil
}

// planCall says what to do about a call of unknown outcome. ready: the call is over, and the message goes on
// without it.
//
// An edit may still land until its deadline, so the next one waits for that. A post is looked for: it is repeated
// only after two look-ups, 5 s and 60 s after its deadline, have not found it, or one after 10 s where the chat system
// itself said that it posted nothing: it may be wrong, and it shows new messages late.
func planCall(p deployment.MessagePart, now time.Time) (s Step, ready bool) {
	c := *p.Call
	if c.Edit {
		if now.Before(c.Deadline) && !c.Refused {
			return wait(c.Deadline), false
		}
		return s, true
	}

	needed := 2
	if c.Refused {
		needed = 1
	}
	if c.Absent >= needed {
		return s, true
	}

	first := c.Deadline.Add(findFirst)
	if !c.Returned.IsZero() {
		first = soonest(first, c.Returned.Add(findFirst))
	}
	if c.Refused {
		first = c.Returned.Add(findRefused)
	}
	if now.Before(first) {
		return wait(first), false
	}
	return Step{Do: DoFind, About: p.About}, false
}

// Plan says what to do next for a message about a deployment, or for a single note. It is pure.
func Plan(m deployment.Message, f Facts, now time.Time) Step {
	if s, ready := Ready(m, f.Deployment, now); !ready {
		s.Rank = rankOf(m, f)
		return s
	}

	var s Step
	switch m.Kind {
	case deployment.MessageNote:
		s = planNote(m)
	case deployment.MessagePosts:
		s = planPosts(m, f, now)
	case deployment.MessageList:
		s = planList(m, f, now)
	default:
		s = planCard(m, f, now)
	}

	if s.Do == DoPost {
		if p := partOf(m, s.About); p != nil && p.Posts >= maxPosts {
			return giveUp("it may have been posted twice already")
		}
	}
	if s.Do == DoPost || s.Do == DoEdit {
		s = limitCalls(m, f, s)
	}
	if s.Rank != deployment.RankTidy {
		s.Rank = rankOf(m, f)
	}
	return s
}

// limitCalls keeps the calls of a message within their bounds. The last ones are kept for the end. A list may take as
// many as the cards would that it stands for.
func limitCalls(m deployment.Message, f Facts, s Step) Step {
	most, last := maxCallsBefore, false
	switch {
	case m.Kind == deployment.MessageList:
		most, last = maxCalls*len(f.Listed), true
	case m.Row == 0 || !f.Deployment.State.Open() && s.Rank != deployment.RankTidy:
		most, last = maxCalls, true
	}

	switch {
	case m.Calls < most:
		return s
	case s.Rank == deployment.RankTidy:
		return Step{Do: DoFinish}
	case last:
		return giveUp("too many calls were made for it")
	default:
		return wait(time.Time{})
	}
}

func rankOf(m deployment.Message, f Facts) deployment.MessageRank {
	switch {
	case m.Kind == deployment.MessageList:
		return deployment.RankEnd
	case m.Row == 0:
		return deployment.RankPeople
	}
	return Rank(f.Deployment)
}

func partOf(m deployment.Message, about string) *deployment.MessagePart {
	i := slices.IndexFunc(m.Parts, func(p deployment.MessagePart) bool { return p.About == about })
	if i < 0 {
		return nil
	}
	return &m.Parts[i]
}

// owes says whether a part was neither posted nor given up.
func owes(m deployment.Message, about string) bool {
	p := partOf(m, about)
	return p == nil || p.MessageID == "" && p.Gone == ""
}

func planNote(m deployment.Message) Step {
	if p := partOf(m, aboutNote); p != nil && p.Gone != "" {
		return giveUp(p.Gone)
	}
	if !owes(m, aboutNote) {
		return Step{Do: DoFinish}
	}

	var n Note
	if err := json.Unmarshal(m.Note, &n); err != nil {
		return giveUp("it cannot be read: " + err.Error())
	}
	return Step{Do: DoPost, About: aboutNote, Note: &n, Hash: digest(n)}
}

// isOld says whether a deployment ended so long ago that what was never said about it is only summed up.
func isOld(m deployment.Message, d deployment.Deployment, now time.Time) bool {
	return !isSaid(m, "") && !d.EndedAt.IsZero() && now.Sub(d.EndedAt) > oldAfter
}

// isSaid says whether any part but one was posted, or may have been.
func isSaid(m deployment.Message, but string) bool {
	return slices.ContainsFunc(m.Parts, func(p deployment.MessagePart) bool {
		return p.About != but && (p.MessageID != "" || p.Posts > 0)
	})
}

// quietUntil is when a state may be said; zero: when the deployment changes.
func quietUntil(f Facts, now time.Time) (at time.Time, ok bool) {
	d := f.Deployment
	switch {
	case !d.State.Open() || f.NeedsApproval() || d.State == deployment.Held:
		return at, true
	case d.State == deployment.Triggering:
		return at, false
	case d.State == deployment.Waiting && d.BlockedBy == "":
		at = d.AcceptedAt.Add(settleFor)
	default:
		at = d.AcceptedAt.Add(quietFor)
	}
	return at, !waitsFor(at, now)
}

func planPosts(m deployment.Message, f Facts, now time.Time) Step {
	d := f.Deployment
	about := string(d.State)
	done := func() Step {
		if !d.State.Open() && now.Sub(d.EndedAt) >= tidyAfter {
			return Step{Do: DoFinish}
		}
		return wait(time.Time{})
	}

	switch {
	case !wants(m.Settings, d.State) || !owes(m, about):
		return done()
	case isOld(m, d, now):
		return Step{Do: DoSummarize}
	}
	if at, ok := quietUntil(f, now); !ok {
		return wait(at)
	}
	if at := outputUntil(d); waitsFor(at, now) {
		return wait(at)
	}

	n := stateNote(f)
	if isSaid(m, about) {
		n.Lines = unmentioned(n.Lines)
	}
	if f.NeedsApproval() {
		n.Mention = m.Settings.Mention
	}
	return Step{Do: DoPost, About: about, Note: &n, Hash: digest(n)}
}

// outputUntil is how long what is said about a failure waits for the failing step; zero: no longer.
func outputUntil(d deployment.Deployment) time.Time {
	if !d.WantsFailure(d.EndedAt) {
		return time.Time{}
	}
	return d.EndedAt.Add(outputWait)
}
