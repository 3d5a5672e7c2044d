package slack

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
)

const html = "<!DOCTYPE html><html><body><h1>Please sign in to the proxy</h1></body></html>"

// answered is a fault with status 200 and a JSON body.
func answered(body string, afterEffect bool) sim.Fault {
	return sim.Fault{Status: http.StatusOK, Body: body, Header: jsonHeader(), AfterEffect: afterEffect}
}

func jsonHeader() http.Header {
	return http.Header{"Content-Type": {"application/json; charset=utf-8"}}
}

// limited is a 429, with a Retry-After unless it is empty.
func limited(retryAfter string) sim.Fault {
	h := jsonHeader()
	if retryAfter != "" {
		h.Set("Retry-After", retryAfter)
	}
	return sim.Fault{Status: http.StatusTooManyRequests, Body: `{"ok":false,"error":"ratelimited"}`, Header: h}
}

// Redirect is a fault that sends the caller to another host.
func Redirect(status int, to string) sim.Fault {
	return sim.Fault{Status: status, Header: http.Header{"Location": {to}}}
}

// Refusal is a fault that answers with an error, such as edit_window_closed, and has no effect.
func Refusal(word string) sim.Fault {
	return answered(`{"ok":false,"error":`+strconv.Quote(word)+`}`, false)
}

// faultsAt returns the named faults at one moment.
func (s *Server) faultsAt(now time.Time) map[string]sim.Fault {
	htmlHeader := http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	lateDate := now.Add(2 * time.Second).UTC().Format(http.TimeFormat)
	limitedAfter := limited("1")
	limitedAfter.AfterEffect = true

	return map[string]sim.Fault{
		"rate-limited":        limited("1"),
		"rate-limited-hour":   limited("3600"),
		"rate-limited-bare":   limited(""),
		"rate-limited-date":   limited(lateDate),
		"rate-limited-200":    answered(`{"ok":false,"error":"ratelimited"}`, false),
		"rate-limited-after":  limitedAfter, // seen with chat.postMessage: 429, and the message was posted
		"empty-object":        answered(`{}`, false),
		"empty-object-after":  answered(`{}`, true),
		"no-error-word":       answered(`{"ok":false}`, false),
		"odd-errors":          answered(`{"ok":false,"error":"invalid_blocks","errors":[[1]]}`, false),
		"fatal-error":         answered(`{"ok":false,"error":"fatal_error"}`, false),
		"fatal-error-after":   answered(`{"ok":false,"error":"fatal_error"}`, true),
		"internal-error":      answered(`{"ok":false,"error":"internal_error"}`, false),
		"service-unavailable": answered(`{"ok":false,"error":"service_unavailable"}`, false),
		"invalid-auth":        answered(`{"ok":false,"error":"invalid_auth"}`, false),
		"html":                {Status: http.StatusOK, Body: html, Header: htmlHeader},
		"html-after":          {Status: http.StatusOK, Body: html, Header: htmlHeader, AfterEffect: true},
		"server-error":        {Status: http.StatusInternalServerError, Body: "{}", Header: jsonHeader()},
		"unavailable":         {Status: http.StatusServiceUnavailable, Body: html, Header: htmlHeader},
		"error-after":         {Status: http.StatusBadGateway, Body: html, Header: htmlHeader, AfterEffect: true},
		"no-answer":           {ResetBefore: true},
		"lost-answer":         {ResetAfter: true},
		"half-answer":         {Truncate: true},
		"late-effect":         {ResetBefore: true, LateEffect: 3 * time.Second},
		"slow":                {Delay: 3 * time.Second},
		"redirect-302":        Redirect(http.StatusFound, s.options.RedirectTo),
		"redirect-307":        Redirect(http.StatusTemporaryRedirect, s.options.RedirectTo),
		"redirect-308":        Redirect(http.StatusPermanentRedirect, s.options.RedirectTo),
	}
}

// Faults lists the names of faults that NextNamed and Fault accept.
func Faults() []string {
	return slices.Sorted(maps.Keys((&Server{}).faultsAt(time.Time{})))
}

// Fault returns a named fault, for Options.Plan.
func (s *Server) Fault(name string) (sim.Fault, bool) {
	f, found := s.faultsAt(s.options.Now())[name]
	return f, found
}

// Next makes the next calls of a method ("" for any) fail, as many as times says.
func (s *Server) Next(method string, f sim.Fault, times int) { s.named.Next(method, f, times) }

// NextNamed is Next with a fault from Faults.
func (s *Server) NextNamed(method, fault string, times int) error {
	if !slices.Contains(Operations(), method) {
		return fmt.Errorf("no operation %q on the Slack side: use one of %q", method, Operations())
	}

	f, found := s.Fault(fault)
	if !found {
		return fmt.Errorf("no fault %q on the Slack side: use one of %q", fault, Faults())
	}

	s.Next(method, f, times)
	return nil
}

// ClearFaults removes the faults of Next and NextNamed that no call has met yet.
func (s *Server) ClearFaults() { s.named.Clear("") }

// WaitLate waits until the late effects of faults have happened.
func (s *Server) WaitLate() { s.named.WaitLate() }

// faulty applies the planned faults of one method before next.
func (s *Server) faulty(method string, next http.Handler) http.Handler {
	if s.options.Plan != nil {
		next = s.options.Plan.Wrap(method, next)
	}
	return s.named.Wrap(method, next)
}
