package link_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// TestGitHub_Account checks what each answer of GitHub becomes: a person only where GitHub shows one, and an error that
// repeats nothing of an answer.
func TestGitHub_Account(t *testing.T) {
	const (
		token = `{"access_token":"gho_leaked","token_type":"bearer","scope":""}`
		user  = `{"id":5,"login":"alice","type":"User"}`
	)
	for _, c := range []struct {
		name        string
		token, user string
		tokenStatus int
		userStatus  int
		refused     string // code of a *SignInError; empty: another error, or none
		about       string // part of the error; empty: none
	}{
		{name: "a person", token: token, user: user},
		{name: "a form", token: "access_token=gho_leaked&token_type=bearer", user: user, about: "the answer is no token"},
		{
			name:    "a code that was used",
			token:   `{"error":"bad_verification_code","error_description":"gho_leaked"}`,
			refused: "bad_verification_code",
			about:   "bad_verification_code",
		},
		{name: "another error", token: `{"error":"gho_leaked"}`, refused: "refused", about: "refused"},
		{name: "an empty answer", token: `{}`, about: "the answer is no token"},
		{name: "a page", token: "<p>gho_leaked</p>", about: "the answer is no token"},
		{name: "a fault", token: "gho_leaked", tokenStatus: 500, about: "HTTP status 500"},
		{name: "no rights", token: token, user: `gho_leaked`, userStatus: 401, about: "HTTP status 401"},
		{name: "no JSON", token: token, user: `gho_leaked`, about: "not the JSON of a user"},
		{name: "no user", token: token, user: `{}`, refused: "no_person", about: "no_person"},
		{
			name:    "an organization",
			token:   token,
			user:    `{"id":5,"login":"acme","type":"Organization"}`,
			refused: "no_person",
			about:   "no_person",
		},
		{
			name:    "a login that no one has",
			token:   token,
			user:    `{"id":5,"login":"../x","type":"User"}`,
			refused: "no_person",
			about:   "no_person",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer, status := c.token, c.tokenStatus
				switch {
				case r.Method == http.MethodDelete:
					answer, status = "", http.StatusNoContent
				case r.URL.Path == "/user":
					answer, status = c.user, c.userStatus
				}
				w.Header().Set("Content-Type", "application/json")
				if status != 0 {
					w.WriteHeader(status)
				}
				_, _ = fmt.Fprint(w, answer)
			}))
			t.Cleanup(server.Close)
			transport := outbound.New(outbound.Options{Timeout: time.Minute})
			t.Cleanup(transport.CloseIdle)

			var log bytes.Buffer
			base := mustURL(t, server.URL)
			got, err := link.NewGitHub(link.GitHubOptions{
				ClientID:     clientID,
				ClientSecret: clientSecret,
				Web:          base,
				API:          base,
				Public:       base,
				HTTP:         transport.Client(),
				UserAgent:    "seraph",
				Log:          zerolog.New(&log),
			}).Account(t.Context(), "a-code", "a-verifier")

			if c.about == "" {
				if err != nil || got.ID != 5 || got.Login != "alice" {
					t.Errorf("got %+v, %v, want alice", got, err)
				}
				return
			}
			var refused *link.SignInError
			code := ""
			if errors.As(err, &refused) {
				code = refused.Code
			}
			if err == nil || code != c.refused || !strings.Contains(err.Error(), c.about) || got.ID != 0 {
				t.Errorf("got %+v, %v, want an error with %q and the code %q", got, err, c.about, c.refused)
			}
			for _, secret := range []string{"gho_leaked", "a-code", "a-verifier", clientSecret} {
				if strings.Contains(fmt.Sprint(err), secret) || strings.Contains(log.String(), secret) {
					t.Errorf("got %v and the log %s, want nothing of %q", err, &log, secret)
				}
			}
		})
	}
}
