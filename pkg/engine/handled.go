package engine

import (
	"context"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// GitHub reads statuses. A call has a timeout of its own and is not retried.
type GitHub interface {
	Statuses(ctx context.Context, of deployment.Request) ([]deployment.Status, error)
}

// When GitHub's statuses are read before a trigger.
const (
	checkAfter   = 10 * time.Minute // a row that was accepted this long ago, and again after this long
	lateArrival  = time.Minute      // a deployment that was this old when it was accepted
	githubSlack  = 2 * time.Second  // GitHub's times have whole seconds, and its clock may be ahead of ours
	checkPause   = 15 * time.Second // before the next try when GitHub does not answer
	checkGivesUp = 24 * time.Hour   // after acceptance; a deployment does not wait longer for the statuses
)

// checkNotHandled keeps a deployment from running twice where the database may know less than GitHub
// does: if it was created before this process started, because a backup may have been restored, and
// if it arrived late or has waited long. It returns an event if the deployment must not be triggered
// now: GitHub has a status that no report explains, or the statuses could not be read.
func (e *Engine) checkNotHandled(ctx context.Context, d deployment.Deployment) deployment.Event {
	now := e.Now()
	if at, ok := e.verified.Load(d.Row); ok && now.Sub(at.(time.Time)) < checkAfter {
		return nil
	}

	created := d.Request.CreatedAt
	late := !created.IsZero() &&
		(d.AcceptedAt.Sub(created) > lateArrival || created.Before(e.startedAt.Add(githubSlack)))
	if !d.AcceptedAt.Before(e.startedAt) && now.Sub(d.AcceptedAt) < checkAfter && !late {
		return nil
	}

	statuses, err := e.GitHub.Statuses(ctx, d.Request)
	if err != nil {
		if now.Sub(d.AcceptedAt) > checkGivesUp {
			return deployment.Fail{Reason: "GitHub's statuses could not be read before the trigger: " + err.Error()}
		}

		return deployment.Blocked{By: "GitHub to answer", First: true, After: checkPause}
	}

	reports, err := e.Deployments.Reports(ctx, d.Row)
	if err != nil {
		return deployment.Blocked{By: "the database to answer", First: true, After: checkPause}
	}

	if unknown := deployment.UnknownStatuses(statuses, reports); len(unknown) > 0 {
		return deployment.Fail{Reason: deployment.AlreadyHandled(unknown[0])}
	}

	e.verified.Store(d.Row, now)
	return nil
}
