package notify

import (
	"fmt"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// maxTitle is how long a title may be, in code points.
const maxTitle = 150

// maxText bounds what others wrote in one span, in code points.
const maxText = 300

// NewCard makes the card of a deployment. now says for how long something has been so; a card whose only change
// is that time goes on should not be sent again: see Hash.
func NewCard(f Facts, now time.Time) Card {
	d := f.Deployment
	return Card{
		Deployment: d.Request.ID,
		Row:        d.Row,
		Generation: Generation(f),
		State:      d.State,
		Title:      title(f),
		Summary:    summary(f),
		Facts:      facts(f),
		Lines:      lines(f, now),
		Buttons:    buttons(f),
	}
}

// WithoutButtons returns the card of a deployment that ended long ago: it keeps only what opens pages.
func (c Card) WithoutButtons() Card {
	var kept []Button
	for _, b := range c.Buttons {
		if b.Verb == VerbOpen {
			kept = append(kept, b)
		}
	}
	c.Buttons = kept
	return c
}

// title names the app, the environment and the state. Where it is too long, the names are cut.
func title(f Facts) string {
	state := ": " + phrase.StateWords(f.Deployment, f.deciding().Code)
	names := deployment.Readable(f.app() + " → " + f.Deployment.Request.Environment)
	return shorten(names, maxTitle-len([]rune(state))) + state
}

// summary is the title and who asked.
func summary(f Facts) string {
	text := title(f)
	if sha := f.Deployment.Request.SHA; sha != "" {
		text += ", " + phrase.ShortSHA(sha)
	}
	if by := f.Deployment.Request.Requester(); by != (deployment.Actor{}) {
		text += ", asked for by " + deployment.Readable(by.String())
	}
	return text
}

// facts are the labeled values of a card.
func facts(f Facts) []Fact {
	all := []Fact{{Label: "Commit", Value: f.commit()}}
	if by := f.askedBy(); by != nil {
		all = append(all, Fact{Label: "Asked by", Value: by})
	}
	if changes := f.changes(); changes != nil {
		all = append(all, Fact{Label: "Changes", Value: changes})
	}
	if times := f.times(); times != nil {
		all = append(all, *times)
	}
	return all
}

// commit is ref @ short commit.
func (f Facts) commit() Text {
	r := f.Deployment.Request
	sha := Span{Text: phrase.ShortSHA(r.SHA), Code: true}
	if url := f.commitURL(r.SHA); url != "" {
		sha = Span{Text: phrase.ShortSHA(r.SHA), URL: url}
	}

	var text Text
	if r.Ref != "" && !strings.EqualFold(r.Ref, r.SHA) {
		text = append(text, Span{Text: clip(r.Ref), Code: true})
		if r.SHA != "" {
			text = append(text, Span{Text: " @ "})
		}
	}
	if r.SHA != "" {
		text = append(text, sha)
	}
	return text
}

// askedBy is who asked, through what, and why.
func (f Facts) askedBy() Text {
	r := f.Deployment.Request
	by := r.Requester()
	if by == (deployment.Actor{}) {
		return nil
	}

	text := Text{Span{Text: clip(by.String()), Person: by.ID}}
	if r.Asked == nil {
		return text
	}
	if via := clip(deployment.FaceName(r.Asked.Via)); via != "" {
		text = append(text, Span{Text: " via " + via})
	}
	if reason := clip(r.Asked.Reason); reason != "" {
		text = append(text, Span{Text: ": " + reason})
	}
	return text
}

// changes says how the commit stands to the one that ran before it.
func (f Facts) changes() Text {
	sha := f.Deployment.Request.SHA
	if f.Before == nil || sha == "" || f.Deployment.Target.LockTask != "" {
		return nil
	}

	from := phrase.ShortSHA(f.Before.SHA)
	if strings.EqualFold(f.Before.SHA, sha) {
		return Plain("the same commit as before")
	}

	step := from + " → " + phrase.ShortSHA(sha)
	url := f.compareURL()
	if f.Ahead == nil {
		return Text{{Text: step, URL: url}}
	}
	return Text{{Text: phrase.Commits(f.Ahead.Ahead, f.Ahead.Behind), URL: url}, {Text: " (" + step + ")"}}
}

// times says when it started, or how long it took.
func (f Facts) times() *Fact {
	d := f.Deployment
	switch {
	case !d.EndedAt.IsZero() && !d.StartedAt.IsZero():
		return &Fact{Label: "Took", Value: Text{
			{Text: phrase.Duration(d.EndedAt.Sub(d.StartedAt)) + ", ended "},
			moment(d.EndedAt),
		}}
	case !d.EndedAt.IsZero():
		return &Fact{Label: "Ended", Value: Text{moment(d.EndedAt)}}
	case !d.StartedAt.IsZero():
		return &Fact{Label: "Started", Value: Text{moment(d.StartedAt)}}
	default:
		return &Fact{Label: "When", Value: Text{moment(d.AcceptedAt)}}
	}
}

// lines say why it waits and who can help, or what became of it.
func lines(f Facts, now time.Time) []Text {
	var all []Text
	add := func(text string) {
		if text = clip(text); text != "" {
			all = append(all, Plain(text))
		}
	}

	d := f.Deployment
	if d.Cancel != nil && d.State.Open() {
		add(phrase.BeingCanceled(d))
	}

	switch {
	case d.State == deployment.Waiting:
		all = append(all, waitingLines(f, now)...)
	case d.State == deployment.Unconfirmed:
		add("Seraph is checking whether CircleCI has started it.")
	case d.State == deployment.Held:
		add(phrase.HeldJobs(f.Held, f.Route.HoldApprovers))
	case d.State == deployment.Running && d.Pipeline != nil && d.Pipeline.Number != 0:
		add(fmt.Sprintf("It runs as pipeline %d.", d.Pipeline.Number))
	case !d.State.Open() && d.State != deployment.Succeeded:
		add(phrase.Sentence(phrase.UpperFirst(d.Reason)))
		add(f.failingStep())
		add(phrase.Remedy(f.deciding()))
	case d.State == deployment.Succeeded && d.Pipeline == nil:
		add(phrase.Sentence(phrase.UpperFirst(d.Reason)))
	}

	if len(f.Approvals) > 0 && d.State != deployment.Waiting {
		all = append(all, approvedLine(f.Approvals))
	}
	if d.Forced && d.Force != nil {
		add(fmt.Sprintf("Forced by %s: %s", d.Force.By, phrase.Sentence(d.Force.Reason)))
	}
	return all
}

// failingStep names the step at which it failed, where the route lets it be shown.
func (f Facts) failingStep() string {
	failure := f.Deployment.Failure
	if failure == nil || !f.Route.Logs {
		return ""
	}
	return phrase.FailingStep(*failure)
}

// waitingLines are one line for each rule that waits, in the words of explain, and the lock and the line with
// more than explain says.
func waitingLines(f Facts, now time.Time) []Text {
	d := f.Deployment
	if f.Verdict == nil || f.Verdict.Decision == policy.DecisionAllow {
		if d.BlockedBy == "" {
			return nil
		}
		return []Text{Plain("It waits for " + clip(phrase.Sentence(d.BlockedBy)))}
	}

	var all []Text
	for _, o := range f.Verdict.Outcomes {
		switch {
		case o.Decision != policy.DecisionWait:
			continue
		case o.Code == policy.CodeLocked && f.Lock != nil:
			all = append(all, lockLine(*f.Lock, o))
		case o.Code == policy.CodeInLine && f.Queue != nil:
			all = append(all, Plain(phrase.InLine(*f.Queue)))
		default:
			all = append(all, ruleLine(o, now))
		}
	}

	if len(f.Approvals) > 0 && f.NeedsApproval() {
		all = append(all, approvedLine(f.Approvals))
	}
	return all
}

// ruleLine says what a rule waits for, when that ends, and who can help. It names no command, because the card has
// buttons, and a line typed in a channel may not reach this service.
func ruleLine(o policy.Outcome, now time.Time) Text {
	text := Text{{Text: "It waits for " + clip(phrase.Sentence(o.Message))}}
	if o.Until.After(now) {
		text = append(text, Span{Text: " That ends by itself: "}, moment(o.Until), Span{Text: "."})
	}
	if help := clip(phrase.Remedy(o)); help != "" {
		text = append(text, Span{Text: " " + help})
	}
	return text
}

// lockLine says who has locked the environment, since when and why, and who can release it.
func lockLine(l policy.Lock, o policy.Outcome) Text {
	text := Text{
		{Text: clip(phrase.Scope(l)) + " is locked by "},
		{Text: clip(l.Owner.String()), Person: l.Owner.ID},
		{Text: " since "},
		moment(l.TakenAt),
	}
	if !l.ExpiresAt.IsZero() {
		text = append(text, Span{Text: " until "}, moment(l.ExpiresAt))
	}

	end := "."
	if reason := clip(phrase.Sentence(l.Reason)); reason != "" {
		end = ": " + reason
	}
	return append(text, Span{Text: strings.TrimSpace(end + " " + clip(phrase.Remedy(o)))})
}

func approvedLine(approvals []policy.Approval) Text {
	text := Plain("Approved by ")
	for i, a := range approvals {
		if i > 0 {
			text = append(text, Span{Text: ", "})
		}
		text = append(text, Span{Text: clip(a.By.String()), Person: a.By.ID})
	}
	return append(text, Span{Text: "."})
}

// moment is a time that each reader sees in their own zone.
func moment(t time.Time) Span {
	return Span{Text: t.UTC().Format("2006-01-02 15:04 UTC"), Time: t}
}

// clip makes one line of text that others wrote.
func clip(s string) string { return shorten(deployment.Readable(s), maxText) }
