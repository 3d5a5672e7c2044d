package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/test/memnet"
)

// streaming starts a service and returns a client for it.
func streaming(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)

	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{URL: u, Token: "secret"})
}

// streamingInMemory is streaming over a network in memory, for synctest.Test.
func streamingInMemory(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	return New(Options{
		URL:   &url.URL{Scheme: "http", Host: "seraph.test"},
		Token: "secret",
		HTTP:  memnet.Serve(t, answer),
	})
}

func TestEvents_ReadsChanges(t *testing.T) {
	requests := make(chan *http.Request, 1)
	c := streaming(t, func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, "retry: 2000\n\n: ping\n\nevent: later\ndata: []\n\n"+
			"id: 41-2\nevent: deployment\n"+
			`data: {"id":7,"repository":"acme/api","environment":"staging","state":"running","version":2,"new":1}`+"\n\n")
	})

	stream, err := c.Events(t.Context(), EventQuery{Repository: "acme/api", Deployment: 7}, "41-1")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()

	got, err := stream.Next()
	if err != nil {
		t.Fatal(err)
	}
	want := api.DeploymentEvent{ID: 7, Repository: "acme/api", Environment: "staging", State: "running", Version: 2}
	if diff := cmp.Diff(want, got); diff != "" || stream.LastID() != "41-2" {
		t.Errorf("got id %q, want 41-2; event differs:\n%s", stream.LastID(), diff)
	}

	r := <-requests
	if r.URL.String() != "/api/v1/events?deployment=7&repository=acme%2Fapi" ||
		r.Header.Get("Last-Event-ID") != "41-1" || r.Header.Get("Authorization") != "Bearer secret" {
		t.Errorf("got %s with headers %v, want the filters, the last id and the token", r.URL, r.Header)
	}

	if _, err := stream.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v at the end, want %v", err, io.EOF)
	}
}

func TestEvents_Refused(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{
			name:   "of an earlier version",
			answer: http.NotFound,
			want:   "the server answered 404: Not Found",
		},
		{
			name: "too many",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, `{"error":{"code":"unavailable","message":"too many watch"}}`)
			},
			want: "Seraph answered 503: too many watch",
		},
		{
			name:   "page of something else",
			answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
			want:   "is no stream of events: check that SERAPH_API_URL is the address of Seraph",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream, err := streaming(t, test.answer).Events(t.Context(), EventQuery{}, "")
			if stream != nil || err == nil || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestEvents_BrokenStreams wants that a stream ends, with its cause, although the service does not end it.
func TestEvents_BrokenStreams(t *testing.T) {
	errGone := errors.New("the caller is gone")
	for _, test := range []struct {
		name    string
		headers bool // the service begins the stream
		cancel  bool
		after   time.Duration
		want    error
	}{
		{name: "no answer", after: connectTimeout, want: ErrSilent},
		{name: "silent", headers: true, after: silenceTimeout, want: ErrSilent},
		{name: "canceled", headers: true, cancel: true, want: errGone},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := streamingInMemory(t, func(w http.ResponseWriter, r *http.Request) {
					if test.headers {
						w.Header().Set("Content-Type", "text/event-stream")
						w.WriteHeader(http.StatusOK)
						_ = http.NewResponseController(w).Flush()
					}
					<-r.Context().Done()
				})

				begin := time.Now()
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				stream, err := c.Events(ctx, EventQuery{}, "")
				if test.cancel {
					cancel(errGone)
				}
				if err == nil {
					defer stream.Close()
					_, err = stream.Next()
				}
				if took := time.Since(begin); !errors.Is(err, test.want) || took != test.after {
					t.Errorf("got %v after %s, want %v after %s", err, took, test.want, test.after)
				}
			})
		})
	}
}

// TestEvents_CommentsKeepTheStream wants a stream to live as long as the service sends comments.
func TestEvents_CommentsKeepTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := streamingInMemory(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 40 { // many times as long as the timeout
				_, _ = fmt.Fprintf(w, ": ping %d\n\n", i)
				_ = http.NewResponseController(w).Flush()
				time.Sleep(silenceTimeout - time.Second)
			}
			_, _ = io.WriteString(w, "event: deployment\ndata: {\"id\":7}\n\n")
		})

		stream, err := c.Events(t.Context(), EventQuery{}, "")
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		if got, err := stream.Next(); err != nil || got.ID != 7 {
			t.Errorf("got %v and %v, want the event behind the comments", got, err)
		}
	})
}
