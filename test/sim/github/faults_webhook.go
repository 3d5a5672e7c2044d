package github

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

// WebhookFirst answers a call that creates a deployment only after its webhook was answered. GitHub often
// sends the webhook before it answers the call.
func WebhookFirst(s *Server, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)

		creates := answer.Code == http.StatusCreated && strings.HasSuffix(r.URL.Path, "/deployments")
		if creates && s.options.WebhookURL != "" {
			own := []byte(path.Base(answer.Header().Get("Location")))
			// The error says that the caller closed the connection.
			s.hooks.Wait(r.Context(), func(all []hookshot.Delivery) bool {
				return slices.ContainsFunc(all, func(d hookshot.Delivery) bool {
					return d.Event == "deployment" && bytes.Contains(d.Body, own)
				})
			})
		}

		send(w, answer)
	})
}

// WebhookLast sends the webhook of a new deployment only after the call that creates it was answered.
func WebhookLast(s *Server, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answered := make(chan struct{})
		defer close(answered)
		s.hooks.Next("deployment", hookshot.Treatment{After: answered}, 1)

		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		send(w, answer)
	})
}

// send sends a recorded response to its last byte.
func send(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())
	w.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())          // an error means that the caller closed the connection
	http.NewResponseController(w).Flush() // the same
}
