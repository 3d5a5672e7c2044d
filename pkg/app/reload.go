package app

import (
	"context"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// reloadTimeout bounds the look-up of the ids that the names in new routes have.
const reloadTimeout = 10 * time.Second

// ReloadRoutes reads the routes file again and uses its routes from now on, all of them at once. If
// anything is wrong with them, the former routes stay in use, and every problem is logged. It is called
// only after Start, and not by two goroutines at a time.
func (a *App) ReloadRoutes(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()

	table, err := a.readRoutes(ctx)
	if err != nil {
		a.metrics.RoutesRefused()
		a.logProblems(err)
		return
	}

	a.routes.Replace(table)
	a.pins.Forget()
	a.metrics.RoutesRead(now())
	a.log.Info().Str("file", a.cfg.RoutesFile).Int("routes", len(table.Routes())).Msg("routes read again")
}

// readRoutes returns the routes of the file. The ids of their names are known then.
func (a *App) readRoutes(ctx context.Context) (*route.Table, error) {
	table, err := a.cfg.ReadRoutes()
	if err != nil {
		return nil, err
	}
	if err := a.pins.Load(ctx, table.PinnedNames()); err != nil {
		return nil, err
	}
	return table, nil
}

// logProblems logs each thing that is wrong with routes in a line of its own, and what that means.
func (a *App) logProblems(err error) {
	problems := config.Problems{err.Error()}
	if several, ok := errors.AsType[config.Problems](err); ok {
		problems = several
	}

	for _, p := range problems {
		a.log.Error().Str("problem", p).Msg("routes refused")
	}
	a.log.Error().Int("problems", len(problems)).Msg("routes not read again: the former ones stay in use")
}
