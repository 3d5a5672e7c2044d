package github

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"time"
)

// Fault is one way for a call to go wrong. It answers in next's place, before it or after it.
type Fault func(s *Server, next http.Handler) http.Handler

// Next makes the next so many calls of an operation go wrong in this way. Several calls queue up.
func (s *Server) Next(op string, fault Fault, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range times {
		s.faults[op] = append(s.faults[op], fault)
	}
}

// NextNamed is Next with a fault from Faults.
func (s *Server) NextNamed(op, fault string, times int) error {
	if !slices.Contains(Operations(), op) {
		return fmt.Errorf("no operation %q on the GitHub side; there are %q", op, Operations())
	}

	f, ok := faults[fault]
	if !ok {
		return fmt.Errorf("no fault %q on the GitHub side; there are %q", fault, Faults())
	}

	s.Next(op, f, times)
	return nil
}

// ClearFaults forgets what Next has planned and no call has met yet.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
}

// Faults lists the names that NextNamed knows.
func Faults() []string { return slices.Sorted(maps.Keys(faults)) }

var faults = map[string]Fault{
	"primary-403":        PrimaryLimit(http.StatusForbidden, 2*time.Second),
	"primary-429":        PrimaryLimit(http.StatusTooManyRequests, 2*time.Second),
	"secondary-403":      SecondaryLimit(http.StatusForbidden, 2*time.Second),
	"secondary-429":      SecondaryLimit(http.StatusTooManyRequests, 2*time.Second),
	"secondary-403-bare": SecondaryLimit(http.StatusForbidden, 0),
	"secondary-429-bare": SecondaryLimit(http.StatusTooManyRequests, 0),
	"forbidden":          Refuse(http.StatusForbidden, "Resource not accessible by integration"),
	"bad-credentials":    Refuse(http.StatusUnauthorized, "Bad credentials"),
	"not-found":          Refuse(http.StatusNotFound, "Not Found"),
	"max-statuses":       MaxStatuses,
	"no-push":            NoPush,
	"not-in-plan":        NotInPlan,
	"no-check-runs":      NoCheckRuns,
	"server-error":       HTMLPage(http.StatusBadGateway),
	"unavailable":        HTMLPage(http.StatusServiceUnavailable),
	"no-answer":          CloseBefore,
	"lost-answer":        CloseAfter,
	"half-answer":        Truncate,
	"slow":               Delay(3 * time.Second),
}

// faulty puts the planned faults of one operation before next.
func (s *Server) faulty(op string, next http.Handler) http.Handler {
	if s.options.Plan != nil {
		next = s.options.Plan.Wrap(op, next)
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := s.takeFault(op); fault != nil {
			fault(s, next).ServeHTTP(w, r)
			return
		}

		next.ServeHTTP(w, r)
	})
}

func (s *Server) takeFault(op string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.faults[op]
	if len(queue) == 0 {
		return nil
	}
	s.faults[op] = queue[1:]
	return queue[0]
}

// Primary is the primary rate limit: nothing remains until the reset. GitHub uses both 403 and 429
// for it.
func PrimaryLimit(status int, reset time.Duration) Fault {
	return respondWith(func(s *Server) *response {
		resp := errorResponse(status, "API rate limit exceeded for user ID 583238.")
		at := s.options.Now().Add(reset + time.Second - 1) // whole seconds, not before the limit is over
		resp.header = map[string]string{
			"X-RateLimit-Remaining": "0",
			"X-RateLimit-Reset":     strconv.FormatInt(at.Unix(), 10),
		}

		return resp
	})
}

// Secondary is the secondary rate limit, with a Retry-After header unless that is 0.
func SecondaryLimit(status int, retryAfter time.Duration) Fault {
	return respondWith(func(*Server) *response {
		resp := errorResponse(status, secondaryMessage)
		if retryAfter > 0 {
			resp.header = map[string]string{"Retry-After": strconv.Itoa(int(retryAfter.Seconds()))}
		}
		return resp
	})
}

