package memnet

import (
	"context"
	"encoding/binary"
	"io"
	"net"
)

// Resolver returns a resolver whose DNS server answers that no name exists. A test with it does not depend on the DNS
// server of the machine.
func Resolver() *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go answerNXDomain(server)
			return client, nil
		},
	}
}

// answerNXDomain answers queries as over TCP, with their length in front (RFC 1035, 4.2.2), until the client leaves.
func answerNXDomain(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		message := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, message); err != nil || len(message) < 4 {
			return
		}

		message[2] |= 1 << 7        // a response
		message[3] = 1<<7 | byte(3) // recursion is available; no such name
		if _, err := conn.Write(append(size[:], message...)); err != nil {
			return
		}
	}
}
