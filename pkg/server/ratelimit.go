package server

import (
	"net/http"

	"golang.org/x/time/rate"
)

// Requests that may ask GitHub are limited for each token, so that one client cannot use up the 5000 calls an
// hour that GitHub allows and keep every deployment waiting: each of them makes a few calls. A token may
// send githubBurst of them at once, and githubPerMinute in the long run.
const (
	githubBurst     = 60
	githubPerMinute = 30
)

// newTokenLimits returns a limit for each token, by its name.
func newTokenLimits(tokens []Token) map[string]*rate.Limiter {
	limits := map[string]*rate.Limiter{}
	for _, t := range tokens {
		limits[t.Name] = rate.NewLimiter(rate.Limit(githubPerMinute)/60, githubBurst)
	}
	return limits
}

// limitGitHub refuses requests of a token that has sent too many that ask GitHub.
func (s *Server) limitGitHub(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.tokenLimits[tokenOf(r).Name].AllowN(s.o.Now(), 1) {
			const code, message = "too_many_requests", "too many requests with this token that ask GitHub; try again later"
			s.o.ObserveRefused(code)
			writeError(w, r, newError(http.StatusTooManyRequests, code, message))
			return
		}

		next.ServeHTTP(w, r)
	})
}
