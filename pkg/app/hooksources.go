package app

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/config"
)

// How often GitHub's published addresses of webhook senders are read.
const (
	rangesEvery = time.Hour
	rangesRetry = 15 * time.Second
)

// hookSources decides which addresses may send GitHub's webhooks. Addresses that GitHub publishes are
// kept until they can be read again.
type hookSources struct {
	mode   config.SourceMode
	fetch  func(context.Context) ([]netip.Prefix, error)
	ranges atomic.Pointer[[]netip.Prefix]
	log    zerolog.Logger
	cancel context.CancelFunc
	loop   sync.WaitGroup
}

// rangesReader reads GitHub's published addresses of webhook senders.
type rangesReader interface {
	HookRanges(context.Context) ([]netip.Prefix, error)
}

func newHookSources(cfg *config.Config, reader rangesReader, log zerolog.Logger) *hookSources {
	s := &hookSources{
		mode:   cfg.GitHub.HookSources.Mode,
		fetch:  reader.HookRanges,
		log:    log,
		cancel: func() {},
	}
	if s.mode == config.SourcesList {
		s.ranges.Store(&cfg.GitHub.HookSources.Prefixes)
	}

	return s
}

// allowed returns a check of one address. known is false until GitHub's addresses were read once.
func (s *hookSources) allowed() (check func(netip.Addr) bool, known bool) {
	if s.mode == config.SourcesAny {
		return func(netip.Addr) bool { return true }, true
	}

	ranges := s.ranges.Load()
	if ranges == nil {
		return nil, false
	}

	return func(a netip.Addr) bool {
		return slices.ContainsFunc(*ranges, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
	}, true
}

func (s *hookSources) start() {
	if s.mode != config.SourcesMeta {
		return
	}

	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.loop.Go(func() { s.refresh(ctx) })
}

func (s *hookSources) stop(context.Context) {
	s.cancel()
	s.loop.Wait()
}

func (s *hookSources) refresh(ctx context.Context) {
	for {
		pause := rangesEvery
		ranges, err := s.fetch(ctx)
		if err != nil || len(ranges) == 0 {
			pause = rangesRetry
			s.log.Warn().Err(err).Dur("retry_in", pause).Msg("webhook source addresses not read")
		} else {
			s.ranges.Store(&ranges)
		}

		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
