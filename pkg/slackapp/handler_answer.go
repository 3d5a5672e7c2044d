package slackapp

import (
	"encoding/json"
	"net/http"

	"github.com/seraph-deploy/seraph/pkg/slack"
)

// What people read when nothing was done.
const (
	notStored = "Seraph could not store this, so most likely nothing was asked for. " +
		"See what happens before you ask again."
	unknownWorkspace = "Seraph does not know yet which Slack workspace it answers, and nothing was done. " +
		"Try again in a minute."
	otherWorkspace = "This Seraph answers another Slack workspace, and nothing was done."
)

// answer is how a request of Slack is answered.
type answer struct {
	status int
	result string // for the metric
	event  string // for the metric; empty: the kind of the request
	words  string // why nothing was done
	final  bool   // Slack should not send it again
	cause  error  // for the log

	plain string // the body
	json  any    // the body, instead of plain
}

// replayed refuses a request whose signature was used before. What came first was stored.
var replayed = answer{
	status: http.StatusUnauthorized,
	result: "unauthorized",
	words:  "the signature was used before",
	final:  true,
}

// or sets the result of an answer that has none yet. A refusal gets no other body than the one that says why.
func (a answer) or(result string) answer {
	if a.result == "" {
		a.result = result
	}
	if a.status != http.StatusOK {
		a.plain, a.json = "", nil
	}
	return a
}

// ephemeral is a message that only the one who asked sees.
func ephemeral(text string) any {
	return struct {
		ResponseType string `json:"response_type"`
		Text         string `json:"text"`
	}{"ephemeral", text}
}

// viewErrors keeps a modal open and shows what is wrong.
func viewErrors(errs slack.ViewErrors) any {
	return struct {
		ResponseAction string           `json:"response_action"`
		Errors         slack.ViewErrors `json:"errors"`
	}{"errors", errs}
}

// errorBody is what this service answers with wherever it refuses.
func errorBody(code, message string) any {
	type inner struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	return struct {
		Error inner `json:"error"`
	}{inner{code, message}}
}

// finish counts, logs and writes an answer. The metric and the log show nothing that the request holds.
func (h *Handler) finish(w http.ResponseWriter, in slack.Incoming, a answer) {
	h.o.Observe(face, eventLabel(in, a), a.result)
	if a.words != "" {
		h.o.Log.Warn().Err(a.cause).
			Str("source", face).
			Str("event", eventLabel(in, a)).
			Int("status", a.status).
			Str("reason", a.words).
			Msg("webhook rejected")
	}

	if a.final && a.status != http.StatusOK {
		w.Header().Set("X-Slack-No-Retry", "1")
	}
	if a.json == nil && a.words != "" {
		a.json = errorBody(a.result, a.words)
	}
	if a.json == nil {
		if a.plain != "" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.plain))
		return
	}

	body, err := json.Marshal(a.json)
	if err != nil { // cannot be: the types above hold texts only
		w.WriteHeader(http.StatusInternalServerError)
		return
	}

	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}

// eventLabel is from a closed set: the kinds of requests, and "other".
func eventLabel(in slack.Incoming, a answer) string {
	switch {
	case a.event != "":
		return a.event
	case in.Kind == "" || in.Kind == slack.KindIgnored:
		return "other"
	default:
		return string(in.Kind)
	}
}
