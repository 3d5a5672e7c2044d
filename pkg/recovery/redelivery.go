package recovery

import (
	"context"
	"encoding/json"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// Hooks reads the webhooks at GitHub that send to this service. Every call has a timeout of its own;
// none retries.
type Hooks interface {
	Hooks(ctx context.Context, of deployment.Repository, addresses []string) ([]webhook.Hook, error)
	// Deliveries returns one page, newest first; next is empty on the last one.
	Deliveries(
		ctx context.Context,
		hook webhook.Hook,
		cursor string,
	) (page []webhook.HookDelivery, next string, err error)
	Redeliver(ctx context.Context, hook webhook.Hook, id int64) error
}

// Bounds of one round.
const (
	pagesPerHook  = 20 // of 100 deliveries
	mostRedeliver = 50 // deliveries that GitHub is asked to repeat
	hooksFor      = 24 * time.Hour
)

// redelivery is the state of the loop that has failed deliveries repeated.
type redelivery struct {
	due   time.Time             // next round
	hooks map[string]foundHooks // by repository
}

// foundHooks are a repository's hooks, until they are looked for again.
type foundHooks struct {
	hooks []webhook.Hook
	until time.Time
}

// redeliverFailed asks GitHub to repeat deliveries that failed. A repeated delivery arrives as an
// ordinary webhook. A request that GitHub does not take is not made again by later rounds, unless
// they read the same part of the list once more.
func (r *Recovery) redeliverFailed(ctx context.Context) {
	if !r.Redeliver {
		return
	}

	r.noteRedelivered(ctx)
	if r.Now().Before(r.redelivery.due) {
		return
	}

	r.redelivery.due = r.Now().Add(roundEvery)
	left := mostRedeliver
	for _, hook := range r.knownHooks(ctx) {
		if ctx.Err() != nil || left <= 0 {
			return
		}

		if err := r.readHook(ctx, hook, &left); err != nil && ctx.Err() == nil {
			r.Log.Warn().Err(err).Str("hook", string(hook)).Msg("hook deliveries not read")
		}
	}
}

// noteRedelivered logs and counts deployments that came in because a delivery was repeated. Two
// replicas may both count one.
func (r *Recovery) noteRedelivered(ctx context.Context) {
	list, err := r.Store.Redelivered(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Warn().Err(err).Dur("retry_in", checkEvery).Msg("redelivered deployments not read")
		}

		return
	}

	for _, d := range list {
		r.Log.Warn().
			Fields(d.LogFields()).
			Str("source", deployment.SourceRedelivery).
			Msg("deployment recovered")
		r.observe(deployment.SourceRedelivery)
	}
}

// knownHooks returns the hooks that send to this service. Each repository's are looked for once a
// day.
func (r *Recovery) knownHooks(ctx context.Context) []webhook.Hook {
	sources, err := r.sources(ctx)
	if err != nil {
		r.Log.Warn().Err(err).Dur("retry_in", roundEvery).Msg("repositories to recover not read")
		return nil
	}
	if len(sources) == 0 {
		sources = []deployment.Source{{}} // the hook of a GitHub App belongs to no repository
	}

	now := r.Now()
	seen := map[webhook.Hook]bool{}
	var all []webhook.Hook
	for _, s := range sources {
		name := s.Repository.FullName()
		found := r.redelivery.hooks[name]
		if now.After(found.until) {
			found.hooks, err = r.Hooks.Hooks(ctx, s.Repository, r.HookAddresses)
			if err != nil {
				r.Log.Warn().
					Err(err).
					Str("repository", name).
					Dur("retry_in", roundEvery).
					Msg("hooks not read")

				continue
			}

			found.until = now.Add(hooksFor)
			r.redelivery.hooks[name] = found
		}

		for _, h := range found.hooks {
			if !seen[h] {
				seen[h] = true
				all = append(all, h)
			}
		}
	}

	return all
}

// readHook reads a hook's deliveries from the newest back to what was read before, or goes on where
// the last round stopped. left is how many deliveries may still be asked for.
func (r *Recovery) readHook(ctx context.Context, hook webhook.Hook, left *int) error {
	lease := "redeliver " + string(hook)
	note, mine, err := r.acquireLease(ctx, lease)
	if err != nil {
		return err
	}
	if !mine {
		r.redelivery.due = r.Now().Add(time.Minute) // another replica is reading, or died while it was
		return nil
	}

	var from cursor
	if note != "" {
		_ = json.Unmarshal([]byte(note), &from) // from an unreadable note reading starts afresh
	}

	to, err := r.readPages(ctx, hook, lease, from, left)
	text, _ := json.Marshal(to) // cannot fail: it holds texts and times
	if released := r.releaseLease(ctx, lease, string(text)); err == nil {
		err = released
	}

	return err
}

// readPages reads on from a cursor and returns where the next round goes on.
func (r *Recovery) readPages(
	ctx context.Context,
	hook webhook.Hook,
	lease string,
	at cursor,
	left *int,
) (cursor, error) {
	for range pagesPerHook {
		r.renewLease(ctx, lease)
		page, next, err := r.Hooks.Deliveries(ctx, hook, at.Page)
		if err != nil {
			return cursor{Read: at.Read}, err // GitHub's cursor may have become invalid: start from the newest
		}

		after, failed, more := at.read(page, next, r.Now())
		for _, f := range failed {
			if *left <= 0 {
				return at, nil // this page again in the next round
			}
			if err := r.askAgain(ctx, hook, f, left); err != nil {
				return at, err
			}
		}

		at = after
		if !more {
			break
		}
	}

	return at, nil
}

// askAgain asks GitHub to repeat one delivery, if the store allows it. Its error is the store's;
// what GitHub does not take is logged, so that the other deliveries are asked for all the same.
func (r *Recovery) askAgain(ctx context.Context, hook webhook.Hook, f webhook.HookDelivery, left *int) error {
	ask, err := r.Store.Redeliver(ctx, f.GUID)
	if err != nil || !ask {
		return err
	}

	*left--
	log := r.Log.With().
		Str("delivery", f.GUID).
		Str("hook", string(hook)).
		Int("answer", f.Code).
		Time("sent", f.At).
		Logger()

	if err := r.Hooks.Redeliver(ctx, hook, f.ID); err != nil {
		log.Warn().Err(err).Msg("redelivery request failed")
		return nil
	}

	log.Warn().Msg("redelivery requested")
	return nil
}
