package slack

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
)

const apiPrefix = "/api/"

// method is one method of the Web API.
type method struct {
	name   string
	scope  string // that it needs; empty: none, or it depends on the conversation
	tier   int    // calls a minute in one workspace
	handle func(*Server, *call) *answer
}

// The numbers of Slack's tiers. Slack allows at least as many calls a minute.
const (
	tier2 = 20
	tier3 = 50
	tier4 = 100
)

var methods = []method{
	{name: "auth.test", tier: 0, handle: (*Server).authTest},
	{name: "chat.postMessage", scope: "chat:write", handle: (*Server).postMessage},
	{name: "chat.update", scope: "chat:write", tier: tier3, handle: (*Server).updateMessage},
	{name: "chat.delete", scope: "chat:write", tier: tier3, handle: (*Server).deleteMessage},
	{name: "chat.postEphemeral", scope: "chat:write", tier: tier4, handle: (*Server).postEphemeral},
	{name: "chat.getPermalink", handle: (*Server).getPermalink},
	{name: "conversations.info", tier: tier3, handle: (*Server).conversationInfo},
	{name: "conversations.history", tier: tier3, handle: (*Server).conversationHistory},
	{name: "conversations.replies", tier: tier3, handle: (*Server).conversationReplies},
	{name: "conversations.open", scope: "im:write", tier: tier3, handle: (*Server).conversationOpen},
	{name: "users.info", scope: "users:read", tier: tier4, handle: (*Server).userInfo},
	{name: "views.open", tier: tier4, handle: (*Server).viewOpen},
	{name: "views.update", tier: tier4, handle: (*Server).viewUpdate},
	{name: "views.publish", tier: tier4, handle: (*Server).viewPublish},
}

// Operations lists the methods that Next and NextNamed accept.
func Operations() []string {
	names := []string{responseMethod}
	for _, m := range methods {
		names = append(names, m.name)
	}
	slices.Sort(names)
	return names
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, m := range methods {
		mux.Handle(apiPrefix+m.name, s.journaled(m, s.faulty(m.name, http.HandlerFunc(s.serveMethod))))
	}

	respond := s.journaled(method{name: responseMethod}, s.faulty(responseMethod, http.HandlerFunc(s.serveResponse)))
	mux.Handle("POST /commands/", respond)
	mux.Handle("POST /actions/", respond)
	mux.HandleFunc(apiPrefix, func(w http.ResponseWriter, r *http.Request) {
		unknown := fail("unknown_method")
		unknown.body["req_method"] = strings.TrimPrefix(r.URL.Path, apiPrefix)
		unknown.write(w)
	})

	return mux
}

// serveMethod answers one call of a method.
func (s *Server) serveMethod(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(callKey{}).(*call)
	s.mu.Lock()
	a := s.invoke(c)
	c.journal.Done = true
	if word, failed := a.body["error"].(string); failed {
		c.journal.Error = word
	}
	if c.in != nil {
		c.journal.Team = c.in.team
		w.Header().Set("X-OAuth-Scopes", strings.Join(c.in.scopes, ","))
		w.Header().Set("X-Accepted-OAuth-Scopes", c.method.scope)
	}

	w.Header().Set("X-Slack-Req-Id", strings.ToLower(s.newID("")))
	s.mu.Unlock()
	s.changed.Broadcast()
	a.write(w)
}

// invoke checks the token, the rate limits and the scope, and calls the method. The caller holds the lock.
func (s *Server) invoke(c *call) *answer {
	if c.token == "" || c.journal.Token == InBody && s.options.HeaderOnly {
		return fail("not_authed")
	}

	if slices.ContainsFunc(s.installations, func(in *installation) bool { return in.revoked == c.token }) {
		return fail("account_inactive")
	}
	at := slices.IndexFunc(s.installations, func(in *installation) bool { return in.token == c.token })
	if at < 0 {
		return fail("invalid_auth")
	}

	c.in = s.installations[at]
	if c.in.refused != "" {
		return fail(c.in.refused)
	}
	if limited := s.limit(c); limited != nil {
		return limited
	}
	if c.method.scope != "" {
		if refused := c.needs(c.method.scope); refused != nil {
			return refused
		}
	}

	a := c.method.handle(s, c)
	if c.journal.ContentType == "application/json" {
		a.warn("missing_charset")
	}

	return a
}

// warn adds a warning, which does not change what the call does.
func (a *answer) warn(word string) {
	a.body["warning"] = word
	metadata, found := a.body["response_metadata"].(Object)
	if !found {
		metadata = Object{}
		a.body["response_metadata"] = metadata
	}
	metadata["warnings"] = []string{word}
}

func (a *answer) write(w http.ResponseWriter) {
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	json.NewEncoder(w).Encode(a.body) // an error means that the caller closed the connection
}

// readMultipart reads the fields of a multipart form. What can be read counts.
func (c *call) readMultipart(raw []byte, boundary string) {
	for reader := multipart.NewReader(bytes.NewReader(raw), boundary); ; {
		part, err := reader.NextPart()
		if err != nil {
			return
		}

		value, err := io.ReadAll(part)
		if err != nil {
			return
		}

		c.args[part.FormName()] = string(value)
	}
}

// authTest says whose the token is.
func (s *Server) authTest(c *call) *answer {
	team := s.teams[c.in.team]
	fields := Object{
		"url":                   "https://" + team.Domain + ".slack.com/",
		"team":                  team.Name,
		"user":                  s.users[c.in.botUser].Name,
		"team_id":               team.ID,
		"user_id":               c.in.botUser,
		"bot_id":                c.in.botID,
		"is_enterprise_install": false,
	}
	if team.Enterprise != "" {
		fields["enterprise_id"] = team.Enterprise
	}

	return ok(fields)
}
