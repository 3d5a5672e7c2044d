package github

import (
	"net/http"
	"strconv"
	"time"
)

// hourly is the primary limit of a token (GitHub: 5000 an hour, an installation's at least as
// much).
const hourlyLimit = 5000

// budget is what one identity has used of its limits.
type rateUsage struct {
	used   int
	reset  time.Time
	writes []time.Time // of the last minute
}

// SetBudget makes everybody's primary limit so many calls an hour (0: none left) and starts the
// hour anew.
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

// overLimit counts a call against the primary limit and refuses it when that is used up.
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

// countWrite counts a write, and refuses it when the last minute had too many.
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

// rateHeaders are on each answer of github.com; Enterprise Server has its limits off by default and
// sends none.
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
