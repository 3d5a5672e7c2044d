package github

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// Kind says what a refusal means for the next try.
type Kind string

// The kinds.
const (
	KindDenied   Kind = "denied"   // 401, 403, 404: credentials or rights; somebody may mend them
	KindLimited  Kind = "limited"  // a rate limit, primary or secondary
	KindMoved    Kind = "moved"    // 301, 302, 307, 308: another name
	KindInvalid  Kind = "invalid"  // any other 4xx: the same call will never do
	KindFull     Kind = "full"     // no more statuses for this deployment
	KindUnknown  Kind = "unknown"  // 5xx, 408, or an answer that cannot be read: it may have had its effect
	KindNotSent  Kind = "not sent" // no connection was made
	KindNoAnswer Kind = "no answer"
)

// Error is a call that GitHub did not grant.
type Error struct {
	Operation  string
	Status     int // 0: no answer
	Message    string
	Needs      string // the permission that is missing, as GitHub names it
	RetryAfter time.Duration
	Kind       Kind
	Err        error
}

// Error says what was asked and what GitHub said.
func (e *Error) Error() string {
	switch {
	case e.Status == 0:
		return fmt.Sprintf("GitHub %s: %v", e.Operation, e.Err)
	case e.Needs != "":
		return fmt.Sprintf("GitHub %s: %d %s (needs %s)", e.Operation, e.Status, e.Message, e.Needs)
	default:
		return fmt.Sprintf("GitHub %s: %d %s", e.Operation, e.Status, e.Message)
	}
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// noHint is how long a limit without any header is waited for (REST API, "rate limits").
const noHint = time.Minute

// failure classifies what went wrong by status, headers and body alone; go-github's own error types know too little (429 is no limit to them).
func (c *Client) failure(operation string, resp *gh.Response, err error) *Error {
	e := &Error{Operation: operation, Err: err}
	raw := restore(response(resp, err))
	if raw == nil {
		e.Kind, e.Err = KindNoAnswer, bare(err)
		if outbound.NotSent(err) {
			e.Kind = KindNotSent
		}
		return e
	}
	e.Status, e.Message = raw.StatusCode, said(err, raw)
	e.RetryAfter, _ = outbound.RetryAfter(raw.Header, c.o.Now())
	e.Kind = kindOf(raw, e.Message)
	switch e.Kind {
	case KindLimited:
		e.RetryAfter = limit(raw.Header, c.o.Now())
	case KindDenied:
		e.Needs = raw.Header.Get("X-Accepted-GitHub-Permissions")
	}
	return e
}

// response finds the answer behind an error, that of a token request included.
func response(resp *gh.Response, err error) *http.Response {
	var token *ghinstallation.HTTPError
	switch {
	case errors.As(err, &token) && token.Response != nil:
		return token.Response
	case resp != nil && resp.Response != nil:
		return resp.Response
	default:
		return nil
	}
}

func said(err error, raw *http.Response) string {
	var e *gh.ErrorResponse
	if !errors.As(err, &e) {
		if raw.StatusCode/100 == 2 {
			return "the answer cannot be read"
		}
		return http.StatusText(raw.StatusCode)
	}
	parts := []string{e.Message}
	for _, detail := range e.Errors {
		if detail.Message != "" {
			parts = append(parts, detail.Message)
		}
	}
	return strings.Join(parts, ": ")
}

func kindOf(raw *http.Response, message string) Kind {
	status := raw.StatusCode
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusForbidden && limited(raw.Header, message):
		return KindLimited
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound:
		return KindDenied
	case status/100 == 3:
		return KindMoved
	case status == http.StatusUnprocessableEntity && strings.Contains(strings.ToLower(message), "maximum number of statuses"):
		return KindFull
	case status/100 == 4 && status != http.StatusRequestTimeout:
		return KindInvalid
	default:
		return KindUnknown
	}
}

// limited says whether a 403 is a rate limit rather than a missing right.
func limited(h http.Header, message string) bool {
	lower := strings.ToLower(message)
	return h.Get("Retry-After") != "" || h.Get("X-RateLimit-Remaining") == "0" ||
		strings.Contains(lower, "rate limit") || strings.Contains(lower, "abuse detection")
}

// limit is how long a limit lasts: Retry-After, else until the reset when nothing remains, else a minute.
func limit(h http.Header, now time.Time) time.Duration {
	if wait, ok := outbound.RetryAfter(h, now); ok {
		return wait
	}
	if h.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return min(max(time.Unix(reset, 0).Sub(now), time.Second), time.Hour+time.Minute)
		}
	}
	return noHint
}

// bare takes the URL out of a transport's error.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// normal hides from go-github what it would make too much of: after a limit it refuses every call of a client, reads too, without asking
// GitHub, for up to an hour. Our own wait is the row's due time, so the headers that say so are taken away from it and put back for us.
type normal struct{ base http.RoundTripper }

// hidden are the headers that make go-github block itself.
var hidden = []string{"X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Limit", "Retry-After"}

// kept is where a hidden header is found again.
const kept = "X-Seraph-Kept-"

// RoundTrip implements http.RoundTripper.
func (n normal) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := n.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	for _, name := range hidden {
		if v := resp.Header.Get(name); v != "" {
			resp.Header.Set(kept+name, v)
			resp.Header.Del(name)
		}
	}
	if resp.StatusCode == http.StatusForbidden {
		soften(resp)
	}
	if resp.StatusCode >= 300 {
		drain(resp)
	}
	return resp, nil
}

// soften takes the documentation link out of a 403, by which go-github recognises a secondary limit.
func soften(resp *http.Response) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	var body map[string]any
	if err == nil && json.Unmarshal(data, &body) == nil {
		delete(body, "documentation_url")
		data, _ = json.Marshal(body)
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
}

// drain reads an answer that is an error into memory, because go-github does not close its body.
func drain(resp *http.Response) {
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(data))
}

// restore puts the hidden headers back for our own reading.
func restore(resp *http.Response) *http.Response {
	if resp == nil {
		return nil
	}
	again := *resp
	again.Header = resp.Header.Clone()
	for _, name := range hidden {
		if v := again.Header.Get(kept + name); v != "" {
			again.Header.Set(name, v)
		}
	}
	return &again
}
