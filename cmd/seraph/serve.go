package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/app"
	"github.com/seraph-deploy/seraph/pkg/config"
)

func describe() string {
	return fmt.Sprintf("seraph %s (commit %s, %s)", version, commit, runtime.Version())
}

// load reads the configuration; its problems go to stderr, one a line.
func load(stderr io.Writer) (*config.Config, bool) {
	cfg, err := config.Load()
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return nil, false
	}
	return cfg, true
}

func logger(cfg *config.Config, out io.Writer) zerolog.Logger {
	if cfg.LogFormat == "console" {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: time.RFC3339}
	}
	level, err := zerolog.ParseLevel(cfg.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel
	}
	zerolog.TimeFieldFormat = time.RFC3339Nano
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

// collectRarely lets the heap grow to three times what is alive before the garbage is collected, unless GOGC says otherwise. What is alive are a few
// megabytes, most of them stacks, and to walk them twice as often is what a crowd at the door would wait for.
func collectRarely() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

// serve runs the service until a signal or a failure. A second signal quits at once.
func serve(ctx context.Context, stderr io.Writer, signals <-chan os.Signal) int {
	cfg, ok := load(stderr)
	if !ok {
		return exitConfig
	}
	collectRarely()
	log := logger(cfg, stderr)
	for _, w := range cfg.Warnings {
		log.Warn().Msg(w)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	service, code := start(ctx, cancel, cfg, log, signals)
	if service == nil {
		return code
	}
	code = exitOK
	select {
	case s := <-signals:
		log.Info().Str("signal", s.String()).Msg("stopping")
	case err := <-service.Failed():
		log.Error().Err(err).Msg("stopping")
		code = exitFailed
	}
	return stop(service, cfg, log, signals, code)
}

// start brings the service up. A signal in the meantime (while it waits for another process's lock, say) ends it.
func start(ctx context.Context, cancel context.CancelFunc, cfg *config.Config, log zerolog.Logger, signals <-chan os.Signal) (*app.App, int) {
	type result struct {
		service *app.App
		err     error
	}
	up := make(chan result, 1)
	go func() {
		service, err := app.New(ctx, cfg, app.Build{Version: version, Commit: commit}, log)
		if err == nil {
			err = service.Start(ctx)
		}
		up <- result{service, err}
	}()
	select {
	case r := <-up:
		if r.err != nil {
			log.Error().Err(r.err).Msg("cannot start")
			return nil, exitFailed
		}
		log.Info().Str("version", version).Msg("ready")
		return r.service, exitOK
	case s := <-signals:
		log.Info().Str("signal", s.String()).Msg("stopped before it was ready")
		cancel()
		if r := <-up; r.err == nil {
			r.service.Stop(ctx)
		}
		return nil, exitOK
	}
}

// stop drains: not ready for SHUTDOWN_DELAY while webhooks are still taken, then everything gets SHUTDOWN_GRACE to end.
func stop(service *app.App, cfg *config.Config, log zerolog.Logger, signals <-chan os.Signal, code int) int {
	done := make(chan struct{})
	go func() {
		defer close(done)
		service.Drain()
		time.Sleep(cfg.ShutdownDelay)
		ctx, cancel := context.WithTimeout(context.Background(), cfg.ShutdownGrace)
		defer cancel()
		service.Stop(ctx)
	}()
	select {
	case <-done:
		log.Info().Msg("stopped")
		return code
	case <-signals:
		log.Warn().Msg("a second signal: quitting at once; unfinished work is carried on at the next start")
		return exitFailed
	}
}
