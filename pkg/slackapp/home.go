package slackapp

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// Bounds of what is read for a home tab.
const (
	homeNewest    = 200 // deployments among which those of a person are looked for
	homeItems     = 5   // deployments of each list that are shown
	homeJudged    = 10  // waiting deployments, and held ones, that are looked at: each may ask GitHub or CircleCI
	homePage      = 200 // environments that are read at a time
	homeMostPages = 5
)

// homeLasts is how long a home tab that was opened is shown anew after its owner has done something.
const homeLasts = time.Hour

// home shows somebody their home tab. It has nothing that they may not see: whoever is no member is shown nothing,
// and whoever is not linked is shown how to be.
func (a *Actions) home(ctx context.Context, in slack.Incoming) error {
	c, r := a.people.caller(ctx, in, false)
	if r == nil && !a.limits.allow(c.By.ID, in.Key) {
		a.record(ctx, in, c, act{name: "home"}, refuseTooMany().code) // the tab shows what it has shown before
		return nil
	}
	if r == nil {
		a.opened.First(in.User)
		a.publishHome(ctx, in.User, c)
		return nil
	}

	view := slack.HomeInput{Now: a.o.Now(), Options: a.o.Render, Lines: []notify.Text{notify.Plain(r.text)}}
	if r.wantsLink {
		view.Lines = []notify.Text{notify.Plain("Seraph does not know yet who you are at GitHub."), howToLink()}
	} else {
		a.record(ctx, in, c, act{name: "home"}, r.code)
	}
	if err := a.o.Views.PublishHome(ctx, in.User, slack.HomeView(view)); err != nil {
		a.o.Log.Warn().Err(err).Msg("home tab not shown")
	}
	return nil
}

// republish shows somebody their home tab anew, if they have opened it lately.
func (a *Actions) republish(ctx context.Context, user string, c command.Caller) {
	if a.opened.Has(user) {
		a.publishHome(ctx, user, c)
	}
}

// publishHome shows somebody their home tab. That it could not be is only logged: they can open it again. One is made
// for a user at a time; what asks for another one meanwhile has it made once more afterwards.
func (a *Actions) publishHome(ctx context.Context, user string, c command.Caller) {
	if !a.shown.begin(user) {
		return
	}

	made := false
	defer func() {
		if !made { // it panicked
			a.shown.drop(user)
		}
	}()
	for again := true; again; again = a.shown.again(user) {
		a.publishHomeOnce(ctx, user, c)
	}
	made = true
}

func (a *Actions) publishHomeOnce(ctx context.Context, user string, c command.Caller) {
	view, err := a.homeOf(ctx, c)
	if err == nil {
		err = a.o.Views.PublishHome(ctx, user, slack.HomeView(view))
	}
	if err != nil {
		a.o.Log.Warn().Err(err).Msg("home tab not shown")
	}
}

// homeOf gathers what the home tab of somebody shows.
func (a *Actions) homeOf(ctx context.Context, c command.Caller) (slack.HomeInput, error) {
	view := slack.HomeInput{Login: c.By.Login, Now: a.o.Now(), Options: a.o.Render}
	newest, err := a.o.Deployments.List(ctx, deployment.Filter{Limit: homeNewest})
	if err != nil {
		return view, err
	}

	for _, d := range newest {
		if !d.Request.Requester().Same(c.By) {
			continue
		}
		if len(view.Asked) == homeItems {
			view.MoreAsked++
			continue
		}
		item, err := a.homeItem(ctx, d)
		if err != nil {
			return view, err
		}
		view.Asked = append(view.Asked, item)
	}

	if err := a.homeWaits(ctx, c, &view); err != nil {
		return view, err
	}
	locks, err := a.o.Locks.Locks(ctx)
	if err != nil {
		return view, err
	}
	for _, l := range locks {
		if l.Owner.Same(c.By) {
			view.Locks = append(view.Locks, a.homeLock(l))
		}
	}
	return view, a.homeMatrix(ctx, locks, &view)
}

