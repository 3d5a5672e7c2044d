package app

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/github"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// slugRetry is how long the look-up of the App's slug pauses after an error.
const slugRetry = time.Minute

// identifier asks GitHub whose credentials this service has.
type identifier interface {
	Identity(ctx context.Context) (github.Identity, error)
}

// ownApp asks GitHub for the slug of our own App, by which its deployments are known where an event
// does not name the App that made it.
type ownApp struct {
	app    route.OwnApp
	github identifier
	log    zerolog.Logger
}

// learnSlug asks until GitHub answers or ctx ends. Without an App there is nothing to ask.
func (o *ownApp) learnSlug(ctx context.Context) {
	if o.app.ID == 0 {
		return
	}

	for {
		identity, err := o.github.Identity(ctx)
		if err != nil {
			o.log.Warn().Err(err).Dur("retry_in", slugRetry).Msg("own App not read")

			select {
			case <-ctx.Done():
				return
			case <-time.After(slugRetry):
			}

			continue
		}

		o.app.SetSlug(identity.AppSlug)
		return
	}
}
