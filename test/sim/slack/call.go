package slack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Object is a JSON object.
type Object = map[string]any

// Place is where a call had its token.
type Place string

// The places.
const (
	InHeader  Place = "header"
	InBody    Place = "body"
	InQuery   Place = "query"
	InNothing Place = ""
)

// Call is one call of the Web API, or one use of a response URL (Method is then "response_url").
type Call struct {
	Method      string
	Team        string // of the token; empty: no valid one
	Channel     string // as it was sent
	TS          string // of the message that the call was about or made; empty: none
	Thread      string
	User        string // the argument user, user_id or users; of a trigger or a response URL: who caused it
	Token       Place
	ContentType string
	Args        map[string]string // as they were sent, without the token
	At          time.Time
	Done        bool   // the call has reached the method; a fault may have hidden its answer
	Error       string // the method's error; empty: none
	Status      int    // HTTP status that was sent; 0: none yet, or the connection was cut
}

// call is one request while it is answered.
type call struct {
	method  method
	args    map[string]string
	token   string
	in      *installation
	journal *Call
}

// answer is the JSON object that a method answers.
type answer struct {
	status int
	header map[string]string
	body   Object
}

func ok(fields Object) *answer {
	body := Object{"ok": true}
	for name, value := range fields {
		body[name] = value
	}
	return &answer{status: http.StatusOK, body: body}
}

func fail(word string) *answer {
	return &answer{status: http.StatusOK, body: Object{"ok": false, "error": word}}
}

// failAt is a failure that names JSON pointers, as for blocks and views.
func failAt(word string, problems []string) *answer {
	a := fail(word)
	var plain, messages []string
	for _, p := range problems {
		plain = append(plain, p)
		messages = append(messages, "[ERROR] "+p)
	}
	a.body["errors"] = plain
	a.body["response_metadata"] = Object{"messages": messages}

	return a
}

type callKey struct{}

// maxBody is the size above which the body of a call is cut.
const maxBody = 4 << 20

// journaled reads the arguments of a call and writes it to the journal before any fault applies.
func (s *Server) journaled(m method, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return // the caller closed the connection
		}

		r.Body = io.NopCloser(bytes.NewReader(raw)) // faults read it again
		c := &call{method: m, journal: &Call{Method: m.name, At: s.options.Now()}}
		c.readArguments(r, raw)
		c.journal.Args = c.args
		c.journal.Channel, c.journal.TS, c.journal.Thread = c.args["channel"], c.args["ts"], c.args["thread_ts"]
		c.journal.User = cmp.Or(c.args["user"], c.args["user_id"], c.args["users"])
		s.mu.Lock()
		s.calls = append(s.calls, c.journal)
		s.mu.Unlock()

		out := &statusWriter{ResponseWriter: w, server: s, journal: c.journal}
		defer s.changed.Broadcast()
		next.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
	})
}

// statusWriter notes the status of an answer in the journal.
type statusWriter struct {
	http.ResponseWriter
	server  *Server
	journal *Call
}

// WriteHeader notes the status.
func (w *statusWriter) WriteHeader(status int) {
	w.server.mu.Lock()
	w.journal.Status = status
	w.server.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// readArguments reads the arguments and the token from the query, a form or a JSON object. Values that are not text are
// kept as JSON. Slack takes no token from the query.
func (c *call) readArguments(r *http.Request, raw []byte) {
	c.args = map[string]string{}
	query := r.URL.Query()
	for name := range query {
		c.args[name] = query.Get(name)
	}
	if query.Has("token") {
		c.journal.Token = InQuery
	}

	delete(c.args, "token")
	c.journal.ContentType = r.Header.Get("Content-Type")
	kind, params, _ := mime.ParseMediaType(c.journal.ContentType) // an unreadable type has no arguments
	switch kind {
	case "application/x-www-form-urlencoded":
		form, _ := url.ParseQuery(string(raw)) // what can be read counts
		for name := range form {
			c.args[name] = form.Get(name)
		}
	case "multipart/form-data":
		c.readMultipart(raw, params["boundary"])
	case "application/json":
		c.readJSON(raw)
	}

	if token, found := c.args["token"]; found {
		delete(c.args, "token")
		c.token, c.journal.Token = token, InBody
	}
	if token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found {
		c.token = token
		if c.journal.Token == InNothing {
			c.journal.Token = InHeader
		}
	}
}

func (c *call) readJSON(raw []byte) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return
	}

	for name, value := range fields {
		var text string
		switch {
		case json.Unmarshal(value, &text) == nil && string(value) != "null":
			c.args[name] = text
		case string(value) != "null":
			c.args[name] = string(value)
		}
	}
}

// truth reads an argument that is true or false.
func (c *call) truth(name string) bool {
	yes, err := strconv.ParseBool(c.args[name])
	return err == nil && yes
}

// number reads an argument from 1 to limit.
func (c *call) number(name string, fallback, limit int) int {
	n, err := strconv.Atoi(c.args[name])
	if err != nil || n < 1 {
		return fallback
	}
	return min(n, limit)
}

// needs returns the failure of a call whose token has none of the scopes, or nil.
func (c *call) needs(anyOf ...string) *answer {
	for _, scope := range anyOf {
		if slices.Contains(c.in.scopes, scope) {
			return nil
		}
	}

	a := fail("missing_scope")
	a.body["needed"] = strings.Join(anyOf, ",")
	a.body["provided"] = strings.Join(c.in.scopes, ",")
	return a
}
