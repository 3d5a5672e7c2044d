// Package app builds the one object graph of the service and runs it: New, Start, Stop. What starts
// first stops last; one deadline holds for all.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/audit"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/engine"
	"github.com/seraph-deploy/seraph/pkg/gate"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/recovery"
	"github.com/seraph-deploy/seraph/pkg/route"
	"github.com/seraph-deploy/seraph/pkg/server"
	"github.com/seraph-deploy/seraph/pkg/store"
	"github.com/seraph-deploy/seraph/pkg/telemetry"
)

// Build says what runs.
type Build struct{ Version, Commit string }

// App is the running service.
type App struct {
	cfg      *config.Config
	log      zerolog.Logger
	metrics  *telemetry.Metrics
	db       *store.DB
	intake   *intake.Intake
	gate     *gate.Gate
	commands *command.Service
	engine   *engine.Engine
	recovery *recovery.Recovery
	sources  *hookSources
	server   *server.Server
	https    []*http.Server
	failed   chan error
	undo     []func(context.Context) // LIFO
}

// New opens the database (waiting for its lock, migrating it) and builds everything else; nothing
// runs before Start. A failed New leaves nothing open.
func New(ctx context.Context, cfg *config.Config, build Build, log zerolog.Logger) (*App, error) {
	a := &App{cfg: cfg, log: log, metrics: telemetry.New(build.Version, build.Commit), failed: make(chan error, 4)}
	db, err := store.Open(ctx, store.Options{URL: cfg.DatabaseURL.Reveal(), Log: log, Now: time.Now})
	if err != nil {
		return nil, err
	}

	a.db = db
	a.cleanup(func(context.Context) {
		if err := db.Close(); err != nil {
			log.Error().Err(err).Msg("the database did not close cleanly")
		}
	})

	if err := a.build(); err != nil {
		a.rollback(ctx)
		return nil, err
	}

	return a, nil
}

func (a *App) build() error {
	clients, err := newClients(a.cfg, a.metrics)
	if err != nil {
		return err
	}

	a.cleanup(func(context.Context) { clients.close() })
	routes := a.cfg.Routes.For(route.Own{AppID: a.cfg.GitHub.AppID})
	a.intake = &intake.Intake{Routes: routes, Machine: rules(a.cfg), Store: a.db}
	a.gate = &gate.Gate{Policies: routes, GitHub: clients.github, Rows: a.db, History: a.db, Now: time.Now}
	a.engine = engine.New(a.engineOptions(clients))
	a.recovery = recovery.New(a.recoveryOptions(clients))
	a.commands = command.New(command.Options{
		Gate:        a.gate,
		Engine:      a.engine,
		Deployments: a.db,
		Locks:       a.db,
		LockReader:  a.db,
		Resolver:    clients.github,
		LockTask:    routes.LockTask(),
		Now:         time.Now,
	})
	a.sources = newHookSources(a.cfg, clients.github, a.log)
	a.server = server.New(a.serverOptions())
	a.metrics.CollectStats(a.db.Stats)

	return nil
}

// Start runs the workers, then listens. After it returns webhooks are taken.
func (a *App) Start(ctx context.Context) error {
	if err := a.start(); err != nil {
		a.rollback(ctx)
		return err
	}
	return nil
}

func (a *App) start() error {
	a.db.Start(a.engine.Enqueue)
	a.engine.Start()
	stopRecovery, recoveryStopped := a.startRecovery()
	a.cleanup(recoveryStopped)
	a.cleanup(a.engine.Stop)
	a.cleanup(stopRecovery)
	a.sources.start()
	a.cleanup(a.sources.stop)
	if err := a.listen(a.cfg.Addr, a.server.Handler()); err != nil {
		return err
	}
	if a.cfg.MetricsAddr == "" {
		return nil
	}

	return a.listen(a.cfg.MetricsAddr, a.server.MetricsHandler())
}

// startRecovery runs the recovery. stop ends it, stopped waits until it has ended: the engine is
// stopped in between, so that it does not lose time of the common deadline.
func (a *App) startRecovery() (stop, stopped func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { a.recovery.Run(ctx) })
	return func(context.Context) { cancel() }, func(context.Context) { running.Wait() }
}

func (a *App) listen(addr string, handler http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", addr, err)
	}

	s := server.HTTPServer(addr, handler)
	a.https = append(a.https, s)
	a.cleanup(func(ctx context.Context) {
		if err := s.Shutdown(ctx); err != nil {
			_ = s.Close() // the deadline is over: what is still being sent was not promised anything
		}
	})

	go func() {
		if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("the listener on %s failed: %w", addr, err)
		}
	}()

	a.log.Info().Str("addr", listener.Addr().String()).Msg("listening")
	return nil
}

// Failed tells of a listener that died.
func (a *App) Failed() <-chan error { return a.failed }

// Drain makes /readyz say 503; webhooks are still taken.
func (a *App) Drain() { a.server.Drain() }

// Stop closes the listeners, lets running steps end until ctx does, and closes the database.
func (a *App) Stop(ctx context.Context) { a.rollback(ctx) }

func (a *App) cleanup(f func(context.Context)) { a.undo = append(a.undo, f) }

func (a *App) rollback(ctx context.Context) {
	for i := len(a.undo) - 1; i >= 0; i-- {
		a.undo[i](ctx)
	}
	a.undo = nil
}

// AuditHead is the newest record of the audit: its number and its hash.
type AuditHead = audit.Head

// VerifyAudit proves that no record of the audit was changed, left out or put in, beside a running
// service. noted is a head that was written down earlier, which must still be part of it; nil:
// none.
func VerifyAudit(ctx context.Context, cfg *config.Config, noted *AuditHead) (AuditHead, error) {
	source, err := store.OpenAudit(ctx, cfg.DatabaseURL.Reveal())
	if err != nil {
		return AuditHead{}, err
	}
	head, err := audit.Verify(ctx, source, noted)
	return head, errors.Join(err, source.Close())
}

// ExportAudit writes the audit as JSON lines, beside a running service.
func ExportAudit(ctx context.Context, cfg *config.Config, out io.Writer) error {
	source, err := store.OpenAudit(ctx, cfg.DatabaseURL.Reveal())
	if err != nil {
		return err
	}
	return errors.Join(audit.Export(ctx, source, out), source.Close())
}

// Backup copies the database to a new file while it is in use.
func Backup(ctx context.Context, cfg *config.Config, file string) error {
	return store.Backup(ctx, cfg.DatabaseURL.Reveal(), file)
}
