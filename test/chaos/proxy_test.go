package chaos

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"testing"
	"time"
)

// proxy receives the webhooks of both simulators. It forwards each to the next process that accepts a
// connection, and answers 502 if none does.
type proxy struct {
	processes []*process
	next      atomic.Uint64
}

// listen starts the proxy and returns its URL.
func (p *proxy) listen(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	reverse := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "seraph" },
		Transport: &http.Transport{DialContext: p.dial, DisableKeepAlives: true},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	server := &http.Server{Handler: reverse, ReadHeaderTimeout: 10 * time.Second, ErrorLog: reverse.ErrorLog}

	go server.Serve(listener) // always returns http.ErrServerClosed
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String()
}

// dial connects to the processes in turn, whatever the address.
func (p *proxy) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var dialer net.Dialer
	for range p.processes {
		next := p.processes[p.next.Add(1)%uint64(len(p.processes))]
		if conn, err := dialer.DialContext(ctx, network, next.addr); err == nil {
			return conn, nil
		}
	}
	return nil, errors.New("no process accepts connections")
}
