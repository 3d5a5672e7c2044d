package sim

import (
	"net"
	"net/http"
	"time"
)

// Serve serves a simulator on addr ("" for a free port of 127.0.0.1) until the server that it returns is closed. base
// is the scheme and host at which the simulator answers.
func Serve(addr string, simulator http.Handler) (server *http.Server, base string, err error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, "", err
	}

	server = &http.Server{Handler: simulator, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener) // returns http.ErrServerClosed after Close
	return server, "http://" + listener.Addr().String(), nil
}
