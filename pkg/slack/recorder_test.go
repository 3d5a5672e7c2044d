package slack

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

const testToken = "xoxb-1234-very-secret-token"

// request is what a server of a test has received.
type request struct {
	path, authorization, body string
	form                      url.Values
}

// recorder is a server that keeps what it receives and answers with the handler of a method.
type recorder struct {
	server *httptest.Server

	mu       sync.Mutex
	requests []request
	codes    []string // method=code, as the client's observer was given
}

// answers is what a server answers, by path without the leading slash.
type answers map[string]http.HandlerFunc

// newRecorder returns a client of a Slack that answers as given.
func newRecorder(t *testing.T, a answers) (*Client, *recorder) {
	t.Helper()
	r := &recorder{}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		form, _ := url.ParseQuery(string(body))
		req.Body = io.NopCloser(bytes.NewReader(body))
		path := strings.TrimPrefix(req.URL.Path, "/api/")
		r.mu.Lock()
		r.requests = append(r.requests, request{
			path:          path,
			authorization: req.Header.Get("Authorization"),
			body:          string(body),
			form:          form,
		})
		r.mu.Unlock()

		if h, ok := a[path]; ok {
			h(w, req)
			return
		}
		http.NotFound(w, req)
	}))
	t.Cleanup(r.server.Close)

	base, err := url.Parse(r.server.URL + "/api/")
	if err != nil {
		t.Fatal(err)
	}
	return newTestClient(t, base, r.observe), r
}

// newTestClient returns a client of Slack at an address.
func newTestClient(t *testing.T, base *url.URL, observe func(method, code string)) *Client {
	t.Helper()
	transport := outbound.New(outbound.Options{Timeout: time.Minute, MaxBody: 1 << 20})
	t.Cleanup(transport.CloseIdle)
	return New(Options{
		BaseURL:   base,
		Token:     testToken,
		HTTP:      transport.Client(),
		UserAgent: "seraph/test",
		Observe:   observe,
	})
}

func (r *recorder) observe(method, code string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.codes = append(r.codes, method+"="+code)
}

// last returns the newest request.
func (r *recorder) last(t *testing.T) request {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.requests) == 0 {
		t.Fatal("got no request")
	}
	return r.requests[len(r.requests)-1]
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests)
}

// answerOf returns a handler of one answer.
func answerOf(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// sendError returns the *notify.SendError of an error.
func sendError(t *testing.T, err error) *notify.SendError {
	t.Helper()
	var e *notify.SendError
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want a *notify.SendError", err)
	}
	return e
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
