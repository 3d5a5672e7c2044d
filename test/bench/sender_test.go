package bench

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
)

// delivery is one webhook, signed and in the bytes that go over the wire, so that preparing it is not
// measured.
type delivery struct {
	deployment int64
	request    []byte
}

func newDelivery(deployment int64, body []byte) delivery {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)

	header := []string{
		"POST /webhooks/github HTTP/1.1",
		"Host: seraph.example.com",
		"User-Agent: GitHub-Hookshot/5e1a7c0",
		fmt.Sprintf("Content-Length: %d", len(body)),
		"Accept: */*",
		"Content-Type: application/json",
		"X-GitHub-Delivery: " + uuid.NewString(),
		"X-GitHub-Event: deployment",
		"X-GitHub-Hook-ID: 460800007",
		"X-GitHub-Hook-Installation-Target-ID: 2700500107",
		"X-GitHub-Hook-Installation-Target-Type: repository",
		"X-Hub-Signature-256: sha256=" + hex.EncodeToString(mac.Sum(nil)),
	}
	request := strings.Join(header, "\r\n") + "\r\n\r\n" + string(body)

	return delivery{deployment, []byte(request)}
}

// results are the results of deliveries, in their order.
type results struct {
	total     time.Duration
	due       []time.Time     // when the delivery was due
	durations []time.Duration // from then to the last byte of the answer
	status    []int           // 0: no answer
}

// accepted counts the answers with status 202.
func (r results) accepted() int {
	n := 0
	for _, status := range r.status {
		if status == 202 {
			n++
		}
	}
	return n
}

// send sends deliveries over a number of connections, each as soon as the answer to the previous one is
// there. With a rate, delivery i is sent i/perSecond after the start, or later if no connection is free;
// its duration counts from then in any case.
func send(b *testing.B, addr string, deliveries []delivery, connections, perSecond int) results {
	b.Helper()
	r := results{
		due:       make([]time.Time, len(deliveries)),
		durations: make([]time.Duration, len(deliveries)),
		status:    make([]int, len(deliveries)),
	}

	var next atomic.Int64
	var sending sync.WaitGroup
	began := time.Now()
	for range connections {
		sending.Go(func() {
			c := &connection{addr: addr}
			defer c.close()

			for i := int(next.Add(1)) - 1; i < len(deliveries); i = int(next.Add(1)) - 1 {
				r.due[i] = waitUntilDue(began, i, perSecond)
				var err error
				if r.status[i], err = c.post(deliveries[i].request); err != nil {
					b.Logf("post: %v", err)
				}

				r.durations[i] = time.Since(r.due[i])
			}
		})
	}

	sending.Wait()
	r.total = time.Since(began)
	return r
}

// waitUntilDue waits until delivery i is due, and returns when that was.
func waitUntilDue(began time.Time, i, perSecond int) time.Time {
	if perSecond == 0 {
		return time.Now()
	}

	at := began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
	if wait := time.Until(at); wait > 0 {
		<-time.After(wait)
	}

	return at
}

// connection is one persistent connection. It reads no more of HTTP than necessary, because the client
// shares its machine with the server.
type connection struct {
	addr   string
	conn   net.Conn
	reader *bufio.Reader
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing is left to read
		c.conn = nil
	}
}

func (c *connection) post(request []byte) (status int, err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.addr); err != nil {
			return 0, err
		}
		c.reader = bufio.NewReader(c.conn)
	}

	_ = c.conn.SetDeadline(time.Now().Add(30 * time.Second)) // an error appears in the next call too
	if _, err := c.conn.Write(request); err != nil {
		c.close()
		return 0, err
	}

	status, last, err := c.readResponse()
	if last || err != nil {
		c.close()
	}

	return status, err
}

// readResponse reads one response with a Content-Length. last: the server closes the connection after
// it.
func (c *connection) readResponse() (status int, last bool, err error) {
	length := -1
	for first := true; ; first = false {
		text, err := c.reader.ReadSlice('\n')
		text = bytes.TrimRight(text, "\r\n")
		switch {
		case err != nil:
			return 0, true, err
		case len(text) == 0 && length < 0:
			return 0, true, fmt.Errorf("response %d has no Content-Length", status)
		case len(text) == 0:
			_, err = c.reader.Discard(length)
			return status, last, err
		case first:
			if status, err = strconv.Atoi(string(text[9:12])); err != nil { // HTTP/1.1 202
				return 0, true, err
			}
		}

		name, value, _ := bytes.Cut(text, []byte(": "))
		switch string(name) {
		case "Content-Length":
			length, _ = strconv.Atoi(string(value)) // our own server's, always a number
		case "Connection":
			last = string(value) == "close"
		}
	}
}
