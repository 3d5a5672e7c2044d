package github

import (
	"net/http"
	"strconv"
	"time"
)

// hourlyLimit is the primary rate limit of a token. On github.com it is 5000 calls an hour; an
// installation's is at least that.
const hourlyLimit = 5000

// rateUsage is what one identity has used of its rate limits.
type rateUsage struct {
	used   int
	reset  time.Time
	writes []time.Time // of the last minute
}

// SetBudget sets everybody's primary rate limit in calls an hour (0 for none) and starts a new
// hour.
func (s *Server) SetBudget(limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
	clear(s.usage)
}

func (s *Server) usageOf(who *credential) *rateUsage {
	b := s.usage[who.identity()]
	if b == nil {
		b = &rateUsage{}
		s.usage[who.identity()] = b
	}
	if now := s.options.Now(); !now.Before(b.reset) {
		b.used, b.reset = 0, now.Add(time.Hour)
	}

	return b
}

// countCall counts a call against the primary rate limit, and refuses it when none remain.
func (s *Server) countCall(c *call) *response {
	if s.enterprise() {
		return nil
	}

	b := s.usageOf(c.credential)
	if b.used >= s.limit {
		return errorResponse(
			http.StatusForbidden,
			"API rate limit exceeded for user ID "+strconv.FormatInt(c.credential.account.ID, 10)+".",
		)
	}

	b.used++
	return nil
}

// countWrite counts a write against the secondary rate limit, and refuses it when the last minute
// had too many.
func (s *Server) countWrite(c *call) *response {
	b, now := s.usageOf(c.credential), s.options.Now()
	for len(b.writes) > 0 && now.Sub(b.writes[0]) >= time.Minute {
		b.writes = b.writes[1:]
	}

	if s.options.WriteLimit > 0 && len(b.writes) >= s.options.WriteLimit {
		resp := errorResponse(http.StatusForbidden, secondaryMessage)
		resp.header = map[string]string{"Retry-After": "60"}
		return resp
	}

	b.writes = append(b.writes, now)
	if c.route.op == OpCreateDeployment || c.route.op == OpCreateStatus {
		s.writes++
	}

	return nil
}

const secondaryMessage = "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later."

// rateHeaders sets the rate limit headers of github.com. Enterprise Server has no rate limits by
// default and sends none.
func (s *Server) rateHeaders(h http.Header, who *credential) {
	if s.enterprise() {
		return
	}
	if who == nil {
		who = &credential{}
	}

	b := s.usageOf(who)
	h.Set("X-RateLimit-Limit", strconv.Itoa(s.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, s.limit-b.used)))
	h.Set("X-RateLimit-Used", strconv.Itoa(b.used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(b.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}
