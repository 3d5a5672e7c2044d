package github

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// What calls are for: the closed set of operations in metrics and errors.
const (
	opWrite        = "write_status"
	opStatuses     = "list_statuses"
	opDeployments  = "list_deployments"
	opHooks        = "list_hooks"
	opDeliveries   = "list_deliveries"
	opRedeliver    = "redeliver"
	opRepository   = "repository"
	opInstallation = "installation"
	opToken        = "token"
	opApp          = "app"
	opUser         = "user"
	opMeta         = "meta"

	opPerson         = "person"
	opLogin          = "person_by_login"
	opPermission     = "permission"
	opMembership     = "team_membership"
	opTeam           = "team"
	opCommitStatuses = "commit_statuses"
	opCheckRuns      = "check_runs"
	opBranch         = "branch"
	opRules          = "branch_rules"
	opCompare        = "compare"
)

// Kind says what a failed call means for the next try.
type Kind string

// The kinds.
const (
	KindDenied         Kind = "denied"    // 401, 403, 404: credentials or rights; somebody may mend them
	KindLimited        Kind = "limited"   // a rate limit, primary or secondary
	KindMoved          Kind = "moved"     // 3xx: another name
	KindRequestTimeout Kind = "later"     // 408: GitHub did not wait for the request to arrive
	KindInvalid        Kind = "invalid"   // any other 4xx: the same call will never do
	KindFull           Kind = "full"      // no more statuses for this deployment
	KindUnknown        Kind = "unknown"   // 5xx, or a 2xx that cannot be read: it may have had its effect
	KindNotSent        Kind = "not sent"  // no connection was made
	KindNoAnswer       Kind = "no answer" // sent, and nothing came back: it may have had its effect
)

// Error is a call that GitHub did not grant. It holds no token, header or query.
type Error struct {
	Operation           string
	Status              int // 0: no answer
	Message             string
	DocumentationURL    string        // GitHub's link about the refusal
	AcceptedPermissions string        // the permissions that would do, as GitHub names them
	RetryAfter          time.Duration // at least this long before the next try; 0: GitHub did not say
	Kind                Kind
	Err                 error
}

// Error says what was asked, what GitHub said, and what to do about it.
func (e *Error) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("GitHub %s: %v", e.Operation, e.Err)
	}
	text := fmt.Sprintf("GitHub %s: %d %s", e.Operation, e.Status, e.Message)
	if hint := e.remedy(); hint != "" {
		text += " (" + hint + ")"
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// hasStatus says whether one operation met one status. Without a token or an installation the
// operation itself was not asked.
func hasStatus(err error, operation string, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Operation == operation && e.Status == status
}

func (e *Error) remedy() string {
	asApp := e.Operation == opToken || e.Operation == opInstallation || e.Operation == opApp
	switch {
	case e.Kind != KindDenied:
		return ""
	case asApp && e.Status == http.StatusUnauthorized:
		return "check the App's id, its private key and this machine's clock"
	case e.Status == http.StatusUnauthorized:
		return "the token has expired or was revoked"
	case asApp && e.Status == http.StatusNotFound:
		return "install the GitHub App on the repository"
	case e.AcceptedPermissions != "":
		return "needs " + e.AcceptedPermissions
	case e.Status == http.StatusNotFound:
		return "it does not exist, or the credentials may not see it"
	default:
		return ""
	}
}

// classify judges a failed call by status, headers and body alone: go-github's own error types know
// too little.
func classify(operation string, heard response, err error, now time.Time) *Error {
	var inner *Error // a token could not be had
	if errors.As(err, &inner) {
		return inner
	}

	e := &Error{Operation: operation, Status: heard.status, Err: stripURL(err)}
	if heard.status == 0 {
		e.Kind = KindNoAnswer
		if outbound.NotSent(err) {
			e.Kind = KindNotSent
		}

		return e
	}

	if heard.status/100 == 2 {
		e.Kind, e.Message = KindUnknown, singleLine("the answer cannot be read: "+e.Err.Error())
		return e
	}

	e.Message, e.DocumentationURL = errorMessage(heard)
	e.Kind = kindOf(heard.status, heard.header, e.Message, e.DocumentationURL)
	e.RetryAfter, _ = outbound.RetryAfter(heard.header, now)
	switch e.Kind {
	case KindLimited:
		e.RetryAfter = rateLimitWait(heard.header, now)
	case KindDenied:
		e.AcceptedPermissions = singleLine(heard.header.Get("X-Accepted-GitHub-Permissions"))
	}

	return e
}

// stripURL takes the URL out of a transport's error.
func stripURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func kindOf(status int, header http.Header, message, documentation string) Kind {
	switch {
	case status == http.StatusTooManyRequests,
		status == http.StatusForbidden && isRateLimit(header, message, documentation):
		return KindLimited
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound:
		return KindDenied
	case status == http.StatusRequestTimeout:
		return KindRequestTimeout
	case status == http.StatusUnprocessableEntity && strings.Contains(strings.ToLower(message), "maximum number of statuses"):
		return KindFull
	case status/100 == 4:
		return KindInvalid
	case status/100 == 3:
		return KindMoved
	default:
		return KindUnknown
	}
}

// isRateLimit says whether a 403 is a rate limit rather than a missing right (REST API, "Rate limits").
func isRateLimit(h http.Header, message, documentation string) bool {
	lower := strings.ToLower(message)
	return h.Get("Retry-After") != "" || h.Get("X-RateLimit-Remaining") == "0" ||
		strings.Contains(lower, "rate limit") || strings.Contains(lower, "abuse detection") ||
		strings.HasSuffix(
			documentation,
			"secondary-rate-limits",
		) || strings.HasSuffix(documentation, "#abuse-rate-limits")
}

// Bounds of the wait after a limit: GitHub asks for a minute when it gives no hint, and its longest
// window is an hour.
const (
	defaultLimitWait = time.Minute
	maxLimitWait     = time.Hour + time.Minute
)

// rateLimitWait is how long a limit lasts: Retry-After, else until the reset when nothing remains, else a
// minute.
func rateLimitWait(h http.Header, now time.Time) time.Duration {
	if wait, ok := outbound.RetryAfter(h, now); ok {
		return max(wait, time.Second)
	}

	reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if h.Get("X-RateLimit-Remaining") != "0" || err != nil {
		return defaultLimitWait
	}
	if theirs, ok := outbound.Clock(h); ok {
		now = theirs // the reset is a moment of GitHub's clock
	}

	return min(max(time.Unix(reset, 0).Sub(now), time.Second), maxLimitWait)
}
