package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/events"
)

const codeTooManyStreams = "too_many_streams"

// streamRetry is after which time a browser connects again.
const streamRetry = 2 * time.Second

// EventSource tells which deployments change.
type EventSource interface {
	Watch(ctx context.Context, f events.Filter, after *int64) (*events.Watch, error)
}

// streamEvents sends server-sent events until the client leaves, does not keep up, or the service stops.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) {
	filter, after, err := parseEventFilter(r)
	if err != nil {
		writeError(w, r, badRequest(err.Error()))
		return
	}

	if r.Method == http.MethodHead {
		startStream(w)
		return
	}

	token := tokenOf(r).Name
	if !s.streams.take(token) {
		const message = "too many streams with this token already; end one, or ask for the deployments from time to time"
		writeError(w, r, &apiError{status: http.StatusServiceUnavailable, code: codeTooManyStreams, message: message})
		return
	}
	defer s.streams.giveBack(token)

	watch, err := s.o.Events.Watch(r.Context(), filter, after)
	if err != nil {
		writeError(w, r, watchError(r, err))
		return
	}
	defer watch.Close()

	startStream(w)
	out := &stream{control: http.NewResponseController(w), w: w, idle: s.o.StreamIdle, limit: s.o.StreamWrite}
	err = out.run(r.Context(), watch)
	zerolog.Ctx(r.Context()).Debug().Err(err).Msg("stream of events ended")
}

// streamShares counts the streams of each token, so that one client cannot keep all others from watching. It is
// safe for concurrent use.
type streamShares struct {
	most int // of one token

	mu   sync.Mutex
	open map[string]int // by the name of the token
}

// take counts a stream of a token, unless it has all that it may have.
func (s *streamShares) take(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.open[token] >= s.most {
		return false
	}
	s.open[token]++
	return true
}

// giveBack counts that a stream of a token has ended.
func (s *streamShares) giveBack(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.open[token]--
}

func startStream(w http.ResponseWriter) {
	h := w.Header() // Cache-Control: no-store is there already
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back until they fill a buffer
	w.WriteHeader(http.StatusOK)
}

// stream writes server-sent events. It keeps no buffer of its own: the connection has one.
type stream struct {
	control *http.ResponseController
	w       io.Writer
	idle    time.Duration // between two comment lines
	limit   time.Duration // until a write must have ended
}

// run writes what a watch gives until the watch or the connection ends. The first lines go out at once.
func (s *stream) run(ctx context.Context, watch *events.Watch) error {
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

// streamComment is a line that clients ignore.
var streamComment = []byte(":\n\n")

// write writes events, and something before and after them. It sets a time limit of its own: that of the
// server, which is for whole answers, would end the stream.
func (s *stream) write(before []byte, list []*events.Event, after []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.limit)); err != nil {
		return err
	}

	if _, err := s.w.Write(before); err != nil {
		return err
	}
	for _, e := range list {
		if _, err := s.w.Write(e.Text(encodeEvent)); err != nil {
			return err
		}
	}
	if _, err := s.w.Write(after); err != nil {
		return err
	}

	return s.control.Flush()
}

// encodeEvent makes the lines of an event.
func encodeEvent(e *events.Event) []byte {
	data, _ := json.Marshal(api.DeploymentEvent{ // numbers and texts, which always can be encoded
		ID:          e.Deployment,
		Repository:  e.Repository,
		Environment: e.Environment,
		State:       string(e.State),
		Version:     e.Version,
	})

	var id string
	if e.Position != 0 {
		id = fmt.Sprintf("id: %d\n", e.Position)
	}
	return fmt.Appendf(nil, "%sevent: deployment\ndata: %s\n\n", id, data)
}

func watchError(r *http.Request, err error) error {
	switch {
	case errors.Is(err, events.ErrTooMany):
		const message = "too many clients stream events; try again later, or ask for the deployments from time to time"
		return &apiError{status: http.StatusServiceUnavailable, code: codeTooManyStreams, message: message}
	case errors.Is(err, events.ErrClosed):
		return unavailable("the service is stopping; try again", err)
	default:
		return readFailed(r, err)
	}
}

func parseEventFilter(r *http.Request) (f events.Filter, after *int64, err error) {
	values, err := parseQuery(r.URL.RawQuery, "repository", "environment", "deployment")
	if err != nil {
		return f, nil, err
	}

	f.Environment = values.Get("environment")
	if f.Repository, err = parseRepository(values.Get("repository")); err != nil {
		return f, nil, err
	}

	if id := values.Get("deployment"); id != "" {
		f.Deployment, err = strconv.ParseInt(id, 10, 64)
		if err != nil || f.Deployment <= 0 {
			return f, nil, errors.New("deployment must be GitHub's deployment id")
		}
	}

	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		return f, nil, nil
	}

	position, err := strconv.ParseInt(last, 10, 64)
	if err != nil || position < 0 {
		return f, nil, errors.New("Last-Event-ID must be the id of an event")
	}

	return f, &position, nil
}
