package circleci

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
)

var faults = map[string]sim.Fault{
	"rate-limited": {
		Status: http.StatusTooManyRequests,
		Body:   "Rate limited.",
		Header: http.Header{"Retry-After": {"1"}},
	},
	"rate-limited-bare": {Status: http.StatusTooManyRequests, Body: "{}"},
	"server-error":      {Status: http.StatusInternalServerError, Body: `{"message":"Internal server error."}`},
	"unavailable":       {Status: http.StatusServiceUnavailable, Body: "<html><h1>503 Service Unavailable</h1></html>"},
	"error-after": {
		Status:      http.StatusBadGateway,
		Body:        "<html><h1>502 Bad Gateway</h1></html>",
		AfterEffect: true,
	},
	"bad-token":   {Status: http.StatusUnauthorized, Body: `{"message":"You must log in first."}`},
	"not-found":   {Status: http.StatusNotFound, Body: `{"message":"Project not found"}`},
	"no-answer":   {ResetBefore: true},
	"lost-answer": {ResetAfter: true},
	"half-answer": {Truncate: true},
	"late-effect": {ResetBefore: true, LateEffect: 3 * time.Second},
	"slow":        {Delay: 3 * time.Second},

	// A proxy answers in place of CircleCI, before the call or after it has had its effect.
	"foreign-object":       {Status: http.StatusOK, Body: "{}"},
	"foreign-object-after": {Status: http.StatusOK, Body: "{}", AfterEffect: true},
	"foreign-json":         {Status: http.StatusOK, Body: `{"status":"ok","data":[]}`},
}

// Faults lists the names of faults that NextNamed accepts.
func Faults() []string { return slices.Sorted(maps.Keys(faults)) }

// NextNamed makes the next calls of an operation, as many as times says, fail with a fault from
// Faults.
func (s *Server) NextNamed(op, fault string, times int) error {
	if !slices.Contains(Operations(), op) {
		return fmt.Errorf("no operation %q on the CircleCI side: use one of %q", op, Operations())
	}

	f, ok := faults[fault]
	if !ok {
		return fmt.Errorf("no fault %q on the CircleCI side: use one of %q", fault, Faults())
	}

	s.named.Next(op, f, times)
	return nil
}

// ClearFaults removes the faults of NextNamed that no call has met yet.
func (s *Server) ClearFaults() { s.named.Clear("") }

// faulty applies the planned faults of one operation before next.
func (s *Server) faulty(op string, next http.Handler) http.Handler {
	if s.options.Plan != nil {
		next = s.options.Plan.Wrap(op, next)
	}
	return s.named.Wrap(op, next)
}
