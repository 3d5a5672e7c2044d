package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/app"
	"github.com/seraph-deploy/seraph/pkg/cli"
	"github.com/seraph-deploy/seraph/pkg/config"
)

func (p *program) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "run the service, as without a command",
		Long: "Run the service until SIGTERM or SIGINT. It then answers /readyz with 503, takes webhooks for\n" +
			"SERAPH_SHUTDOWN_DELAY, and gives running steps SERAPH_SHUTDOWN_GRACE. A second signal ends it at once.\n" +
			"SIGHUP makes it read SERAPH_ROUTES_FILE again.",
		Example: "seraph serve --env-file /etc/seraph/seraph.env",
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.serve(cmd.Context()) },
	}
}

// serve runs the service until a signal or a failure. A second signal ends it at once. A hangup ends it at
// no time, also not while it starts or stops.
func (p *program) serve(ctx context.Context) error {
	hangups := make(chan os.Signal, 1) // one that comes while the routes are read stands for all
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)

	cfg, err := config.Load()
	if err != nil {
		return err
	}
	if err := app.CheckDatabase(cfg); err != nil {
		return err
	}

	collectRarely()
	log := newLogger(cfg, p.stderr)
	for _, warning := range cfg.Warnings {
		log.Warn().Msg(warning)
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	service, err := p.start(ctx, cancel, cfg, log)
	if err != nil {
		log.Error().Err(err).Msg("start failed")
		return cli.ExitError{Code: cli.ExitFailed}
	}
	if service == nil {
		return nil
	}

	failed := p.waitForEnd(ctx, service, hangups, log)
	if !p.stop(service, cfg, log) || failed {
		return cli.ExitError{Code: cli.ExitFailed}
	}

	return nil
}

// waitForEnd waits for a signal or a failure. Until then, each hangup makes the service read its routes
// again.
func (p *program) waitForEnd(
	ctx context.Context, service *app.App, hangups <-chan os.Signal, log zerolog.Logger,
) (failed bool) {
	for {
		select {
		case <-hangups:
			service.ReloadRoutes(ctx)
		case s := <-p.signals:
			log.Info().Str("signal", s.String()).Msg("stopping")
			return false
		case err := <-service.Failed():
			log.Error().Err(err).Msg("stopping")
			return true
		}
	}
}

// newLogger writes JSON lines, or lines for people, which are colored only on a terminal.
func newLogger(cfg *config.Config, out io.Writer) zerolog.Logger {
	if cfg.LogFormat == "console" {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: time.RFC3339, NoColor: !isTerminal(out)}
	}

	level, err := zerolog.ParseLevel(cfg.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel
	}

	zerolog.TimeFieldFormat = time.RFC3339Nano
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil {
		return false
	}
	return info.Mode()&os.ModeCharDevice != 0
}

// collectRarely sets GOGC to 200, unless the environment sets it. That halves the work of the
// garbage collector; the live heap is only a few megabytes.
func collectRarely() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

// start brings the service up. A signal meanwhile, for instance while it waits for another
// process's lock, ends it; the service is nil then.
func (p *program) start(
	ctx context.Context, cancel context.CancelFunc, cfg *config.Config, log zerolog.Logger,
) (*app.App, error) {
	type result struct {
		service *app.App
		err     error
	}

	started := make(chan result, 1)
	go func() {
		service, err := app.New(ctx, cfg, app.Build{Version: version, Commit: commit}, log)
		if err != nil {
			started <- result{nil, err}
			return
		}

		started <- result{service, service.Start(ctx)}
	}()

	select {
	case r := <-started:
		if r.err != nil {
			return nil, r.err
		}

		log.Info().Str("version", version).Msg("ready")
		return r.service, nil
	case s := <-p.signals:
		log.Info().Str("signal", s.String()).Msg("stopped during the start")
		cancel()
		r := <-started
		if r.err != nil {
			return nil, nil
		}

		r.service.Stop(ctx)
		return nil, nil
	}
}

// stop ends the service: it is not ready for SHUTDOWN_DELAY while webhooks are still taken, and
// running steps then get SHUTDOWN_GRACE. It returns false if a second signal came first.
func (p *program) stop(service *app.App, cfg *config.Config, log zerolog.Logger) bool {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		service.Drain()
		time.Sleep(cfg.ShutdownDelay)
		ctx, cancel := context.WithTimeout(context.Background(), cfg.ShutdownGrace)
		defer cancel()
		service.Stop(ctx)
	}()

	select {
	case <-stopped:
		log.Info().Msg("stopped")
		return true
	case <-p.signals:
		log.Warn().Msg("second signal: ended at once, unfinished work continues at the next start")
		return false
	}
}
