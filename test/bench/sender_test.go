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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
)

// shot is one webhook, signed and written out as it goes over the wire: what it costs to make is
// not measured.
type shot struct {
	deployment int64
	request    []byte
}

func newShot(deployment int64, body []byte) shot {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)
	var r bytes.Buffer
	fmt.Fprintf(
		&r,
		"POST /webhooks/github HTTP/1.1\r\nHost: seraph.example.com\r\nUser-Agent: GitHub-Hookshot/5e1a7c0\r\nContent-Length: %d\r\n"+
			"Accept: */*\r\nContent-Type: application/json\r\nX-GitHub-Delivery: %s\r\nX-GitHub-Event: deployment\r\nX-GitHub-Hook-ID: 460800007\r\n"+
			"X-GitHub-Hook-Installation-Target-ID: 2700500107\r\nX-GitHub-Hook-Installation-Target-Type: repository\r\nX-Hub-Signature-256: sha256=%s\r\n\r\n",
		len(body),
		uuid.NewString(),
		hex.EncodeToString(mac.Sum(nil)),
	)

	r.Write(body)
	return shot{deployment, r.Bytes()}
}

// volley is what became of shots, in their order.
type volley struct {
	lasted time.Duration
	sent   []time.Time     // when the shot was due
	took   []time.Duration // from then to the answer's last byte
	status []int           // 0: none came
}

// refusals counts the other answers by their status; 0: no answer came.
func (v volley) refusals() map[int]int {
	counts := map[int]int{}
	for _, status := range v.status {
		if status != 202 {
			counts[status]++
		}
	}

	return counts
}

// accepted counts the answers that are 202.
func (v volley) accepted() int {
	n := 0
	for _, status := range v.status {
		if status == 202 {
			n++
		}
	}
	return n
}

// fire sends shots over so many connections, each as soon as the answer to the one before is there.
// With a rate, shot i is sent i/perSecond after the start if a connection is free; its time counts
// from then in any case.
func fire(b *testing.B, addr string, shots []shot, connections, perSecond int) volley {
	b.Helper()
	v := volley{
		sent:   make([]time.Time, len(shots)),
		took:   make([]time.Duration, len(shots)),
		status: make([]int, len(shots)),
	}

	lines := make([]*line, connections)
	for i := range lines {
		lines[i] = &line{addr: addr}
		defer lines[i].hangUp()
	}

	var next atomic.Int64
	var sending sync.WaitGroup
	began := time.Now()
	for _, l := range lines {
		sending.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(shots); i = int(next.Add(1)) - 1 {
				v.sent[i] = due(began, i, perSecond)
				var err error
				if v.status[i], err = l.post(shots[i].request); err != nil {
					b.Logf("a webhook got no answer: %v", err)
				}

				v.took[i] = time.Since(v.sent[i])
			}
		})
	}

	sending.Wait()
	v.lasted = time.Since(began)
	return v
}

// due waits until a shot's time has come.
func due(began time.Time, i, perSecond int) time.Time {
	if perSecond == 0 {
		return time.Now()
	}
	at := began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
	if wait := time.Until(at); wait > 0 {
		<-time.After(wait)
	}
	return at
}

// line is one kept connection. It reads no more of HTTP than it must: on a machine that it shares
// with the server, a client is in the way.
type line struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
}

func (l *line) dial() (err error) {
	if l.conn, err = net.Dial("tcp", l.addr); err == nil {
		l.in = bufio.NewReader(l.conn)
	}
	return err
}

func (l *line) hangUp() {
	if l.conn != nil {
		_ = l.conn.Close() // nothing is left to be read
		l.conn = nil
	}
}

func (l *line) post(request []byte) (status int, err error) {
	if l.conn == nil {
		if err := l.dial(); err != nil {
			return 0, err
		}
	}

	_ = l.conn.SetDeadline(time.Now().Add(30 * time.Second)) // the next call tells
	if _, err := l.conn.Write(request); err != nil {
		l.hangUp()
		return 0, err
	}

	status, last, err := l.answer()
	if last || err != nil {
		l.hangUp()
	}

	return status, err
}

// answer reads one answer that says its length. last: the server hangs up after it.
func (l *line) answer() (status int, last bool, err error) {
	length := -1
	for first := true; ; first = false {
		text, err := l.in.ReadSlice('\n')
		text = bytes.TrimRight(text, "\r\n")
		switch {
		case err != nil:
			return 0, true, err
		case len(text) == 0 && length < 0:
			return 0, true, fmt.Errorf("an answer %d without a length", status)
		case len(text) == 0:
			_, err = l.in.Discard(length)
			return status, last, err
		case first:
			if status, err = strconv.Atoi(string(text[9:12])); err != nil { // HTTP/1.1 202
				return 0, true, err
			}
		}

		name, value, _ := bytes.Cut(text, []byte(": "))
		switch string(name) {
		case "Content-Length":
			length, _ = strconv.Atoi(string(value)) // it is the server's own
		case "Connection":
			last = string(value) == "close"
		}
	}
}
