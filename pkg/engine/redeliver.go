package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/recovery"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// Bounds of one round: pages of 100 deliveries per hook, and requests to deliver again.
const (
	redeliverPages = 20
	redeliverMost  = 50
)

// redeliver asks GitHub to make again what it could not deliver: it never does so by itself. What
// comes in takes the way of every webhook.
func (e *Engine) redeliver(ctx context.Context) {
	if !e.Redeliver {
		return
	}

	e.noteRedelivered(ctx)
	if e.Now().Before(e.redeliverDue) {
		return
	}

	e.redeliverDue = e.Now().Add(recoverEvery)
	left := redeliverMost
	for _, hook := range e.knownHooks(ctx) {
		if ctx.Err() != nil || left <= 0 {
			return
		}

		if err := e.redeliverFrom(ctx, hook, &left); err != nil && ctx.Err() == nil {
			e.Log.Warn().
				Err(err).
				Str("hook", string(hook)).
				Msg("recovery cannot read a hook's deliveries; trying again later")
		}
	}
}

// noteRedelivered tells what came in.
func (e *Engine) noteRedelivered(ctx context.Context) {
	list, err := e.Store.Redelivered(ctx)
	if err != nil {
		if ctx.Err() == nil {
			e.Log.Warn().Err(err).Msg("cannot read what was delivered again; trying again soon")
		}

		return
	}

	for _, d := range list {
		e.log(d, warn).Msg("recovered a deployment whose webhook had failed, by asking GitHub to deliver it again")
		if e.Observe.Recovered != nil {
			e.Observe.Recovered(deployment.SourceRedelivery)
		}
	}
}

// knownHooks are the hooks that send to us. They are looked for once a day in each repository.
func (e *Engine) knownHooks(ctx context.Context) []webhook.Hook {
	sources, err := e.sources(ctx)
	if err != nil {
		e.Log.Warn().Err(err).Msg("recovery cannot read whose hooks to look for; trying again later")
		return nil
	}
	if len(sources) == 0 {
		sources = []deployment.Source{{}} // a GitHub App has its hook without any
	}

	now, seen := e.Now(), map[webhook.Hook]bool{}
	var all []webhook.Hook
	for _, s := range sources {
		found := e.hooks[s.Repository.FullName()]
		if now.After(found.until) {
			if found.hooks, err = e.GitHub.Hooks(ctx, s.Repository, e.HookAddresses); err != nil {
				e.Log.Warn().
					Err(err).
					Str("repository", s.Repository.FullName()).
					Msg("recovery cannot look for hooks; trying again later")

				continue
			}

			found.until = now.Add(24 * time.Hour)
			e.hooks[s.Repository.FullName()] = found
		}

		for _, h := range found.hooks {
			if !seen[h] {
				seen[h], all = true, append(all, h)
			}
		}
	}

	return all
}

// foundHooks are a repository's hooks, until they are looked for again.
type foundHooks struct {
	hooks []webhook.Hook
	until time.Time
}

// redeliverFrom walks a hook's deliveries from the newest back to what was read before, or goes on
// where the last round stopped.
func (e *Engine) redeliverFrom(ctx context.Context, hook webhook.Hook, left *int) error {
	duty := "redeliver " + string(hook)
	note, mine, err := e.acquireLease(ctx, duty)
	if err == nil && !mine { // another replica is at it, or died at it
		e.redeliverDue = e.Now().Add(time.Minute)
	}
	if err != nil || !mine {
		return err
	}

	var walk recovery.Walk
	if note != "" {
		_ = json.Unmarshal([]byte(note), &walk) // one that cannot be read starts anew
	}

	walk, err = e.walk(ctx, hook, duty, walk, left)
	text, _ := json.Marshal(walk) // it holds nothing that cannot be written
	if done := e.Store.ReleaseLease(context.WithoutCancel(ctx), duty, string(text)); err == nil {
		err = done
	}

	return err
}

func (e *Engine) walk(
	ctx context.Context,
	hook webhook.Hook,
	duty string,
	walk recovery.Walk,
	left *int,
) (recovery.Walk, error) {
	for range redeliverPages {
		e.renewLease(ctx, duty)
		page, next, err := e.GitHub.Deliveries(ctx, hook, walk.Cursor)
		if err != nil {
			return recovery.Walk{Read: walk.Read}, err // a cursor may have lost its meaning
		}

		after, failed, more := walk.Page(page, next, e.Now())
		for _, f := range failed {
			if *left <= 0 {
				return walk, nil // this page again in the next round
			}
			if err := e.askAgain(ctx, hook, f, left); err != nil {
				return walk, err
			}
		}

		if walk = after; !more {
			break
		}
	}

	return walk, nil
}

func (e *Engine) askAgain(ctx context.Context, hook webhook.Hook, f webhook.HookDelivery, left *int) error {
	ask, err := e.Store.Redeliver(ctx, f.GUID)
	if err != nil || !ask {
		return err
	}

	*left--
	log := e.Log.With().
		Str("delivery", f.GUID).
		Str("hook", string(hook)).
		Int("answer", f.Code).
		Time("sent", f.At).
		Logger()

	if err := e.GitHub.Redeliver(ctx, hook, f.ID); err != nil {
		log.Warn().Err(err).Msg("GitHub does not deliver a deployment again; trying again later")
		return nil // the others may do
	}

	log.Warn().Msg("asked GitHub to deliver a deployment again")
	return nil
}
