package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/events"
)

// streamRetry is after which time a browser connects again.
const streamRetry = 2 * time.Second

// streamComment is a line that clients ignore.
var streamComment = []byte(":\n\n")

func writeStreamHeader(w http.ResponseWriter) {
	h := w.Header() // Cache-Control: no-store is there already
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back until they fill a buffer
	h.Set("Connection", "close")
	w.WriteHeader(http.StatusOK)
}

// stream writes server-sent events to a connection that it has taken over from the HTTP server. A request that is
// being answered takes 40 KB for its buffers, its headers and the stacks of two goroutines with all
// middleware on them. A stream is open for hours, and needs a quarter of that.
type stream struct {
	conn    net.Conn
	chunked bool          // HTTP/1.0 has no chunks: there the answer ends with the connection
	idle    time.Duration // between two comment lines
	limit   time.Duration // until a write must have ended
}

// takeConnection sends the header of a stream and takes the connection over. From then on the server neither waits
// for it nor closes it: whoever runs the stream must.
func (s *Server) takeConnection(w http.ResponseWriter, r *http.Request) (*stream, error) {
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Now().Add(s.o.StreamWrite)); err != nil {
		return nil, err
	}

	writeStreamHeader(w)
	conn, _, err := control.Hijack() // which sends the header
	if err != nil {
		return nil, err
	}

	return &stream{
		conn:    conn,
		chunked: r.ProtoAtLeast(1, 1),
		idle:    s.o.StreamIdle,
		limit:   s.o.StreamWrite,
	}, nil
}

// WaitStreams waits until all streams of events have ended, which they do soon after their source has been closed, or
// until ctx ends. No new ones may come: the listeners are closed.
func (s *Server) WaitStreams(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		s.streaming.Wait()
		close(ended)
	}()

	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// run writes what a watch gives until the watch or the connection ends. The first lines go out at once. The caller
// closes the connection.
func (s *stream) run(watch *events.Watch) error {
	ctx, left := context.WithCancel(context.Background())
	defer left()
	go s.discard(left)

	err := s.send(ctx, watch)
	ended := errors.Is(err, events.ErrClosed) || errors.Is(err, events.ErrSlow)
	if ended && s.chunked {
		_ = s.writeRaw([]byte("0\r\n\r\n")) // so that the client knows that nothing was cut off
	}

	return err
}

// discard reads the connection until the client closes it. What it reads is for nobody: no other request can follow.
func (s *stream) discard(left func()) {
	defer left()
	var b [16]byte
	for {
		if _, err := s.conn.Read(b[:]); err != nil {
			return
		}
	}
}

func (s *stream) send(ctx context.Context, watch *events.Watch) error {
	begin := fmt.Appendf(nil, "retry: %d\n\n", streamRetry.Milliseconds())
	var missed []*events.Event
	if watch.Missed() {
		var err error
		if missed, err = watch.Next(ctx, s.idle); err != nil {
			return err
		}
	}

	// The position is no event to the client, because it has no data.
	position := fmt.Appendf(nil, "id: %d\n\n", watch.Position())
	if err := s.write(begin, missed, position); err != nil {
		return err
	}

	for {
		changed, err := watch.Next(ctx, s.idle)
		if err != nil {
			return err
		}

		var comment []byte
		if len(changed) == 0 {
			comment = streamComment
		}
		if err := s.write(nil, changed, comment); err != nil {
			return err
		}
	}
}

// streamBuffers hold what is being written: a stream that waits needs none.
var streamBuffers = sync.Pool{New: func() any { return new([]byte) }}

// write writes events, and something before and after them.
func (s *stream) write(before []byte, list []*events.Event, after []byte) error {
	size := len(before) + len(after)
	for _, e := range list {
		size += len(e.Text(encodeEvent))
	}

	buffer := streamBuffers.Get().(*[]byte)
	defer streamBuffers.Put(buffer)
	text := (*buffer)[:0]
	if s.chunked {
		text = append(strconv.AppendInt(text, int64(size), 16), "\r\n"...)
	}
	text = append(text, before...)
	for _, e := range list {
		text = append(text, e.Text(encodeEvent)...)
	}
	text = append(text, after...)
	if s.chunked {
		text = append(text, "\r\n"...)
	}

	*buffer = text
	return s.writeRaw(text)
}

func (s *stream) writeRaw(text []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.limit)); err != nil {
		return err
	}
	_, err := s.conn.Write(text)
	return err
}
