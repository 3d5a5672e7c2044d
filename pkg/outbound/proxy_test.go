package outbound

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/seraph-deploy/seraph/test/memnet"
)

// TestNotSent_ThroughAProxy wants that a request which never left this machine is distinguished from one that
// may have arrived. What fails before the tunnel stands has not left. A proxy for plain http gets the
// request itself and may pass it on.
func TestNotSent_ThroughAProxy(t *testing.T) {
	readRequest := func(conn net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(conn)) }
	silent := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
	refuses := func(conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
	}
	opensTunnel := func(conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
		silent(conn) // the server behind it never answers the TLS handshake
	}

	const plain, secure = "http://circleci.test", "https://circleci.test"
	for _, test := range []struct {
		name   string
		target string
		direct bool           // there is no proxy
		handle func(net.Conn) // serves each connection; nil: nobody listens
		want   bool
	}{
		{name: "http, proxy is down", target: plain, want: true},
		{name: "https, proxy is down", target: secure, want: true},
		{name: "https, proxy refuses the tunnel", target: secure, handle: refuses, want: true},
		{name: "https, proxy hangs up", target: secure, handle: readRequest, want: true},
		{name: "https, proxy does not answer", target: secure, handle: silent, want: true},
		{name: "https, no TLS through the tunnel", target: secure, handle: opensTunnel, want: true},
		{name: "http, proxy hangs up", target: plain, handle: readRequest, want: false},
		{name: "http, proxy does not answer", target: plain, handle: silent, want: false},
		{name: "https, server does not answer the handshake", target: secure, direct: true, handle: silent, want: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := newTransport(t, Options{})
				transport.base.DialContext = serveConns(t, test.handle)
				transport.base.Proxy = nil
				if !test.direct {
					transport.base.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.test:3128"})
				}

				_, err := post(t, transport.Client(), test.target) //nolint:bodyclose // there is none
				if err == nil || NotSent(err) != test.want {
					t.Errorf("got not sent %v, want %v: %v", NotSent(err), test.want, err)
				}
			})
		})
	}
}

// serveConns answers connections in memory, each of which is closed when handle returns, and returns how to
// connect. Without handle nobody listens there.
func serveConns(t *testing.T, handle func(net.Conn)) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	l := memnet.Listen()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return l.Dial(ctx) }
	if handle == nil {
		_ = l.Close()
		return dial
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
	return dial
}
