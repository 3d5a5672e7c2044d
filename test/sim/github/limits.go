package github

import (
	"net/http"
	"strconv"
	"time"
)

// hourly is the primary limit of a token (GitHub: 5000 an hour, an installation's at least as
// much).
const hourly = 5000

// budget is what one identity has used of its limits.
type budget struct {
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
	clear(s.budgets)
}

func (s *Server) budget(who *credential) *budget {
	b := s.budgets[who.identity()]
	if b == nil {
		b = &budget{}
		s.budgets[who.identity()] = b
	}
	if now := s.options.Now(); !now.Before(b.reset) {
		b.used, b.reset = 0, now.Add(time.Hour)
	}

	return b
}

// overLimit counts a call against the primary limit and refuses it when that is used up.
func (s *Server) overLimit(c *call) *answer {
	if s.enterprise() {
		return nil
	}

	b := s.budget(c.who)
	if b.used >= s.limit {
		return refuse(
			http.StatusForbidden,
			"API rate limit exceeded for user ID "+strconv.FormatInt(c.who.account.ID, 10)+".",
		)
	}

	b.used++
	return nil
}

// countWrite counts a write, and refuses it when the last minute had too many.
func (s *Server) countWrite(c *call) *answer {
	b, now := s.budget(c.who), s.options.Now()
	for len(b.writes) > 0 && now.Sub(b.writes[0]) >= time.Minute {
		b.writes = b.writes[1:]
	}

	if s.options.WriteLimit > 0 && len(b.writes) >= s.options.WriteLimit {
		a := refuse(http.StatusForbidden, secondaryMessage)
		a.header = map[string]string{"Retry-After": "60"}
		return a
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

	b := s.budget(who)
	h.Set("X-RateLimit-Limit", strconv.Itoa(s.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, s.limit-b.used)))
	h.Set("X-RateLimit-Used", strconv.Itoa(b.used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(b.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}
