package server

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A request that announces a body and sends none of it is refused all the same.
func TestGitHub_RefusesBeforeTheBody(t *testing.T) {
	const common = "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	signature := "X-Hub-Signature-256: sha256=" + strings.Repeat("0", 64) + "\r\n"

	for _, test := range []struct {
		name    string
		headers string
		code    string
	}{
		{name: "no signature", headers: "Content-Length: 1000\r\n", code: "401"},
		{name: "no signature, chunked", headers: "Transfer-Encoding: chunked\r\n", code: "401"},
		{name: "too large", headers: "Content-Length: 26214401\r\n" + signature, code: "413"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn := connect(t, newTestServer(t).server)
			if _, err := conn.Write([]byte(common + test.headers + "\r\n")); err != nil {
				t.Fatal(err)
			}
			wantStatus(t, conn, test.code)
		})
	}
}

func TestGitHub_TruncatedBody(t *testing.T) {
	conn := connect(t, newTestServer(t).server)
	request := "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
		"Content-Length: 1000\r\nX-Hub-Signature-256: sha256=" + strings.Repeat("0", 64) + "\r\n\r\n{"

	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, conn, "400")
}

// None of these limits may be lost by mistake.
func TestHTTPServer_Limits(t *testing.T) {
	s := HTTPServer(http.NotFoundHandler())
	got := []any{s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout, s.MaxHeaderBytes}
	want := []any{5 * time.Second, 20 * time.Second, time.Minute, 64 << 10}
	if d := diff(want, got); d != "" {
		t.Error(d)
	}
	if s.WriteTimeout <= s.ReadTimeout+DefaultStoreTimeout {
		t.Errorf("got write timeout %s, too short to read and store a webhook", s.WriteTimeout)
	}
}

// connect serves with the limits of production, and connects. The deadline keeps a failing test from hanging. Where the
// server waits for the body, it answers sooner than that, but with another status.
func connect(t *testing.T, s *Server) *net.TCPConn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	h := HTTPServer(s.Handler())
	done := make(chan error)
	go func() { done <- h.Serve(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		_ = conn.Close()
		_ = h.Close()
		<-done
	})

	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}

	return conn.(*net.TCPConn)
}

func wantStatus(t *testing.T, conn net.Conn, code string) {
	t.Helper()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(line, "HTTP/1.1 "+code) {
		t.Errorf("got %q, want status %s", line, code)
	}
}
