package app

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/config"
)

var (
	inside  = netip.MustParseAddr("192.0.2.1")
	outside = netip.MustParseAddr("198.51.100.1")
	ranges  = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
)

// fakeRanges answers HookRanges with a function.
type fakeRanges func() ([]netip.Prefix, error)

func (f fakeRanges) HookRanges(context.Context) ([]netip.Prefix, error) { return f() }

func newTestSources(mode config.SourceMode, reader rangesReader) *hookSources {
	cfg := &config.Config{}
	cfg.GitHub.HookSources.Mode = mode
	cfg.GitHub.HookSources.Prefixes = ranges
	return newHookSources(cfg, reader, zerolog.Nop())
}

func TestHookSources_ByMode(t *testing.T) {
	never := fakeRanges(func() ([]netip.Prefix, error) { return nil, errors.New("not called") })

	for name, c := range map[string]struct {
		mode    config.SourceMode
		addr    netip.Addr
		known   bool
		allowed bool
	}{
		"any":                       {mode: config.SourcesAny, addr: outside, known: true, allowed: true},
		"listed":                    {mode: config.SourcesList, addr: inside, known: true, allowed: true},
		"listed as IPv4-mapped":     {mode: config.SourcesList, addr: netip.MustParseAddr("::ffff:192.0.2.1"), known: true, allowed: true},
		"not listed":                {mode: config.SourcesList, addr: outside, known: true},
		"GitHub's, before the read": {mode: config.SourcesMeta, addr: inside},
	} {
		t.Run(name, func(t *testing.T) {
			check, known := newTestSources(c.mode, never).allowed()
			if known != c.known {
				t.Fatalf("known: got %v, want %v", known, c.known)
			}
			if !known {
				return
			}
			if got := check(c.addr); got != c.allowed {
				t.Errorf("got %v, want %v", got, c.allowed)
			}
		})
	}
}

func TestHookSources_KeepsLastRangesWhileGitHubFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		s := newTestSources(config.SourcesMeta, fakeRanges(func() ([]netip.Prefix, error) {
			if reads.Add(1) == 2 {
				return ranges, nil
			}
			return nil, errors.New("503")
		}))

		s.start()
		synctest.Wait()
		if _, known := s.allowed(); known {
			t.Error("after a failed read: got known addresses, want none")
		}

		time.Sleep(rangesRetry) // synthetic time
		synctest.Wait()
		if got := reads.Load(); got != 2 {
			t.Fatalf("reads after %v: got %d, want 2", rangesRetry, got)
		}

		time.Sleep(rangesEvery)
		synctest.Wait()
		if got := reads.Load(); got != 3 {
			t.Fatalf("reads after %v: got %d, want 3", rangesEvery, got)
		}

		check, known := s.allowed()
		if !known || !check(inside) || check(outside) {
			t.Errorf("after a later failure: got known %v, want the addresses of the last good read", known)
		}

		s.stop(t.Context())
	})
}
