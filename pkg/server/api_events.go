package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/events"
)

const (
	streamRetry  = 2 * time.Second // after which a browser connects again
	streamBuffer = 4 << 10         // bytes that a stream keeps for the next events
)

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

func startStream(w http.ResponseWriter) {
	h := w.Header() // Cache-Control: no-store is there already
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back until they fill a buffer
	w.WriteHeader(http.StatusOK)
}

// stream writes server-sent events.
type stream struct {
	control *http.ResponseController
	w       io.Writer
	buffer  bytes.Buffer
	idle    time.Duration // between two comment lines
	limit   time.Duration // for one write
}

// run writes what a watch gives until the watch or the connection ends. The first lines go out at once.
func (s *stream) run(ctx context.Context, watch *events.Watch) error {
	fmt.Fprintf(&s.buffer, "retry: %d\n\n", streamRetry.Milliseconds())
	if watch.Missed() {
		missed, err := watch.Next(ctx, s.idle)
		if err != nil {
			return err
		}
		s.events(missed)
	}
	s.position(watch.Position())

	for {
		if err := s.flush(); err != nil {
			return err
		}

		changed, err := watch.Next(ctx, s.idle)
		if err != nil {
			return err
		}

		s.events(changed)
		if len(changed) == 0 {
			s.buffer.WriteString(":\n\n")
		}
	}
}

func (s *stream) events(list []*events.Event) {
	for _, e := range list {
		data, _ := json.Marshal(api.DeploymentEvent{ // numbers and texts, which always can be encoded
			ID:          e.Deployment,
			Repository:  e.Repository,
			Environment: e.Environment,
			State:       string(e.State),
			Version:     e.Version,
		})
		if e.Position != 0 {
			fmt.Fprintf(&s.buffer, "id: %d\n", e.Position)
		}
		fmt.Fprintf(&s.buffer, "event: deployment\ndata: %s\n\n", data)
	}
}

// position tells the client from where to go on. It is no event to the client, because it has no data.
func (s *stream) position(position int64) { fmt.Fprintf(&s.buffer, "id: %d\n\n", position) }

// flush writes what is in the buffer. Each write has its own time limit: that of the server, which is for
// whole answers, would end the stream.
func (s *stream) flush() error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.limit)); err != nil {
		return err
	}
	if _, err := s.buffer.WriteTo(s.w); err != nil {
		return err
	}
	if s.buffer.Cap() > streamBuffer {
		s.buffer = bytes.Buffer{}
	}

	return s.control.Flush()
}

func watchError(r *http.Request, err error) error {
	switch {
	case errors.Is(err, events.ErrTooMany):
		const message = "too many clients stream events already; try again later, or ask for the deployments from time to time"
		return &apiError{status: http.StatusServiceUnavailable, code: "too_many_streams", message: message}
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
