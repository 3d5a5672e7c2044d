package notify

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Limits are how often a chat system is called. A field that is zero has its default.
type Limits struct {
	EditsPerMinute int           // of all messages together; default 40
	EditsForEnds   int           // of these, kept for deployments that have ended; default a quarter
	PostEvery      time.Duration // between two posts to one channel; default 1 s
	FindsPerMinute int           // default 40
	CardsPerMinute int           // in one channel: what begins besides is shown together in a list; default 5
}

func (l Limits) withDefaults() Limits {
	if l.EditsPerMinute == 0 {
		l.EditsPerMinute = 40
	}
	if l.EditsForEnds == 0 {
		l.EditsForEnds = l.EditsPerMinute / 4
	}
	if l.PostEvery == 0 {
		l.PostEvery = time.Second
	}
	if l.CardsPerMinute == 0 {
		l.CardsPerMinute = 5
	}
	if l.FindsPerMinute == 0 {
		l.FindsPerMinute = 40
	}
	return l
}

const (
	defaultWait   = 30 * time.Second // after "called too often" without a time to wait
	channelPause  = 10 * time.Minute // the first pause of a channel that cannot be used; it doubles each time
	longestPause  = 24 * time.Hour
	firstRetry    = 5 * time.Second // the first pause after a failure; it doubles each time
	longestRetry  = 5 * time.Minute
	failuresToAsk = 3 // failures in a row after which the chat system is asked whether it works at all
)

// pace says when a chat system may be called. It is safe for concurrent use.
type pace struct {
	limits Limits

	mu       sync.Mutex
	edits    bucket
	finds    bucket
	posted   map[string]time.Time // the newest post to each channel
	limited  map[string]time.Time // until when the chat system wants no such call, as limitKey names it
	channels map[string]pause
	resumed  map[string]time.Time // when the pause of a channel was last ended, see resume
	face     pause
	failures int // in a row
}

// pause is a time in which something is not used.
type pause struct {
	until time.Time
	count int // in a row
	why   string
}

// bucket holds a number of calls, and fills up again.
type bucket struct {
	tokens    float64
	perMinute float64
	at        time.Time
}

func (b *bucket) fill(now time.Time) {
	if now.After(b.at) {
		b.tokens = min(b.perMinute, b.tokens+now.Sub(b.at).Minutes()*b.perMinute)
		b.at = now
	}
}

// ready returns when there is a token above those that are kept.
func (b *bucket) ready(now time.Time, kept float64) time.Time {
	b.fill(now)
	missing := kept + 1 - b.tokens
	if missing <= 0 {
		return now
	}
	return now.Add(time.Duration(missing / b.perMinute * float64(time.Minute)))
}

func newPace(l Limits, now time.Time) *pace {
	l = l.withDefaults()
	full := func(perMinute int) bucket {
		return bucket{tokens: float64(perMinute), perMinute: float64(perMinute), at: now}
	}
	return &pace{
		limits:   l,
		edits:    full(l.EditsPerMinute),
		finds:    full(l.FindsPerMinute),
		posted:   map[string]time.Time{},
		limited:  map[string]time.Time{},
		channels: map[string]pause{},
		resumed:  map[string]time.Time{},
	}
}

// when returns the moment from which a call may be made; not after now: at once.
func (p *pace) when(do Do, channel string, rank deployment.MessageRank, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.whenLocked(do, channel, rank, now)
}

func (p *pace) whenLocked(do Do, channel string, rank deployment.MessageRank, now time.Time) time.Time {
	at := latest(p.face.until, p.channels[channel].until, p.limited[limitKey(do, channel)])
	switch do {
	case DoEdit:
		kept := 0
		if rank != deployment.RankEnd {
			kept = p.limits.EditsForEnds
		}
		if rank == deployment.RankTidy {
			kept = p.limits.EditsPerMinute * 3 / 4
		}
		at = latest(at, p.edits.ready(now, float64(kept)))
	case DoPost:
		at = latest(at, p.posted[channel].Add(p.limits.PostEvery))
	case DoFind:
		at = latest(at, p.finds.ready(now, 0))
	}
	return at
}

// take takes the right to make a call. Otherwise it returns from when it may be tried again.
func (p *pace) take(do Do, channel string, rank deployment.MessageRank, now time.Time) (at time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if at := p.whenLocked(do, channel, rank, now); at.After(now) {
		return at, false
	}
	switch do {
	case DoEdit:
		p.edits.tokens--
	case DoPost:
		p.posted[channel] = now
	case DoFind:
		p.finds.tokens--
	}
	return now, true
}

// limitKey names what the chat system limits by itself: posts by channel, all else by its kind.
func limitKey(do Do, channel string) string {
	if do == DoPost {
		return string(do) + " " + channel
	}
	return string(do)
}

// limit keeps calls of one kind back for as long as the chat system wants.
func (p *pace) limit(do Do, channel string, wait time.Duration, now time.Time) {
	if wait <= 0 {
		wait = defaultWait
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	p.limited[limitKey(do, channel)] = latest(p.limited[limitKey(do, channel)], now.Add(wait))
}

// pauseChannel keeps calls back from a channel that cannot be used, as the answer to a call says. began is when that
// call began: the answer does not count if the channel was resumed since. first says that the channel could be used
// until now.
func (p *pace) pauseChannel(channel, why string, began, now time.Time) (until time.Time, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if began.Before(p.resumed[channel]) {
		return now, false
	}

	old := p.channels[channel]
	if now.Before(old.until) {
		return old.until, false
	}

	next := pause{count: old.count + 1, why: why, until: now.Add(doubled(channelPause, old.count, longestPause))}
	p.channels[channel] = next
	return next.until, next.count == 1
}

// resume ends the pause of a channel, because it can be used again.
func (p *pace) resume(channel string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()

	delete(p.channels, channel)
	p.resumed[channel] = now
}

// worked takes that a call had an answer that can be used.
func (p *pace) worked(channel string) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.failures, p.face = 0, pause{}
	delete(p.channels, channel)
}

// failed takes that the chat system gave no answer that can be used, or refuses this service altogether. first says
// that everything is kept back from now on.
func (p *pace) failed(why string, refused bool, now time.Time) (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.failures++
	if now.Before(p.face.until) || p.failures < failuresToAsk && p.face.count == 0 && !refused {
		return false
	}

	first = p.face.count == 0
	p.face = pause{
		count: p.face.count + 1,
		why:   why,
		until: now.Add(jitter(doubled(firstRetry, p.face.count, longestRetry))),
	}
	return first
}

// paused says why nothing is sent, and until when; empty: it is.
func (p *pace) paused() (why string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.face.why, p.face.until
}

// backOff is how long a message waits after so many failures in a row.
func backOff(failures int) time.Duration {
	return jitter(doubled(firstRetry, failures-1, longestRetry))
}

// doubled is a time that was doubled so often, and at most longest.
func doubled(first time.Duration, times int, longest time.Duration) time.Duration {
	for ; times > 0 && first < longest; times-- {
		first *= 2
	}
	return min(first, longest)
}

// jitter spreads what would come at one moment.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()-0.5)*0.4*float64(d)) //nolint:gosec // no secret
}

func latest(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
