// Package app creates and connects all objects of the service and runs them: New, Start, Stop. What
// is started first is stopped last, within one deadline for all of it.
//
// Two callbacks lead from a lower layer to higher ones: after a commit the store calls the engine's
// Enqueue for rows that became due, and the Announce of package events if a deployment has changed.
// Start connects them.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/engine"
	"github.com/seraph-deploy/seraph/pkg/events"
	"github.com/seraph-deploy/seraph/pkg/gate"
	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/recovery"
	"github.com/seraph-deploy/seraph/pkg/route"
	"github.com/seraph-deploy/seraph/pkg/server"
	"github.com/seraph-deploy/seraph/pkg/slackapp"
	"github.com/seraph-deploy/seraph/pkg/store"
	"github.com/seraph-deploy/seraph/pkg/telemetry"
)

// Build identifies the program.
type Build struct{ Version, Commit string }

// App is the service.
type App struct {
	cfg     *config.Config
	log     zerolog.Logger
	metrics *telemetry.Metrics

	db       *store.DB
	routes   *route.Live
	engine   *engine.Engine
	recovery *recovery.Recovery
	sources  *hookSources
	pins     *gate.Pins
	ownApp   *ownApp
	links    *link.Service
	actions  *slackapp.Actions // nil: Slack is off
	inbox    *slackInbox       // nil: nothing is taken from Slack
	notices  *slackapp.Notices // nil: none are sent
	events   *events.Hub
	notifier *notify.Worker // nil: there is no chat system
	server   *server.Server

	failed    chan error
	listeners []*http.Server
	cleanups  []func(context.Context) // are called in reverse order
}

// New opens the database, which includes to wait for its lock and to migrate it, and creates
// everything else. Nothing runs before Start. After an error nothing stays open.
func New(ctx context.Context, cfg *config.Config, build Build, log zerolog.Logger) (*App, error) {
	db, err := store.Open(ctx, store.Options{URL: cfg.DatabaseURL.Reveal(), Log: log, Now: now})
	if err != nil {
		return nil, err
	}

	a := &App{
		cfg:     cfg,
		log:     log,
		metrics: telemetry.New(build.Version, build.Commit),
		db:      db,
		failed:  make(chan error, 4),
	}
	a.onStop(func(context.Context) {
		if err := db.Close(); err != nil {
			log.Error().Err(err).Msg("close of database failed")
		}
	})

	if err := a.wire(); err != nil {
		a.Stop(ctx)
		return nil, err
	}

	return a, nil
}

// Start starts the workers, then the listeners. When it returns, webhooks are accepted. After an
// error everything is stopped.
func (a *App) Start(ctx context.Context) error {
	if err := a.pins.Load(ctx, a.cfg.Routes.PinnedNames()); err != nil {
		a.Stop(ctx)
		return err
	}

	a.metrics.RoutesRead(now())
	a.db.OnDue(a.engine.Enqueue)
	a.db.OnChange(a.announceChange)

	// Recovery and the look-ups at start are canceled before the engine stops and waited for
	// afterwards, so that the engine's steps have the whole deadline.
	recovering, stopRecovery := context.WithCancel(context.Background())
	var recovered sync.WaitGroup
	a.onStop(func(context.Context) { recovered.Wait() })

	a.engine.Start()
	a.onStop(a.engine.Stop)

	recovered.Go(func() { a.recovery.Run(recovering) })
	recovered.Go(func() { a.pins.Run(recovering) })
	recovered.Go(func() { a.ownApp.learnSlug(recovering) })
	recovered.Go(func() { a.links.Run(recovering) })
	if a.notifier != nil {
		recovered.Go(func() { a.notifier.Run(recovering) })
	}
	a.onStop(func(context.Context) { stopRecovery() })

	if a.inbox != nil {
		recovered.Go(func() { a.inbox.bot.learn(recovering) })
		recovered.Go(func() { a.notices.Run(recovering) })
		a.inbox.worker.Start()
		a.onStop(a.inbox.stop)
	}

	a.sources.start()
	a.onStop(a.sources.stop)

	if err := a.listenAll(); err != nil {
		a.Stop(ctx)
		return err
	}

	return nil
}

// announceChange is called after each commit that changed a deployment.
func (a *App) announceChange() {
	a.events.Announce()
	if a.notifier != nil {
		a.notifier.Announce()
	}
}

func (a *App) listenAll() error {
	if err := a.listen(a.cfg.Addr, a.server.Handler()); err != nil {
		return err
	}
	if a.cfg.MetricsAddr == "" {
		return nil
	}
	return a.listen(a.cfg.MetricsAddr, a.server.MetricsHandler())
}

func (a *App) listen(addr string, handler http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", addr, err)
	}

	a.serve(listener, handler)
	a.log.Info().Str("addr", listener.Addr().String()).Msg("listening")
	return nil
}

// serve answers the requests that come to a listener, until Stop.
func (a *App) serve(listener net.Listener, handler http.Handler) {
	s := server.HTTPServer(handler)
	a.listeners = append(a.listeners, s)
	go func() {
		if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("serve %s: %w", listener.Addr(), err)
		}
	}()
}

// Failed returns the error of a listener that ended by itself.
func (a *App) Failed() <-chan error { return a.failed }

// Drain makes /readyz answer 503. Webhooks are still accepted.
func (a *App) Drain() { a.server.Drain() }

// Stop ends the streams of events, closes the listeners, waits for running steps until ctx ends, and closes
// the database.
func (a *App) Stop(ctx context.Context) {
	if a.events != nil {
		a.events.Close() // which ends the streams
	}
	a.stopListening(ctx)
	for i := len(a.cleanups) - 1; i >= 0; i-- {
		a.cleanups[i](ctx)
	}
	a.cleanups = nil
}

// stopListening closes the listeners and waits for half of the time for requests that are being
// answered, and for streams. Whoever sends a body slowly must not use up the time of the steps that are running: a
// trigger that is cut off has to be looked up.
func (a *App) stopListening(ctx context.Context) {
	ctx, cancel := halfOf(ctx)
	defer cancel()

	var closing sync.WaitGroup
	for _, s := range a.listeners {
		closing.Go(func() {
			if err := s.Shutdown(ctx); err != nil {
				_ = s.Close() // requests that are still being sent were not answered
			}
		})
	}

	closing.Wait()
	a.listeners = nil
	if a.server != nil {
		a.server.WaitStreams(ctx)
	}
}

// halfOf ends when half of the time is over that ctx has left.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

func (a *App) onStop(f func(context.Context)) { a.cleanups = append(a.cleanups, f) }
