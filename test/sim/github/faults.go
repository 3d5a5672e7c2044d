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

// Fault is one way in which a call fails. It answers in place of next, before or after calling it.
type Fault func(s *Server, next http.Handler) http.Handler

// Next makes the next calls of an operation fail, as many as times says. The faults of several
// calls of Next are used in order.
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
		return fmt.Errorf("no operation %q on the GitHub side: use one of %q", op, Operations())
	}

	f, ok := faults[fault]
	if !ok {
		return fmt.Errorf("no fault %q on the GitHub side: use one of %q", fault, Faults())
	}

	s.Next(op, f, times)
	return nil
}

// ClearFaults removes the faults of Next that no call has met yet.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
}

// Faults lists the names of faults that NextNamed accepts.
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
	"late-error":         ErrorAfter(http.StatusBadGateway),
	"webhook-first":      WebhookFirst,
	"webhook-last":       WebhookLast,
}

// faulty applies the planned faults of one operation before next.
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

// PrimaryLimit answers as the primary rate limit does: no calls remain until the reset. GitHub uses
// both 403 and 429 for it.
func PrimaryLimit(status int, reset time.Duration) Fault {
	return respondWith(func(s *Server) *response {
		resp := errorResponse(status, "API rate limit exceeded for user ID 583238.")
		at := s.options.Now().Add(reset + time.Second - 1) // rounded up to whole seconds
		resp.header = map[string]string{
			"X-RateLimit-Remaining": "0",
			"X-RateLimit-Reset":     strconv.FormatInt(at.Unix(), 10),
		}

		return resp
	})
}

// SecondaryLimit answers as the secondary rate limit does, with a Retry-After header unless
// retryAfter is 0.
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

// MaxStatuses answers 422, as GitHub does for a deployment that has the maximum number of statuses.
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

// HTMLPage answers with an HTML page, as GitHub's load balancer does when the service behind it is
// down.
func HTMLPage(status int) Fault {
	return func(*Server, http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			io.WriteString(w, "<html><title>Unicorn! &middot; GitHub</title></html>") // an error means that the caller closed the connection
		})
	}
}

// CloseBefore closes the connection before the call has any effect.
func CloseBefore(*Server, http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// CloseAfter lets the call have its effect and closes the connection without a response.
func CloseAfter(_ *Server, next http.Handler) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

// Truncate lets the call have its effect and sends half of the response.
func Truncate(_ *Server, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		full := httptest.NewRecorder()
		next.ServeHTTP(full, r)
		maps.Copy(w.Header(), full.Header())
		w.Header().Set("Content-Length", strconv.Itoa(full.Body.Len()))
		w.WriteHeader(full.Code)
		w.Write(full.Body.Bytes()[:full.Body.Len()/2]) // an error means that the caller closed the connection
		http.NewResponseController(w).Flush()          // the same
		panic(http.ErrAbortHandler)
	})
}

// ErrorAfter lets the call have its effect and answers with an HTML page, as GitHub's load balancer does
// when the service behind it takes too long.
func ErrorAfter(status int) Fault {
	return func(s *Server, next http.Handler) http.Handler {
		page := HTMLPage(status)(s, nil)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(httptest.NewRecorder(), r)
			page.ServeHTTP(w, r)
		})
	}
}

// Delay answers after d.
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

// callScenarios make the first status writes fail.
var callScenarios = []Scenario{
	{
		Name:   "rate-limited",
		About:  "the primary rate limit is exceeded twice, once as 403, once as 429",
		before: failStatusWrites("primary-403", "primary-429"),
	},
	{
		Name:   "slow-down",
		About:  "the secondary rate limit, with Retry-After",
		before: failStatusWrites("secondary-403", "secondary-429"),
	},
	{
		Name:   "slow-down-bare",
		About:  "the secondary rate limit without Retry-After",
		before: failStatusWrites("secondary-403-bare"),
	},
	{Name: "max-statuses", About: "the deployment accepts no status after the first", before: limitStatuses},
	{
		Name:   "server-errors",
		About:  "three status writes are answered with 5xx pages",
		before: failStatusWrites("server-error", "unavailable", "server-error"),
	},
	{
		Name:   "answer-lost",
		About:  "the first status is written, the response is lost",
		before: failStatusWrites("lost-answer"),
	},
	{
		Name:   "half-answer",
		About:  "the first status is written, half of the response arrives",
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
