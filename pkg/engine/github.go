package engine

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// GitHub reads what GitHub shows of a deployment. A call has a timeout of its own and is not retried.
type GitHub interface {
	Statuses(ctx context.Context, of deployment.Request) ([]deployment.Status, error)
	// Deployment returns policy.ErrMissing if GitHub shows the repository without the deployment.
	Deployment(ctx context.Context, of deployment.Request) (deployment.Request, error)
	// Heads reads the commits of what a ref may be; of a bare name the tag only if both is set or the
	// branch is not at the commit of the request. *deployment.RefsHiddenError: the credentials may
	// read no ref.
	Heads(ctx context.Context, of deployment.Request, ref deployment.Ref, both bool) (deployment.Heads, error)
}

const (
	githubPause   = 15 * time.Second // before the next try when GitHub does not answer
	githubGivesUp = 24 * time.Hour   // after acceptance; a deployment does not wait longer for GitHub
	taskGivesUp   = 15 * time.Minute // the same for a lock task, for which later deployments wait
	showLimit     = time.Minute      // after acceptance; GitHub may not show a new deployment everywhere at once
	showPause     = 5 * time.Second  // between two looks for a new deployment
)

// waitForGitHub is the event of a deployment about which GitHub did not answer.
func (e *Engine) waitForGitHub(d deployment.Deployment, what string, err error) deployment.Event {
	limit := githubGivesUp
	if d.Target.LockTask != "" {
		limit = taskGivesUp
	}

	if e.Now().Sub(d.AcceptedAt) > limit {
		cause, detail := deployment.PublicCause("GitHub", err)
		if detail != "" {
			e.Log.Info().Int64("deployment", d.Request.ID).Err(err).Msg("reading from GitHub given up")
		}
		return deployment.Fail{Reason: what + " could not be read at GitHub before the trigger: " + cause}
	}

	by := "GitHub to answer"
	var hidden *deployment.RefsHiddenError
	if errors.As(err, &hidden) {
		by = "the permission contents: read, without which GitHub does not let Seraph read refs"
	}

	return deployment.Blocked{By: by, First: true, After: githubPause}
}

// compareEvent compares a deployment with what GitHub shows of it, once. Its event was signed with the
// webhook secret, but whoever knows that secret can write what they like into an event. What was read at
// GitHub in the first place need not be compared. saved says that the deployment must not go on, and that
// is saved.
func (e *Engine) compareEvent(ctx context.Context, d deployment.Deployment) (saved bool, err error) {
	if d.Request.ReadAtGitHub || e.trust.isCompared(d.Request) {
		return false, nil
	}

	shown, err := e.GitHub.Deployment(ctx, d.Request)
	missing := errors.Is(err, policy.ErrMissing)
	switch {
	case missing && e.Now().Sub(d.AcceptedAt) < showLimit:
		blocked := deployment.Blocked{By: "GitHub to show the deployment", First: true, After: showPause}
		return true, e.applyAndSave(ctx, d, blocked)
	case missing:
		return true, e.disown(ctx, d, policy.CompareEvent(d.Request, nil), nil)
	case err != nil:
		return true, e.applyAndSave(ctx, d, e.waitForGitHub(d, "the deployment", err))
	}

	if verdict := policy.CompareEvent(d.Request, &shown); verdict.Decision != policy.DecisionAllow {
		return true, e.disown(ctx, d, verdict, &shown)
	}
	if d.Problem != "" && !shown.CreatedAt.Equal(d.Request.CreatedAt) { // its age, which may be the problem, is made up
		return true, e.disown(ctx, d, policy.CompareEvent(d.Request, nil), &shown)
	}
	if late := e.Machine.ArrivedTooLate(shown.CreatedAt, d.AcceptedAt); late != "" {
		return true, e.applyAndSave(ctx, d, deployment.Fail{Reason: late})
	}

	e.trust.setCompared(d.Request, e.Now())
	return false, nil
}

// disown rejects a deployment whose event GitHub does not confirm, and gives its id up, so that the deployment that
// has the id at GitHub is neither taken for a duplicate nor gets the status of a forged one. If GitHub shows it,
// it is taken in at once; if that fails, recovery finds it in GitHub's list.
func (e *Engine) disown(
	ctx context.Context,
	d deployment.Deployment,
	v policy.Verdict,
	shown *deployment.Request,
) error {
	if len(d.Attempts) > 0 {
		return e.reject(ctx, d, v)
	}

	options := commitOptions{audit: []deployment.AuditEvent{e.decided(d, v)}}
	if _, err := e.commit(ctx, d, options, deployment.Disown{Reason: v.Deciding().Message}); err != nil {
		return err
	}
	if shown == nil || e.Readmit == nil {
		return nil
	}

	if err := e.Readmit(ctx, *shown); err != nil {
		e.log(d, zerolog.WarnLevel).Err(err).Msg("deployment that GitHub shows not taken in")
	}

	return nil
}

// resolveRef looks at GitHub for what is to be built. It returns an event if the deployment must not be
// triggered now. Nothing is asked where neither the kind of the ref nor its commit is in question. A
// deployment without rules does not depend on GitHub's answer: CircleCI is then asked for a branch of
// the name, and for a tag.
func (e *Engine) resolveRef(
	ctx context.Context,
	d deployment.Deployment,
	hasRules bool,
) (deployment.RefResolved, deployment.Event) {
	var resolved deployment.RefResolved
	target, sha := d.Target, d.Request.SHA

	if target.MustBeResolved(hasRules) {
		heads, err := e.GitHub.Heads(ctx, d.Request, target.Ref, hasRules)
		if err != nil && hasRules {
			return resolved, e.waitForGitHub(d, "the ref", err)
		}
		if err != nil {
			return resolved, nil
		}

		ref, problem := deployment.ResolveRef(target.Ref, sha, heads, target.MustBeAtSHA(hasRules))
		if problem != "" {
			return resolved, deployment.Fail{Reason: problem}
		}

		resolved.Ref = ref
	}

	if !target.ConfigMustBeAtSHA(hasRules) || target.ConfigRef == resolved.Ref && target.MustBeAtSHA(hasRules) {
		return resolved, nil
	}

	heads, err := e.GitHub.Heads(ctx, d.Request, target.ConfigRef, true)
	if err != nil {
		return resolved, e.waitForGitHub(d, "the ref of the configuration", err)
	}
	if _, problem := deployment.ResolveRef(target.ConfigRef, sha, heads, true); problem != "" {
		return resolved, deployment.Fail{Reason: "configuration: " + problem}
	}

	return resolved, nil
}
