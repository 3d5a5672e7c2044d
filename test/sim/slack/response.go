package slack

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// responseMethod is the name of uses of response URLs among Operations and Calls.
const responseMethod = "response_url"

// The bounds of a response URL.
const (
	responseUses = 5
	responseLife = 30 * time.Minute
)

// responseURL is a URL that the app got with a command or a click.
type responseURL struct {
	team    string
	user    string
	channel string
	ts      string // of the message that was clicked; empty: a command
	thread  string
	expires time.Time
	uses    int
}

// responseBody is what the app sends to a response URL, or answers to a command.
type responseBody struct {
	Text    string   `json:"text"`
	Blocks  []Object `json:"blocks"`
	Type    string   `json:"response_type"`
	Thread  string   `json:"thread_ts"`
	Replace bool     `json:"replace_original"`
	Delete  bool     `json:"delete_original"`
}

// newResponse returns the path of a new response URL. The caller holds the lock.
func (s *Server) newResponse(prefix, user, channel, ts, thread string) string {
	team := s.users[user].Team
	if m := s.find(channel, ts); m != nil {
		team = m.Team
	}

	path := prefix + team + "/" + strconv.FormatInt(s.options.Now().UnixNano(), 10) + "/" + s.newID("secret")
	s.responses[path] = &responseURL{
		team:    team,
		user:    user,
		channel: channel,
		ts:      ts,
		thread:  thread,
		expires: s.options.Now().Add(responseLife),
	}

	return path
}

// serveResponse answers one use of a response URL.
func (s *Server) serveResponse(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(callKey{}).(*call)
	s.mu.Lock()
	status, word := s.respond(c, r)
	c.journal.Done, c.journal.Error = true, word
	s.mu.Unlock()
	s.changed.Broadcast()
	if word != "" {
		refused := fail(word)
		refused.status = status
		refused.write(w)
		return
	}

	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	io.WriteString(w, "ok") // an error means that the caller closed the connection
}

// respond does what was sent to a response URL, or returns a status and an error.
func (s *Server) respond(c *call, r *http.Request) (int, string) {
	u := s.responses[r.URL.Path]
	switch {
	case u == nil:
		return http.StatusNotFound, "no_service"
	case s.options.Now().After(u.expires):
		return http.StatusNotFound, "expired_url"
	case u.uses >= responseUses:
		return http.StatusNotFound, "used_url"
	}

	c.journal.Team, c.journal.Channel, c.journal.User = u.team, u.channel, u.user
	var in responseBody
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return http.StatusBadRequest, "invalid_payload"
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return http.StatusBadRequest, "invalid_payload"
	}
	if problems := checkBlocks(in.Blocks, onMessage); len(problems) > 0 {
		return http.StatusBadRequest, "invalid_blocks"
	}
	if in.Text == "" && len(in.Blocks) == 0 && !in.Delete {
		return http.StatusInternalServerError, "no_text"
	}

	u.uses++
	s.completeBlocks(in.Blocks)
	s.applyResponse(c, u, in)

	return 0, ""
}

// applyResponse shows what was sent to a response URL. An ephemeral message cannot become a public one.
func (s *Server) applyResponse(c *call, u *responseURL, in responseBody) {
	original := s.find(u.channel, u.ts)
	if original != nil && (in.Delete || in.Replace) {
		s.revise(original, func(now *Message) {
			now.Deleted = in.Delete
			if !in.Delete {
				now.Text, now.Blocks = in.Text, in.Blocks
			}
		})
		c.journal.TS = original.TS
		return
	}

	app := s.installationOf(u.team)
	m := Message{
		Channel: u.channel,
		Thread:  in.Thread,
		Team:    app.team,
		User:    app.botUser,
		BotID:   app.botID,
		Text:    in.Text,
		Blocks:  in.Blocks,
	}
	if in.Type != "in_channel" {
		m.OnlyFor = u.user
	}

	c.journal.TS = s.add(m).TS
}
