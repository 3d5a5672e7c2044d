package app

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/config"
)

// Rhythm of reading GitHub's published webhook source ranges.
const (
	rangesEvery = time.Hour
	rangesRetry = 15 * time.Second
)

// hookSources says which addresses may send GitHub's webhooks. With ranges read from GitHub the
// last good copy is kept.
type hookSources struct {
	mode   config.SourceMode
	fetch  func(context.Context) ([]netip.Prefix, error)
	ranges atomic.Pointer[[]netip.Prefix]
	log    zerolog.Logger
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newHookSources(cfg *config.Config, fetcher interface {
	HookRanges(context.Context) ([]netip.Prefix, error)
}, log zerolog.Logger) *hookSources {
	s := &hookSources{mode: cfg.GitHub.HookSources.Mode, fetch: fetcher.HookRanges, log: log, cancel: func() {}}
	if s.mode == config.SourcesList {
		s.ranges.Store(&cfg.GitHub.HookSources.Prefixes)
	}
	return s
}

// allowed gives the check of one address; known is false while GitHub's ranges were never read.
func (s *hookSources) allowed() (check func(netip.Addr) bool, known bool) {
	if s.mode == config.SourcesAny {
		return func(netip.Addr) bool { return true }, true
	}

	ranges := s.ranges.Load()
	if ranges == nil {
		return nil, false
	}

	return func(a netip.Addr) bool {
		for _, p := range *ranges {
			if p.Contains(a.Unmap()) {
				return true
			}
		}

		return false
	}, true
}

func (s *hookSources) start() {
	if s.mode != config.SourcesMeta {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.wg.Go(func() { s.refresh(ctx) })
}

func (s *hookSources) stop(context.Context) {
	s.cancel()
	s.wg.Wait()
}

func (s *hookSources) refresh(ctx context.Context) {
	for {
		pause := rangesEvery
		if ranges, err := s.fetch(ctx); err != nil || len(ranges) == 0 {
			s.log.Warn().Err(err).Msg("cannot read GitHub's webhook source ranges; keeping the last copy")
			pause = rangesRetry
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
