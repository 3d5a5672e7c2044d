package recovery

import (
	"context"
	"encoding/json"
	"errors"
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
// ordinary webhook. A request that GitHub fails is made again by the next rounds, as long as GitHub
// can repeat the delivery.
func (r *Recovery) redeliverFailed(ctx context.Context) {
	if !r.Redeliver {
		return
	}

	r.noteRedelivered(ctx)
	// The next round is never further away. If it seems so, the clock was set back.
	if wait := r.redelivery.due.Sub(r.Now()); wait > 0 && wait <= roundEvery {
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

// noteRedelivered logs and counts deployments that came in because a delivery was repeated.
func (r *Recovery) noteRedelivered(ctx context.Context) {
	list, err := r.Store.Redelivered(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Warn().Err(err).Dur("retry_in", checkEvery).Msg("redelivered deployments not read")
		}

		return
	}

	for _, d := range list {
		r.observe(deployment.SourceRedelivery)
		r.Log.Warn().
			Fields(d.LogFields()).
			Str("source", deployment.SourceRedelivery).
			Msg("deployment recovered")
	}
}

// knownHooks returns the hooks that send to this service. Each repository's are looked for once a
// day.
func (r *Recovery) knownHooks(ctx context.Context) []webhook.Hook {
	sources, err := r.sources(ctx)
	if err != nil {
		r.Log.Warn().Err(err).Dur("retry_in", checkEvery).Msg("repositories to recover not read")
		r.redelivery.due = time.Time{}
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
			found = r.findHooks(ctx, s.Repository)
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

// findHooks asks GitHub for a repository's hooks. After a failure there are none until the next round.
func (r *Recovery) findHooks(ctx context.Context, repository deployment.Repository) foundHooks {
	hooks, err := r.Hooks.Hooks(ctx, repository, r.HookAddresses)
	if err != nil {
		r.Log.Warn().
			Err(err).
			Str("repository", repository.FullName()).
			Dur("retry_in", roundEvery).
			Msg("hooks not read")

		return foundHooks{until: r.Now().Add(roundEvery - time.Second)}
	}

	return foundHooks{hooks: hooks, until: r.Now().Add(hooksFor)}
}

// readHook reads a hook's deliveries from the newest back to what was read before, or goes on where
// the last round stopped. left is how many deliveries may still be asked for.
func (r *Recovery) readHook(ctx context.Context, hook webhook.Hook, left *int) error {
	began := r.Now()
	lease, mine, err := r.acquireLease(ctx, "redeliver "+string(hook))
	if err != nil {
		r.redelivery.due = r.Now().Add(roundRetry)
		return err
	}
	if !mine {
		// Another replica has read it, is reading, or died while it was.
		r.redelivery.due = r.Now().Add(roundRetry)
		return nil
	}

	var from cursor
	if lease.Note != "" {
		_ = json.Unmarshal([]byte(lease.Note), &from) // from an unreadable note reading starts afresh
	}

	next := began.Add(roundEvery)
	to, err := r.readOn(ctx, hook, &lease, from, left)
	if err != nil {
		next = began.Add(roundRetry)
		r.redelivery.due = next
	}

	text, _ := json.Marshal(to) // cannot fail: it holds texts, numbers and times
	lease.Note = string(text)
	if released := r.releaseLease(ctx, lease, next); err == nil {
		err = released
	}

	return err
}

// readOn asks once more for what GitHub failed to take, reads on from a cursor, and returns where the
// next round goes on. At most half of the requests are for what failed before, so that the rest is for other
// deliveries and hooks.
func (r *Recovery) readOn(
	ctx context.Context,
	hook webhook.Hook,
	lease *deployment.Lease,
	from cursor,
	left *int,
) (cursor, error) {
	at, again := from.takeRefused(r.Now())
	tries := min(len(again), (*left+1)/2)
	for _, later := range again[tries:] {
		at = at.refuse(later) // first in the next round
	}

	for _, d := range again[:tries] {
		taken, err := r.askAgain(ctx, hook, d, left)
		if err != nil {
			return from, err
		}
		if !taken {
			at = at.refuse(d)
		}
	}

	return r.readPages(ctx, hook, lease, at, left)
}

// readPages reads on from a cursor and returns where the next round goes on. While GitHub fails to
// take many requests the reading stands still.
func (r *Recovery) readPages(
	ctx context.Context,
	hook webhook.Hook,
	lease *deployment.Lease,
	at cursor,
	left *int,
) (cursor, error) {
	for range pagesPerHook {
		if len(at.Refused) >= mostRedeliver {
			break
		}

		r.renewLease(ctx, lease)
		page, next, err := r.Hooks.Deliveries(ctx, hook, at.Page)
		if err != nil {
			// GitHub's cursor may have become invalid: start from the newest.
			return cursor{Read: at.Read, Refused: at.Refused}, err
		}

		after, failed, more := at.read(page, next, r.Now())
		for _, f := range failed {
			if at.hasRefused(f) {
				continue // asked for above
			}
			if *left <= 0 {
				at.Refused = after.Refused
				return at, nil // this page again in the next round
			}

			taken, err := r.askAgain(ctx, hook, f, left)
			if err != nil {
				return at, err
			}
			if !taken {
				after = after.refuse(f)
			}
		}

		at = after
		if !more {
			break
		}
	}

	return at, nil
}

// askAgain asks GitHub to repeat one delivery, if the store allows it. The try is counted once GitHub
// has taken the request, or refused it because of the delivery. taken is false if GitHub did not take it; the
// error is the store's.
func (r *Recovery) askAgain(
	ctx context.Context,
	hook webhook.Hook,
	d webhook.HookDelivery,
	left *int,
) (taken bool, err error) {
	ask, err := r.Store.MayRedeliver(ctx, d.GUID)
	if err != nil || !ask {
		return true, err
	}

	*left--
	log := r.Log.With().
		Str("delivery", d.GUID).
		Str("hook", string(hook)).
		Int("answer", d.Code).
		Time("sent", d.At).
		Logger()

	if err := r.Hooks.Redeliver(ctx, hook, d.ID); err != nil {
		log.Warn().Err(err).Dur("retry_in", roundEvery).Msg("redelivery request failed")
		if !errors.Is(err, webhook.ErrRedeliveryRefused) {
			return false, nil
		}

		return false, r.Store.CountRedelivery(context.WithoutCancel(ctx), d.GUID)
	}

	log.Warn().Msg("redelivery requested")
	return true, r.Store.CountRedelivery(context.WithoutCancel(ctx), d.GUID)
}