// homeItem is one deployment of a list.
func (a *Actions) homeItem(ctx context.Context, d deployment.Deployment) (slack.HomeItem, error) {
	facts, err := a.o.Cards.Facts(ctx, d.Row)
	if err != nil {
		return slack.HomeItem{}, err
	}
	return a.itemOf(facts), nil
}

// itemOf shows a deployment with the buttons of its card.
func (a *Actions) itemOf(facts notify.Facts) slack.HomeItem {
	card := notify.NewCard(facts, a.o.Now())
	if d := facts.Deployment; !d.EndedAt.IsZero() && a.o.Now().Sub(d.EndedAt) >= buttonsLast {
		card = card.WithoutButtons()
	}
	item := slack.HomeItem{
		Row:        card.Row,
		Generation: card.Generation,
		State:      card.State,
		Title:      card.Title,
		Buttons:    card.Buttons,
	}
	if len(card.Facts) > 0 {
		item.Detail = card.Facts[0].Value
	}
	if len(card.Lines) > 0 {
		item.Detail = append(append(slices.Clone(item.Detail), notify.Span{Text: " · "}), card.Lines[0]...)
	}
	return item
}

// homeWaits lists what waits for somebody: the oldest waiting deployments that they may approve, and held ones of
// which they may approve the job. Only homeJudged of each are looked at; the rest is counted as left out, whoever it
// waits for.
func (a *Actions) homeWaits(ctx context.Context, c command.Caller, view *slack.HomeInput) error {
	for _, state := range []deployment.State{deployment.Waiting, deployment.Held} {
		list, err := a.o.Deployments.List(ctx, deployment.Filter{State: state, Limit: homeNewest})
		if err != nil {
			return err
		}

		slices.Reverse(list) // the one that waits for the longest first
		view.MoreWaits += max(0, len(list)-homeJudged)
		for _, d := range list[:min(len(list), homeJudged)] {
			facts, err := a.o.Cards.Facts(ctx, d.Row)
			if err != nil {
				return err
			}
			if state == deployment.Waiting && !facts.NeedsApproval() {
				continue
			}
			if a.waitsFor(ctx, c, state, facts) {
				view.Waits = append(view.Waits, a.itemOf(facts))
			}
		}
	}
	return nil
}

// waitsFor says whether somebody may approve what a deployment waits for, and has not.
func (a *Actions) waitsFor(ctx context.Context, c command.Caller, state deployment.State, facts notify.Facts) bool {
	var refusal policy.Refusal
	if state == deployment.Held {
		refusal = a.o.Approvers.HoldApprover(ctx, facts.Deployment, c.By)
	} else {
		_, refusal = a.o.Approvers.Approver(ctx, facts.Deployment, c.By)
	}
	return !refusal.Refused() && !a.hasApproved(ctx, facts, c.By)
}

// homeLock is one lock of the person.
func (a *Actions) homeLock(l policy.Lock) slack.HomeLock {
	detail := notify.Text{{Text: "since "}, {Time: l.TakenAt}}
	if !l.ExpiresAt.IsZero() {
		detail = append(detail, notify.Span{Text: ", until "}, notify.Span{Time: l.ExpiresAt})
	}
	if l.Reason != "" {
		detail = append(detail, notify.Span{Text: ": " + l.Reason})
	}
	return slack.HomeLock{Environment: phrase.Scope(l), Detail: detail}
}

// publications are the home tabs that are being made. They are safe for concurrent use.
type publications struct {
	mu   sync.Mutex
	busy map[string]bool // by user: whether the tab has to be made once more
}

func newPublications() *publications { return &publications{busy: map[string]bool{}} }

// begin says whether the tab of a user is to be made by the caller, who calls again or drop when it is made. False: it
// is being made, and will be once more.
func (p *publications) begin(user string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	_, busy := p.busy[user]
	p.busy[user] = busy
	return !busy
}

// again says whether the tab of a user has to be made once more. False: it is not being made any more.
func (p *publications) again(user string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	again := p.busy[user]
	p.busy[user] = false
	if !again {
		delete(p.busy, user)
	}
	return again
}

// drop forgets that the tab of a user is being made.
func (p *publications) drop(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, user)
}
