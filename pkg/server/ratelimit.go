package server

import (
	"errors"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/seraph-deploy/seraph/pkg/command"
)

// Requests that may ask GitHub are limited for each token, so that one client cannot use up the 5000 calls an
// hour that GitHub allows and keep every deployment waiting: each of them makes a few calls. A token may
// send githubBurst of them at once, and githubPerMinute in the long run. Of those, one person for whom it asks
// may use what command.PersonLimits allow, so that nobody can keep everybody else from asking.
const (
	githubBurst     = 60
	githubPerMinute = 30

	// unknownRefCost is for how many requests one counts whose ref is not there, beyond itself: each place
	// where it may be is looked at, and then names that are like it.
	unknownRefCost = 2
)

// codeTooMany is the code of requests that are refused because there were too many of them.
const codeTooMany = "too_many_requests"

// codeUnknownRef is the code of an order whose ref is not there.
const codeUnknownRef = "no_such_ref"

// callLimits count requests that may ask GitHub. They are safe for concurrent use.
type callLimits struct {
	tokens  map[string]*rate.Limiter // by the name of the token; never changed
	persons command.PersonLimits[personKey]
}

// personKey is a person for whom a token asks.
type personKey struct {
	token string
	id    int64
}

func newCallLimits(tokens []Token) *callLimits {
	l := &callLimits{tokens: map[string]*rate.Limiter{}}
	for _, t := range tokens {
		l.tokens[t.Name] = rate.NewLimiter(rate.Limit(githubPerMinute)/60, githubBurst)
	}
	return l
}

// allow counts a request, and says whether it may be made. What is refused for the person's sake does not
// count for the token, which others use, too.
func (l *callLimits) allow(c command.Caller, now time.Time) bool {
	if c.By.ID != 0 && !l.person(c, now).AllowN(now, 1) {
		return false
	}
	return l.tokens[c.By.Token].AllowN(now, 1)
}

// charge counts requests that have been made already: the next ones wait until these are made up for.
func (l *callLimits) charge(c command.Caller, now time.Time, requests int) {
	if c.By.ID != 0 {
		l.person(c, now).ReserveN(now, requests)
		return
	}
	l.tokens[c.By.Token].ReserveN(now, requests)
}

// person returns the limit of the person for whom a token asks.
func (l *callLimits) person(c command.Caller, now time.Time) *rate.Limiter {
	return l.persons.Of(personKey{token: c.By.Token, id: c.By.ID}, now)
}

// limitGitHub refuses requests of a token that has sent too many that ask GitHub.
func (s *Server) limitGitHub(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.countGitHub(tokenCaller(tokenOf(r))); err != nil {
			writeError(w, r, err)
			return
		}

		next.ServeHTTP(w, r)
	})
}

// countGitHub counts a caller's request that may ask GitHub. The error refuses it, because there were too many.
func (s *Server) countGitHub(c command.Caller) error {
	if s.limits.allow(c, s.o.Now()) {
		return nil
	}

	s.o.ObserveRefused(codeTooMany)
	message := "too many requests with this token that ask GitHub; try again later"
	if c.By.ID != 0 {
		message = "too many requests of " + c.By.String() + ", or with this token, that ask GitHub; try again later"
	}
	return newError(http.StatusTooManyRequests, codeTooMany, message)
}

// countUnknownRef counts what an order has cost whose ref is not there.
func (s *Server) countUnknownRef(c command.Caller, err error) {
	var refused *command.Error
	if errors.As(err, &refused) && refused.Code == codeUnknownRef {
		s.limits.charge(c, s.o.Now(), unknownRefCost)
	}
}
