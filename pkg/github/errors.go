package github

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// The operations name calls in metrics and errors. They are a closed set.
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
	opWorkflowRuns   = "workflow_runs"
	opBranch         = "branch"
	opRules          = "branch_rules"
	opCompare        = "compare"
	opRef            = "ref"
	opTag            = "tag"
	opDeployment     = "deployment"
	opCreate         = "create_deployment"
	opCommit         = "commit"
	opMatchingRefs   = "matching_refs"
)

// Kind classifies a failed call by what it means for the next attempt.
type Kind string

// The kinds of failed calls. After KindUnknown and KindNoAnswer the call may have had its effect,
// after the others it had none.
const (
	KindDenied         Kind = "denied"          // 401, 403, 404: a right is missing, or the thing is not there
	KindLimited        Kind = "limited"         // 429, or a 403 that is a rate limit, primary or secondary
	KindMoved          Kind = "moved"           // 3xx: the thing has another URL now
	KindRequestTimeout Kind = "request timeout" // 408: GitHub did not receive the request in time
	KindInvalid        Kind = "invalid"         // any other 4xx: the same call cannot succeed later
	KindFull           Kind = "full"            // 422: the deployment has as many statuses as GitHub keeps
	KindUnknown        Kind = "unknown"         // any other status, or a 2xx with an invalid body
	KindNotSent        Kind = "not sent"        // no connection was made
	KindNoAnswer       Kind = "no answer"       // the request was sent, and no response came back
)

// Error is a failed call to GitHub. It holds no token, header or query.
type Error struct {
	Operation           string
	Status              int           // HTTP status; 0: no response
	Message             string        // of the response; empty without one
	OwnMessage          bool          // the message is GitHub's; a proxy's page has none
	DocumentationURL    string        // GitHub's link about the failure; may be empty
	AcceptedPermissions string        // permissions that would be enough, in GitHub's words; only with KindDenied
	ServerVersion       string        // of a GitHub Enterprise Server; empty for github.com
	RetryAfter          time.Duration // wait at least this long before the next attempt; 0: GitHub did not say
	Exhausted           bool          // KindLimited: no calls of the credential remain until RetryAfter
	Kind                Kind
	Err                 error
}

// Error returns the operation, what GitHub answered and, where one is known, the remedy.
func (e *Error) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("GitHub %s: %v", e.Operation, e.Err)
	}

	text := fmt.Sprintf("GitHub %s: %d %s", e.Operation, e.Status, e.Message)
	if remedy := e.remedy(); remedy != "" {
		text += " (" + remedy + ")"
	}

	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// hasStatus reports whether err is a given status in answer to a given operation. A call that
// failed because no token could be created or no installation was found has the operation of that
// step.
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

// classify turns a failed call into an *Error, never nil. It judges by the recorded status, headers
// and body, because the error types of go-github v60 do not cover all of GitHub's answers.
func classify(operation string, recorded response, err error, now time.Time) *Error {
	var inner *Error
	if errors.As(err, &inner) { // no token could be created, so the call itself was not made
		return inner
	}

	e := &Error{Operation: operation, Status: recorded.status, Err: stripURL(err)}
	if recorded.status == 0 {
		e.Kind = KindNoAnswer
		if outbound.NotSent(err) {
			e.Kind = KindNotSent
		}

		return e
	}

	if recorded.status/100 == 2 {
		e.Kind, e.Message = KindUnknown, singleLine("invalid response: "+e.Err.Error())
		var accepted *gh.AcceptedError
		if errors.As(err, &accepted) {
			recorded.body = accepted.Raw // the words in which GitHub says what it did instead
			if text, _, own := errorMessage(recorded); own {
				e.Message, e.OwnMessage = text, true
			}
		}

		return e
	}

	e.Message, e.DocumentationURL, e.OwnMessage = errorMessage(recorded)
	e.ServerVersion = singleLine(recorded.header.Get("X-GitHub-Enterprise-Version"))
	e.Kind = kindOf(recorded.status, recorded.header, e.Message, e.DocumentationURL)
	e.RetryAfter, _ = outbound.RetryAfter(recorded.header, now)
	switch e.Kind {
	case KindLimited:
		e.RetryAfter = rateLimitWait(recorded.header, now)
		e.Exhausted = recorded.header.Get("X-RateLimit-Remaining") == "0"
	case KindDenied:
		e.AcceptedPermissions = singleLine(recorded.header.Get("X-Accepted-GitHub-Permissions"))
	}

	return e
}

// stripURL removes the URL, which may hold a query, from an error of net/http.
func stripURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func kindOf(status int, header http.Header, message, documentationURL string) Kind {
	isFull := strings.Contains(strings.ToLower(message), "maximum number of statuses")
	switch {
	case status == http.StatusTooManyRequests,
		status == http.StatusForbidden && isRateLimit(header, message, documentationURL):
		return KindLimited
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound:
		return KindDenied
	case status == http.StatusRequestTimeout:
		return KindRequestTimeout
	case status == http.StatusUnprocessableEntity && isFull:
		return KindFull
	case status/100 == 4:
		return KindInvalid
	case status/100 == 3:
		return KindMoved
	default:
		return KindUnknown
	}
}

// isRateLimit reports whether a 403 is a rate limit rather than a missing right (REST API, "Rate
// limits for the REST API"). GitHub answers both limits with 403 or 429, and a secondary limit not
// always with a header.
func isRateLimit(h http.Header, message, documentationURL string) bool {
	lower := strings.ToLower(message)
	return h.Get("Retry-After") != "" ||
		h.Get("X-RateLimit-Remaining") == "0" ||
		strings.Contains(lower, "rate limit") ||
		strings.Contains(lower, "abuse detection") ||
		strings.HasSuffix(documentationURL, "secondary-rate-limits") ||
		strings.HasSuffix(documentationURL, "#abuse-rate-limits")
}

// Waits after a rate limit (REST API, "Rate limits for the REST API", "Exceeding the rate limit").
const (
	defaultLimitWait = time.Minute             // GitHub asks for a minute where it sends no header
	maxLimitWait     = time.Hour + time.Minute // the longest window of a limit is an hour
)

// rateLimitWait returns how long a rate limit lasts: as Retry-After says, else until the reset if no
// calls remain, else defaultLimitWait. It is at least a second.
func rateLimitWait(h http.Header, now time.Time) time.Duration {
	if wait, ok := outbound.RetryAfter(h, now); ok {
		return max(wait, time.Second)
	}

	reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil || h.Get("X-RateLimit-Remaining") != "0" {
		return defaultLimitWait
	}
	if serverTime, ok := outbound.ServerTime(h); ok {
		now = serverTime // the reset is a time of GitHub's clock
	}

	return min(max(time.Unix(reset, 0).Sub(now), time.Second), maxLimitWait)
}