// Refuse answers with one of GitHub's JSON errors.
func Refuse(status int, message string) Fault {
	return respondWith(func(*Server) *response { return errorResponse(status, message) })
}

// MaxStatuses is the 422 of a deployment that takes no more statuses.
var MaxStatuses = respondWith(func(*Server) *response { return tooManyStatuses() })

func respondWith(with func(*Server) *response) Fault {
	return func(s *Server, _ http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.writeResponse(w, &call{r: r}, with(s))
		})
	}
}

// Page answers with an HTML page, as GitHub's front does when what is behind it is down.
func HTMLPage(status int) Fault {
	return func(*Server, http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			io.WriteString(w, "<html><title>Unicorn! &middot; GitHub</title></html>") // the caller hung up
		})
	}
}

// Cut closes the connection before the call has any effect.
func CloseBefore(*Server, http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// CutAfter lets the call have its effect and then closes the connection without an answer.
func CloseAfter(_ *Server, next http.Handler) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

// Truncate lets the call have its effect and sends half of the answer.
func Truncate(_ *Server, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		full := httptest.NewRecorder()
		next.ServeHTTP(full, r)
		maps.Copy(w.Header(), full.Header())
		w.Header().Set("Content-Length", strconv.Itoa(full.Body.Len()))
		w.WriteHeader(full.Code)
		w.Write(full.Body.Bytes()[:full.Body.Len()/2]) // the caller hung up
		http.NewResponseController(w).Flush()          // as above
		panic(http.ErrAbortHandler)
	})
}

// Stall answers late.
func Delay(d time.Duration) Fault {
	return func(_ *Server, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(d):
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
	}
}

// callScenarios make the first writes of statuses go wrong.
var callScenarios = []Scenario{
	{
		Name:   "rate-limited",
		About:  "the primary limit is used up twice, once as 403, once as 429",
		before: failStatusWrites("primary-403", "primary-429"),
	},
	{
		Name:   "slow-down",
		About:  "the secondary limit, with Retry-After",
		before: failStatusWrites("secondary-403", "secondary-429"),
	},
	{
		Name:   "slow-down-bare",
		About:  "the secondary limit without Retry-After",
		before: failStatusWrites("secondary-403-bare"),
	},
	{Name: "max-statuses", About: "the deployment takes no more statuses after the first", before: limitStatuses},
	{
		Name:   "server-errors",
		About:  "three status writes meet 5xx pages",
		before: failStatusWrites("server-error", "unavailable", "server-error"),
	},
	{
		Name:   "answer-lost",
		About:  "the first status is written, the answer never comes",
		before: failStatusWrites("lost-answer"),
	},
	{
		Name:   "half-answer",
		About:  "the first status is written, half of the answer comes",
		before: failStatusWrites("half-answer"),
	},
	{
		Name:   "no-answer",
		About:  "the connection breaks twice before a status is written",
		before: failStatusWrites("no-answer", "no-answer"),
	},
	{Name: "slow", About: "each status write takes three seconds", before: failStatusWrites("slow", "slow", "slow")},
	{
		Name:   "forbidden",
		About:  "the first two status writes are forbidden, as when a permission is being approved",
		before: failStatusWrites("forbidden", "forbidden"),
	},
	{Name: "bad-credentials", About: "the token is refused once", before: failStatusWrites("bad-credentials")},
}

func failStatusWrites(names ...string) func(*Server, string, *NewDeployment) {
	return func(s *Server, _ string, _ *NewDeployment) {
		for _, name := range names {
			s.Next(OpCreateStatus, faults[name], 1)
		}
	}
}

func limitStatuses(s *Server, _ string, _ *NewDeployment) {
	passing := func(_ *Server, next http.Handler) http.Handler { return next }
	s.Next(OpCreateStatus, passing, 1)
	s.Next(OpCreateStatus, MaxStatuses, 100)
}
