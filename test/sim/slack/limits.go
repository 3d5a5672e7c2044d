package slack

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// Limits are the rate limits of the Web API. A bucket fills at its rate and holds what one minute brings, except that
// of a channel, which holds Burst.
type Limits struct {
	Tiers          bool // the tier of each method, per workspace: 50 chat.update a minute for all messages together
	PerChannel     int  // chat.postMessage a second and channel; 0: no limit
	Burst          int  // chat.postMessage at once in a channel
	PostsAMinute   int  // chat.postMessage a minute and workspace; 0: no limit
	UpdatesAMinute int  // chat.update a minute and workspace; 0: what Tiers says
}

// SlackLimits returns the limits that Slack documents. Those of posts have no exact number there.
func SlackLimits() *Limits { return &Limits{Tiers: true, PerChannel: 1, Burst: 5, PostsAMinute: 300} }

type bucketKey struct{ method, team, channel string }

// bucket is how many calls were allowed at a moment.
type bucket struct {
	calls float64
	at    time.Time
}

// limit refuses a call for which a bucket is empty. The caller holds the lock.
func (s *Server) limit(c *call) *answer {
	limits := s.options.Limits
	if limits == nil {
		return nil
	}

	name := c.method.name
	if name == "chat.postMessage" {
		if a := s.take(bucketKey{name, c.in.team, c.args["channel"]}, limits.PerChannel*60, limits.Burst); a != nil {
			return a
		}
		return s.take(bucketKey{name, c.in.team, ""}, limits.PostsAMinute, limits.PostsAMinute)
	}
	if name == "chat.update" && limits.UpdatesAMinute > 0 {
		return s.take(bucketKey{name, c.in.team, ""}, limits.UpdatesAMinute, limits.UpdatesAMinute)
	}
	if limits.Tiers {
		return s.take(bucketKey{name, c.in.team, ""}, c.method.tier, c.method.tier)
	}

	return nil
}

// take takes one call out of a bucket that fills with rate calls a minute up to size. Where there is none it returns a
// 429 that says when there will be one.
func (s *Server) take(key bucketKey, rate, size int) *answer {
	if rate == 0 {
		return nil
	}

	now := s.options.Now()
	b := s.buckets[key]
	if b == nil {
		b = &bucket{calls: float64(max(size, 1)), at: now}
		s.buckets[key] = b
	}

	perSecond := float64(rate) / 60
	b.calls = min(float64(max(size, 1)), b.calls+now.Sub(b.at).Seconds()*perSecond)
	b.at = now
	if b.calls >= 1 {
		b.calls--
		return nil
	}

	a := fail("ratelimited")
	a.status = http.StatusTooManyRequests
	a.header = map[string]string{"Retry-After": strconv.Itoa(int(math.Ceil((1 - b.calls) / perSecond)))}

	return a
}
