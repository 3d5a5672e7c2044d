package slackapp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// maxCreateTries is how often the same button may ask GitHub for a deployment that could not be created.
const maxCreateTries = 5

// create has a deployment created for a button: the same one again, or a rollback. However many people press it, one
// is created; the others learn who asked.
func (a *Actions) create(
	ctx context.Context,
	in slack.Incoming,
	c command.Caller,
	p press,
	facts notify.Facts,
) (string, error) {
	d := facts.Deployment
	key, before, err := a.createKey(ctx, c, p, d)
	if err != nil {
		return "", err
	}
	if before != nil && !before.Intent.By.Same(c.By) {
		return askedBefore(*before, a.o.Now()), nil
	}

	var done command.Ordered
	origin := command.Origin{Key: key, Via: face, Place: in.Channel}
	what := phrase.What(d.Request)
	if p.verb == notify.VerbRollback {
		what = "an earlier commit of " + d.Request.Repository.FullName() + " to " + d.Request.Environment
		done, err = a.o.Orders.Rollback(ctx, c, rollbackOf(facts, p, origin))
	} else {
		order := command.AgainOrder{Deployment: d.Request.ID, Reason: p.reason, Origin: origin}
		done, err = a.o.Orders.Again(ctx, c, order)
	}
	return a.created(ctx, in, c, p, facts, done, what, err)
}

// created says what became of an order.
func (a *Actions) created(
	ctx context.Context,
	in slack.Incoming,
	c command.Caller,
	p press,
	facts notify.Facts,
	done command.Ordered,
	what string,
	err error,
) (string, error) {
	if code, ok := isRefusal(err); ok {
		a.record(ctx, in, c, act{name: string(p.verb), deployment: facts.Deployment}, code)
	}

	var refused *command.Error
	switch {
	case errors.As(err, &refused) && refused.Code == "key_reused":
		// Somebody else pressed at the same moment.
		_, before, err := a.createKey(ctx, c, p, facts.Deployment)
		if err != nil || before == nil {
			return "", errors.Join(err, refused)
		}
		return askedBefore(*before, a.o.Now()), nil

	case errors.As(err, &refused) && refused.Verdict != nil:
		return phrase.Refused(what, *refused.Verdict, a.o.Now()), nil
	case errors.As(err, &refused):
		return phrase.NotDone(refused.Message, ""), nil
	case err != nil:
		return "", err
	case done.Deployment == nil:
		return prefix(in).Pending(what, "status"), nil
	}

	var verdict policy.Verdict
	if done.Verdict != nil {
		verdict = *done.Verdict
	}
	a.refresh(ctx, done.Deployment.Row)
	return prefix(in).Created(*done.Deployment, verdict, a.o.Now()), nil
}

// createKey returns the key of what a button asks for, and what was asked for with it before; nil: nothing was. The
// key is the same for everybody who presses the button. What GitHub did not create may be asked for again.
func (a *Actions) createKey(
	ctx context.Context,
	c command.Caller,
	p press,
	d deployment.Deployment,
) (string, *command.Ordered, error) {
	base := fmt.Sprintf("%s:%d:%s", p.verb, d.Request.ID, p.generation)
	key := base
	for try := 2; ; try++ {
		before, err := a.o.Orders.Request(ctx, c, key)
		var refused *command.Error
		if errors.As(err, &refused) && refused.Kind == command.KindNotFound {
			return key, nil, nil
		}
		if err != nil {
			return "", nil, err
		}
		if before.Intent.State != deployment.IntentFailed || try > maxCreateTries {
			return key, &before, nil
		}
		key = fmt.Sprintf("%s:%d", base, try)
	}
}

// askedBefore says who has asked for what a button offers.
func askedBefore(before command.Ordered, now time.Time) string {
	text := fmt.Sprintf("%s has asked for that already, and nothing more was done.", before.Intent.By)
	if before.Deployment == nil {
		return text
	}
	return text + " " + phrase.Deployment(*before.Deployment, now)
}

// rollbackOf is the order of the rollback that the button has shown. It names both what ran there and what is deployed:
// if either is another one by then, the order is refused.
func rollbackOf(facts notify.Facts, p press, origin command.Origin) command.RollbackOrder {
	d := facts.Deployment
	order := command.RollbackOrder{
		Repository:  d.Request.Repository.FullName(),
		Environment: d.Request.Environment,
		Reason:      p.reason,
		Origin:      origin,
	}
	if facts.Back != nil {
		order.To = fmt.Sprintf("#%d", facts.Back.DeploymentID)
	}
	if facts.Current != nil {
		order.Current = facts.Current.DeploymentID
	}
	if d.State == deployment.Failed {
		order.Failed = d.Request.ID
	}
	return order
}
