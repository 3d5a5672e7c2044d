package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// The codes of calls for which Slack has no word of its own.
const (
	codeOK         = "ok"
	codeHeld       = "held"       // not made: Slack has asked to wait with this method
	codeNotSent    = "not_sent"   // nothing has left this machine
	codeNoAnswer   = "no_answer"  // the connection was cut
	codeTimeout    = "timeout"    // no answer within the timeout
	codeCanceled   = "canceled"   // the caller gave up
	codeUnreadable = "unreadable" // an answer that is not one of Slack's API
	codeNoID       = "no_id"      // a success that does not name the message or the view; or auth.test of no bot
	codeLimited    = "ratelimited"
	codeOther      = "other" // in metrics: a word that this version does not know
)

// Slack names a wait in whole seconds, mostly below a minute. defaultWait is for answers without a wait; maxWait
// keeps a broken header from silencing a channel for a day.
const (
	defaultWait = 30 * time.Second
	minWait     = time.Second
	maxWait     = time.Hour
)

// errShape says that an answer has another form than the method's.
var errShape = errors.New("the answer is not one of this method")

// unreadable is the error for an answer of another form.
func unreadable() *notify.SendError {
	return &notify.SendError{Kind: notify.SendUnknown, Code: codeUnreadable, Err: errShape}
}

// noID is the error for a success that names no message or view: what the call has done is not known.
func noID() *notify.SendError { return &notify.SendError{Kind: notify.SendUnknown, Code: codeNoID} }

// answer is the part of an answer that all methods share. Each field is decoded by itself, so that the
// unknown shape of one does not hide the others.
type answer struct {
	OK       json.RawMessage `json:"ok"`
	Error    json.RawMessage `json:"error"`
	Needed   json.RawMessage `json:"needed"`
	Provided json.RawMessage `json:"provided"`
	Metadata json.RawMessage `json:"response_metadata"`
}

// classify says what an exchange means, by its status, the header Retry-After, and Slack's error word. Nil: Slack says
// that the call succeeded. An answer that says neither success nor failure is SendUnknown.
func classify(method string, e exchange, now time.Time) *notify.SendError {
	if e.status == 0 {
		return unanswered(e.err)
	}
	if e.status == http.StatusTooManyRequests {
		return limited("429", e.header, now)
	}

	var a answer
	ok, word := false, ""
	if e.err == nil && json.Unmarshal(e.body, &a) == nil {
		ok, word = string(a.OK) == "true", errorWord(a)
	}

	switch {
	case ok && e.status == http.StatusOK:
		return nil
	case ok || word == "":
		return byStatus(e)
	case word == codeLimited || word == "rate_limited":
		return limited(word, e.header, now)
	default:
		return &notify.SendError{Kind: kindOf(method, word), Code: word, Err: details(a)}
	}
}

// unanswered classifies a call without an answer.
func unanswered(err error) *notify.SendError {
	e := &notify.SendError{Kind: notify.SendUnknown, Code: codeNoAnswer, Err: buildError(err)}
	if outbound.NotSent(err) {
		e.Kind, e.Code = notify.SendNotSent, codeNotSent
		return e
	}

	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = codeTimeout
	case errors.Is(err, context.Canceled):
		e.Code = codeCanceled
	}

	return e
}

// limited classifies an answer that asks to wait, from minWait to maxWait.
func limited(code string, h http.Header, now time.Time) *notify.SendError {
	wait, ok := outbound.RetryAfter(h, now)
	if !ok {
		wait = defaultWait
	}
	return &notify.SendError{Kind: notify.SendLimited, Code: code, Wait: min(max(wait, minWait), maxWait)}
}

// byStatus classifies an answer without an error word: of a proxy, of a wrong address, or of Slack when it
// fails. A redirect is not followed, and is SendUnknown: Slack may have done the call before it was answered.
func byStatus(e exchange) *notify.SendError {
	failure := &notify.SendError{Kind: notify.SendUnknown, Code: strconv.Itoa(e.status)}
	switch e.status {
	case http.StatusOK:
		failure.Code = codeUnreadable
		failure.Err = errShape
		if e.err != nil {
			failure.Err = buildError(e.err)
		}
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusProxyAuthRequired:
		failure.Kind = notify.SendFace
		failure.Err = errors.New("check SERAPH_SLACK_BOT_TOKEN, SERAPH_SLACK_API_URL and the proxy, if there is one")
	case http.StatusRequestEntityTooLarge:
		failure.Kind = notify.SendContent
	}

	return failure
}

// errorWord returns Slack's error word: lower-case letters, digits and underscores. Anything else is none.
func errorWord(a answer) string {
	word := jsonString(a.Error)
	if len(word) > 64 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return ""
	}
	return word
}

// jsonString returns a JSON string, or nothing.
func jsonString(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// Bounds of what is kept of the details of an error, which goes into logs.
const (
	maxDetails = 3
	maxDetail  = 200 // code points
)

// details says which scopes are missing, where blocks are wrong, or what to do about the token. Slack's messages hold
// JSON pointers, and nothing of what was sent.
func details(a answer) error {
	if needed := clean(jsonString(a.Needed)); needed != "" {
		return fmt.Errorf("needs the scope %s, has %s", needed, clean(jsonString(a.Provided)))
	}

	var meta struct {
		Messages []json.RawMessage `json:"messages"`
	}
	if json.Unmarshal(a.Metadata, &meta) != nil {
		return tokenRemedy(a)
	}

	var list []string
	for _, raw := range meta.Messages[:min(len(meta.Messages), maxDetails)] {
		if message := clean(jsonString(raw)); message != "" {
			list = append(list, message)
		}
	}
	if len(list) == 0 {
		return tokenRemedy(a)
	}

	return errors.New(strings.Join(list, "; "))
}

// tokenRemedy says what to do where Slack does not take the token; nil: the word says something else.
func tokenRemedy(a answer) error {
	switch errorWord(a) {
	case "invalid_auth", "not_authed":
		return errors.New("set SERAPH_SLACK_BOT_TOKEN to the bot token of the app's page, under Install App")
	case "account_inactive", "token_revoked":
		return errors.New("install the app again, and set SERAPH_SLACK_BOT_TOKEN to its new bot token")
	case "token_expired":
		return errors.New("the app rotates its tokens, which Seraph cannot follow: make another app with " +
			"\"seraph slack manifest\"")
	default:
		return nil
	}
}

// clean makes one line of a text, at most maxDetail code points long.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")

	if runes := []rune(s); len(runes) > maxDetail {
		s = string(runes[:maxDetail])
	}
	return s
}

// metricCode keeps the labels of a metric a closed set: the codes above, the words of the table, and HTTP
// statuses.
func metricCode(code string) string {
	switch code {
	case codeHeld, codeNotSent, codeNoAnswer, codeTimeout, codeCanceled, codeUnreadable, codeNoID, codeLimited:
		return code
	}
	if _, ok := errorKinds[code]; ok {
		return code
	}
	if n, err := strconv.Atoi(code); err == nil && len(code) == 3 && n >= 100 {
		return code
	}
	return codeOther
}
