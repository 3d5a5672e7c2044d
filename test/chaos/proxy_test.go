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

// front is where the vendors' webhooks go: it gives each one to the next process that answers TCP,
// and says 502 when none does.
type front struct {
	processes []*process
	next      atomic.Uint64
}

// listen starts the front and returns its URL.
func (f *front) listen(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "seraph" },
		Transport: &http.Transport{DialContext: f.dial, DisableKeepAlives: true},
		ErrorLog:  log.New(io.Discard, "", 0),
	}

	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second, ErrorLog: proxy.ErrorLog}
	go server.Serve(listener) // always http.ErrServerClosed
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String()
}

// dial connects to the processes in turn, wherever the request says.
func (f *front) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var dialer net.Dialer
	for range f.processes {
		p := f.processes[f.next.Add(1)%uint64(len(f.processes))]
		if conn, err := dialer.DialContext(ctx, network, p.addr); err == nil {
			return conn, nil
		}
	}
	return nil, errors.New("no process answers")
}
