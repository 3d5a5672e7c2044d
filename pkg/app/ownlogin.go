package app

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// askAgain is the pause before GitHub is asked again for the login.
const askAgain = time.Minute

// ownLogin learns the login of Seraph's own App at GitHub, by which its deployments are recognized
// where an event does not name the App. It is learned in the background, because the service starts
// without GitHub too. A deployment that is ignored before it is known is found again by recovery.
type ownLogin struct {
	ask    func(context.Context) (string, error)
	log    zerolog.Logger
	login  atomic.Value // string
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// appSlug returns the slug of the App, or "" while it is not known.
func (o *ownLogin) appSlug() string {
	login, _ := o.login.Load().(string)
	slug, isApp := strings.CutSuffix(login, "[bot]")
	if !isApp {
		return ""
	}
	return slug
}

func (o *ownLogin) start() {
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel = cancel
	o.done.Go(func() { o.learn(ctx) })
}

func (o *ownLogin) stop(context.Context) {
	o.cancel()
	o.done.Wait()
}

// learn asks GitHub until it answers or ctx ends.
func (o *ownLogin) learn(ctx context.Context) {
	for {
		login, err := o.ask(ctx)
		if err == nil {
			o.login.Store(login)
			return
		}

		o.log.Warn().Err(err).Msg("login of GitHub App unknown")
		select {
		case <-ctx.Done():
			return
		case <-time.After(askAgain):
		}
	}
}
