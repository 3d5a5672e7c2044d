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
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func transport(t *testing.T, o Options) *Transport {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	tr := New(o)
	t.Cleanup(tr.CloseIdle)
	return tr
}

func post(t *testing.T, c *http.Client, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(
		WithOperation(t.Context(), "trigger"),
		http.MethodPost,
		url,
		strings.NewReader("{}"),
	)

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

// A POST on a kept connection that the server has closed must reach the server at most once, and
// must not be sent again behind our back.
func TestPostIsNeverSentTwice(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	var posts atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}

			// One answer with keep-alive, then the next request is read and the connection dropped.
			r := bufio.NewReader(conn)
			for i := range 2 {
				req, err := http.ReadRequest(r)
				if err != nil {
					break
				}

				_, _ = io.Copy(io.Discard, req.Body)
				posts.Add(1)
				if i == 0 {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
				}
			}

			_ = conn.Close()
		}
	}()

	c := transport(t, Options{}).Client()
	url := "http://" + l.Addr().String()
	resp, err := post(t, c, url)
	if err != nil {
		t.Fatal(err)
	}

	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	_, err = post(t, c, url)
	if err == nil || NotSent(err) {
		t.Errorf("a dropped request counts as not sent: %v", err)
	}
	if n := posts.Load(); n != 2 {
		t.Errorf("the server got %d requests for 2 calls", n)
	}

	_ = l.Close()
	<-done
}

func TestNotSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	nobody := l.Addr().String()
	_ = l.Close()
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	reset := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	})

	hold := make(chan struct{})
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})

	defer close(hold)
	for name, c := range map[string]struct {
		url, code string
		notSent   bool
	}{
		"nobody listens":  {"http://" + nobody, "dial", true},
		"no such host":    {"http://nowhere.invalid", "dial", true},
		"no TLS there":    {strings.Replace(plain, "http:", "https:", 1), "tls", true},
		"reset":           {reset, "reset", false},
		"no answer":       {slow, "timeout", false},
		"URL of no sense": {"http://%zz", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			var code string
			tr := transport(t, Options{Timeout: 300 * time.Millisecond, Observe: func(c Call) { code = c.Code }})
			req, err := http.NewRequestWithContext(
				t.Context(),
				http.MethodPost,
				c.url+"?token=hidden",
				strings.NewReader("{}"),
			)

			if err != nil {
				return
			}

			_, err = tr.Client().Do(req) //nolint:bodyclose // there is none
			if err == nil || NotSent(err) != c.notSent || code != c.code {
				t.Errorf("not sent: %v, code %q: %v", NotSent(err), code, err)
			}

			var own *Error
			if !errors.As(err, &own) || strings.Contains(own.Error(), "hidden") {
				t.Errorf("%v", own)
			}
		})
	}

	if NotSent(context.DeadlineExceeded) || NotSent(nil) {
		t.Error("an error that is not ours counts as not sent")
	}
}

func TestRedirects(t *testing.T) {
	var other atomic.Int32
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { other.Add(1) })
	here := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/end", http.StatusMovedPermanently)
		case "/away":
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		}
	})

	c := transport(t, Options{}).Client()
	for name, want := range map[string]struct {
		method, path string
		status       int
	}{
		"read, same host":  {http.MethodGet, "/same", 200},
		"read, other host": {http.MethodGet, "/away", 307},
		"write, 301":       {http.MethodPost, "/same", 301},
		"write, 307":       {http.MethodPost, "/away", 307},
	} {
		t.Run(name, func(t *testing.T) {
			req, _ := http.NewRequestWithContext(t.Context(), want.method, here+want.path, strings.NewReader("{}"))
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}

			_ = resp.Body.Close()
			if resp.StatusCode != want.status {
				t.Errorf("got %d, want %d", resp.StatusCode, want.status)
			}
		})
	}

	if other.Load() != 0 {
		t.Error("a call went to another host")
	}
}

func TestBodyIsCapped(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", len(r.URL.Path)-1))
	})
	c := transport(t, Options{MaxBody: 4}).Client()
	for path, want := range map[string]error{"/abcd": nil, "/abcde": ErrBodyTooLarge} {
		resp, err := c.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.ReadAll(resp.Body); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}

		_ = resp.Body.Close()
	}
}

func TestTimeoutCoversTheBody(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "start")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})

	resp, err := transport(t, Options{Timeout: 200 * time.Millisecond}).Client().Get(url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("a body without end was read to its end")
	}

	_ = resp.Body.Close()
}

func TestHeaders(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"3": 3 * time.Second, "0": 0, "-5": 0, "1.5": 1500 * time.Millisecond, "999999999": MaxRetryAfter,
		"Sun, 22 Nov 2026 12:00:30 GMT": 30 * time.Second, "Sun, 22 Nov 2026 11:00:00 GMT": 0, "soon": -1, "": -1, "NaN": -1,
	} {
		got, ok := RetryAfter(http.Header{"Retry-After": {text}}, now)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("Retry-After %q: %v %v", text, got, ok)
		}
	}

	if n := remaining(http.Header{
		"X-Ratelimit-Remaining-Minute": {"7"},
		"Ratelimit-Remaining":          {"9"},
		"X-Ratelimit-Remaining":        {"x"},
	}); n != 7 {
		t.Errorf("remaining %d", n)
	}
}
