// Package memnet is a network in memory, for tests of time limits. Inside synctest.Test, time passes only while every
// goroutine waits, and a wait for a real socket does not count as one. A wait for a connection of this package does,
// so that the time of such a test is exact however slow the machine is.
package memnet

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Listener is a server's address that only Dial reaches. It is safe for concurrent use.
type Listener struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

// Listen makes a Listener. The caller closes it.
func Listen() *Listener {
	return &Listener{connections: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial makes a connection, which has no buffer: a write ends when the other side has read it. It waits until the
// server accepts the connection.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.connections <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Transport is an HTTP transport whose connections all lead to l. The caller closes the idle ones.
func (l *Listener) Transport() *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.Dial(ctx) },
	}
}

// Serve serves HTTP until the test ends, and returns a client whose requests all lead there, whatever their host is.
func Serve(t testing.TB, h http.Handler) *http.Client {
	t.Helper()
	l := Listen()
	server := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()

	transport := l.Transport()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-done
	})
	return &http.Client{Transport: transport}
}

// Accept waits for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.connections:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close makes Accept and Dial fail. Connections stay open. More calls than one do no harm.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is no address that could be dialed.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{} }
