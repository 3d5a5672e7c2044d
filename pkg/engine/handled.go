package engine

import (
	"context"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// When GitHub's statuses are read before a trigger.
const (
	checkAfter     = 10 * time.Minute // a row that was accepted this long ago, and again after this long
	lateAcceptance = time.Minute      // a deployment that was this old when it was accepted
	githubSlack    = 2 * time.Second  // GitHub's times have whole seconds, and its clock may be ahead of ours
)

// checkNotHandled keeps a deployment from running twice where the database may know less than GitHub
// does: if it was created before this process started or the database was lost, because a backup or a
// standby that lacks the last commits may have taken over, if it arrived late or does not say when it was
// created, and if it has waited long. It returns an event if the deployment must not be triggered
// now: GitHub has a status that no report explains, or the statuses could not be read.
func (e *Engine) checkNotHandled(ctx context.Context, d deployment.Deployment) deployment.Event {
	e.checkDatabase(ctx)
	now := e.Now()
	since, checked := e.trust.handledSince(d.Row)
	recent := !checked.After(now) && now.Sub(checked) < checkAfter
	if recent || !mayBeHandled(d, since, now) {
		return nil
	}

	statuses, err := e.GitHub.Statuses(ctx, d.Request)
	if err != nil {
		return e.waitForGitHub(d, "the statuses", err)
	}

	reports, err := e.Deployments.Reports(ctx, d.Row)
	if err != nil {
		return deployment.Blocked{By: "the database to answer", First: true, After: githubPause}
	}

	if unknown := deployment.UnknownStatuses(statuses, reports); len(unknown) > 0 {
		return deployment.Fail{Reason: deployment.AlreadyHandled(unknown[0])}
	}

	e.trust.setHandled(d.Row, now)
	return nil
}

// mayBeHandled says whether GitHub may know more of a deployment than the database. The database is known
// to be complete from since on. A deployment that does not say when it was created does not count as young.
func mayBeHandled(d deployment.Deployment, since, now time.Time) bool {
	created := d.Request.CreatedAt
	return created.Before(since.Add(githubSlack)) || d.AcceptedAt.Before(since) ||
		d.AcceptedAt.Sub(created) > lateAcceptance || now.Sub(d.AcceptedAt) >= checkAfter
}
