package outbound

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// TestNotSent_ThroughAProxy wants that a request which never left this machine is distinguished from one that
// may have arrived. What fails before the tunnel stands has not left. A proxy for plain http gets the
// request itself and may pass it on.
func TestNotSent_ThroughAProxy(t *testing.T) {
	closed := serveConns(t, nil)
	refuses := serveConns(t, func(conn net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(conn))
		_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
	})
	hangsUp := serveConns(t, func(conn net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(conn)) })
	silent := serveConns(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	opensTunnel := serveConns(t, func(conn net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(conn))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn) // the server behind it never answers the TLS handshake
	})

	for _, test := range []struct {
		name, target, proxy string
		want                bool
	}{
		{name: "http, proxy is down", target: "http://circleci.test", proxy: closed, want: true},
		{name: "https, proxy is down", target: "https://circleci.test", proxy: closed, want: true},
		{name: "https, proxy refuses the tunnel", target: "https://circleci.test", proxy: refuses, want: true},
		{name: "https, proxy hangs up", target: "https://circleci.test", proxy: hangsUp, want: true},
		{name: "https, proxy does not answer", target: "https://circleci.test", proxy: silent, want: true},
		{name: "https, no TLS through the tunnel", target: "https://circleci.test", proxy: opensTunnel, want: true},
		{name: "http, proxy hangs up", target: "http://circleci.test", proxy: hangsUp, want: false},
		{name: "http, proxy does not answer", target: "http://circleci.test", proxy: silent, want: false},
		{name: "https, server does not answer the handshake", target: "https://" + silent, want: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			transport := newTransport(t, Options{Timeout: 300 * time.Millisecond})
			transport.base.Proxy = nil
			if test.proxy != "" {
				transport.base.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: test.proxy})
			}

			_, err := post(t, transport.Client(), test.target) //nolint:bodyclose // there is none
			if err == nil || NotSent(err) != test.want {
				t.Errorf("got not sent %v, want %v: %v", NotSent(err), test.want, err)
			}
		})
	}
}

// serveConns answers connections, each of which is closed when handle returns, and returns the
// address. Without handle nobody listens there.
func serveConns(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if handle == nil {
		_ = l.Close()
		return l.Addr().String()
	}

	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}

			handle(conn)
			_ = conn.Close()
		}
	}()

	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}
