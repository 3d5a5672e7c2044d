package outbound

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/test/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, h http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func newTransport(t *testing.T, o Options) *Transport {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}

	transport := New(o)
	t.Cleanup(transport.CloseIdle)
	return transport
}

func post(t *testing.T, c *http.Client, url string) (*http.Response, error) {
	t.Helper()
	ctx := WithOperation(t.Context(), "trigger")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Circle-Token", "secret-token")
	resp, err := c.Do(req)
	if err == nil {
		t.Cleanup(func() { _ = resp.Body.Close() })
	}

	return resp, err
}

// answerOnce answers the first request of every connection, and reads the second one and closes the
// connection. It counts the requests until l is closed.
func answerOnce(l net.Listener, requests *atomic.Int32) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}

		r := bufio.NewReader(conn)
		for i := range 2 {
			req, err := http.ReadRequest(r)
			if err != nil {
				break
			}

			_, _ = io.Copy(io.Discard, req.Body)
			requests.Add(1)
			if i == 0 {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
			}
		}

		_ = conn.Close()
	}
}

// A POST on a kept connection that the server closes must reach the server at most once, and must not
// be sent again unknown to the caller.
func TestTransport_NeverSendsAPostTwice(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	var requests atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		answerOnce(l, &requests)
	}()

	c := newTransport(t, Options{}).Client()
	url := "http://" + l.Addr().String()
	resp, err := post(t, c, url)
	if err != nil {
		t.Fatal(err)
	}

	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()

	_, err = post(t, c, url)
	if err == nil || NotSent(err) {
		t.Errorf("got %v, not sent %v; want an error that may have been sent", err, NotSent(err))
	}
	if got := requests.Load(); got != 2 {
		t.Errorf("got %d requests at the server, want 2 for 2 calls", got)
	}

	_ = l.Close()
	<-done
}

func TestNotSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	closed := l.Addr().String()
	_ = l.Close()

	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	reset := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	})
	for name, tt := range map[string]struct {
		url         string
		wantCode    string
		wantNotSent bool
	}{
		"nobody listens": {
			url:         "http://" + closed,
			wantCode:    "dial",
			wantNotSent: true,
		},
		"no such host": {
			url:         "http://nowhere.invalid", // RFC 2606, 2
			wantCode:    "dial",
			wantNotSent: true,
		},
		"server without TLS": {
			url:         strings.Replace(plain, "http:", "https:", 1),
			wantCode:    "tls",
			wantNotSent: true,
		},
		"connection reset": {
			url:         reset,
			wantCode:    "reset",
			wantNotSent: false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var code string
			transport := newTransport(t, Options{Observe: func(c Call) { code = c.Code }})
			transport.base.Proxy = nil // whatever this machine has
			transport.base.DialContext = (&net.Dialer{Resolver: memnet.Resolver()}).DialContext

			_, err := post(t, transport.Client(), tt.url+"?token=hidden") //nolint:bodyclose // there is none
			if err == nil {
				t.Fatal("got an answer, want an error")
			}
			if got := NotSent(err); got != tt.wantNotSent {
				t.Errorf("got not sent %v, want %v: %v", got, tt.wantNotSent, err)
			}
			if code != tt.wantCode {
				t.Errorf("got code %q, want %q", code, tt.wantCode)
			}

			var own *Error
			if !errors.As(err, &own) || strings.Contains(own.Error(), "hidden") {
				t.Errorf("got %v, want an Error without the query", own)
			}
		})
	}

	for name, err := range map[string]error{
		"another package's error": context.DeadlineExceeded,
		"no error":                nil,
	} {
		t.Run(name, func(t *testing.T) {
			if NotSent(err) {
				t.Errorf("got not sent for %v", err)
			}
		})
	}
}

func TestClient_Redirects(t *testing.T) {
	var elsewhere atomic.Int32
	other := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/end", http.StatusMovedPermanently)
		case "/away":
			http.Redirect(w, r, other, http.StatusTemporaryRedirect)
		}
	})

	c := newTransport(t, Options{}).Client()
	for name, tt := range map[string]struct {
		method     string
		path       string
		wantStatus int
	}{
		"GET to the same host":        {method: http.MethodGet, path: "/same", wantStatus: 200},
		"GET to another host":         {method: http.MethodGet, path: "/away", wantStatus: 307},
		"POST to the same host, 301":  {method: http.MethodPost, path: "/same", wantStatus: 301},
		"POST to another host, a 307": {method: http.MethodPost, path: "/away", wantStatus: 307},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, url+tt.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}

			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}

			_ = resp.Body.Close()
			if resp.StatusCode != tt.wantStatus {
				t.Errorf("got %d, want %d", resp.StatusCode, tt.wantStatus)
			}
		})
	}

	if got := elsewhere.Load(); got != 0 {
		t.Errorf("got %d requests at the other host, want 0", got)
	}
}

func TestTransport_CapsTheBody(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.TrimPrefix(r.URL.Path, "/"))
	})

	c := newTransport(t, Options{MaxBody: 4}).Client()
	for name, tt := range map[string]struct {
		body string
		want error
	}{
		"as long as may be": {body: "abcd", want: nil},
		"one byte longer":   {body: "abcde", want: ErrBodyTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := c.Get(url + "/" + tt.body)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()

			if _, err := io.ReadAll(resp.Body); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestTransport_Timeout wants that a call ends at its timeout, whether an answer has begun or not. Time is synthetic.
func TestTransport_Timeout(t *testing.T) {
	for _, test := range []struct {
		name     string
		starts   bool // the server begins an answer, which has no end
		wantCode string
	}{
		{name: "no answer", wantCode: "timeout"},
		{name: "the body has no end", starts: true, wantCode: "200"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var code string
				transport := newTransport(t, Options{Observe: func(c Call) { code = c.Code }})
				transport.base.Proxy = nil
				transport.base.DialContext = serveConns(t, func(conn net.Conn) {
					_, _ = http.ReadRequest(bufio.NewReader(conn))
					if test.starts {
						_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nstart")
					}
					_, _ = io.Copy(io.Discard, conn) // until the client goes away
				})

				begin := time.Now()
				resp, err := post(t, transport.Client(), "http://circleci.test")
				if (err == nil) != test.starts {
					t.Fatalf("got %v, want an answer: %v", err, test.starts)
				}
				if test.starts {
					_, err = io.ReadAll(resp.Body)
				}

				if took := time.Since(begin); !errors.Is(err, errTimeout) || took != time.Minute {
					t.Errorf("got %v after %s, want that the time is over after a minute", err, took)
				}
				if code != test.wantCode {
					t.Errorf("got code %q, want %q", code, test.wantCode)
				}
				if NotSent(err) {
					t.Error("got not sent, want that it may have arrived")
				}
			})
		})
	}
}
