package server

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/events"
	"github.com/seraph-deploy/seraph/pkg/store"
	"github.com/seraph-deploy/seraph/test/memnet"
)

// eventServer is a server with a real database, which streams its changes.
type eventServer struct {
	db        *store.DB
	hub       *events.Hub
	server    *Server
	http      *http.Server
	url       string
	transport http.RoundTripper
	closed    chan struct{} // has a value for each connection that was closed
}

// newEventServer listens with the limits of production.
func newEventServer(t *testing.T, change ...func(*events.Options, *Options)) *eventServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveEvents(t, listener, &http.Transport{}, change...)
}

// newEventServerInMemory is newEventServer on a network in memory, for synctest.Test.
func newEventServerInMemory(t *testing.T, change ...func(*events.Options, *Options)) (*eventServer, *memnet.Listener) {
	t.Helper()
	listener := memnet.Listen()
	return serveEvents(t, listener, listener.Transport(), change...), listener
}

func serveEvents(
	t *testing.T,
	listener net.Listener,
	transport *http.Transport,
	change ...func(*events.Options, *Options),
) *eventServer {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + t.TempDir() + "/seraph.db", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })

	hubOptions := events.Options{Source: db, Log: zerolog.Nop()}
	o := Options{Tokens: testTokens(), Log: zerolog.Nop()}
	for _, f := range change {
		f(&hubOptions, &o)
	}
	hub := events.New(hubOptions)
	t.Cleanup(hub.Close)
	db.OnChange(hub.Announce)
	o.Events = hub

	server := New(o)
	s := &eventServer{
		db:        db,
		hub:       hub,
		server:    server,
		http:      HTTPServer(server.Handler()),
		url:       "http://" + listener.Addr().String(),
		transport: transport,
		closed:    make(chan struct{}, 16),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.http.Serve(closeListener{Listener: listener, closed: s.connectionClosed})
	}()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = s.http.Close()
		<-done
	})
	return s
}

// closeListener tells when one of its connections is closed, also if the HTTP server has given it away.
type closeListener struct {
	net.Listener
	closed func()
}

func (l closeListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &closeConn{Conn: conn, closed: l.closed}, nil
}

type closeConn struct {
	net.Conn
	closed func()
}

func (c *closeConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

func (s *eventServer) connectionClosed() {
	select {
	case s.closed <- struct{}{}:
	default: // the test waits for no more of them
	}
}

// accept accepts a deployment of acme/api.
func (s *eventServer) accept(t *testing.T, id int64) deployment.Deployment {
	t.Helper()
	key := fmt.Sprintf("key-%d", id)
	d := testRecord(0, id).Deployment
	d.State, d.Pipeline, d.Target.Key = deployment.Waiting, nil, key
	del := deployment.Delivery{GUID: key, Event: "deployment", Source: "github", ReceivedAt: time.Now()}
	if _, err := s.db.Accept(t.Context(), del, d); err != nil {
		t.Fatal(err)
	}

	d, err := s.db.ByKey(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
