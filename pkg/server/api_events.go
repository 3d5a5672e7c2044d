package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/events"
)

const codeTooManyStreams = "too_many_streams"

// EventSource tells which deployments change.
type EventSource interface {
	Watch(ctx context.Context, f events.Filter, after *int64) (*events.Watch, error)
}

// streamEvents sends server-sent events until the client leaves, does not keep up, or the service stops. It returns
// as soon as the stream has begun.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) {
	filter, after, err := parseEventFilter(r)
	if err != nil {
		writeError(w, r, badRequest(err.Error()))
		return
	}

	if r.Method == http.MethodHead {
		writeStreamHeader(w)
		return
	}

	token := tokenOf(r).Name
	if !s.streams.take(token) {
		const message = "too many streams with this token already; end one, or ask for the deployments from time " +
			"to time"
		writeError(w, r, &apiError{status: http.StatusServiceUnavailable, code: codeTooManyStreams, message: message})
		return
	}
	handedOver := false
	defer func() {
		if !handedOver {
			s.streams.giveBack(token)
		}
	}()

	watch, err := s.o.Events.Watch(r.Context(), filter, after)
	if err != nil {
		writeError(w, r, watchError(r, err))
		return
	}

	out, err := s.takeConnection(w, r)
	if err != nil {
		watch.Close()
		zerolog.Ctx(r.Context()).Error().Err(err).Msg("stream of events not begun")
		return
	}

	handedOver = true
	log := zerolog.Ctx(r.Context())
	s.streaming.Go(func() {
		defer func() { _ = out.conn.Close() }() // last: whoever sees the end finds the place free
		defer s.streams.giveBack(token)
		defer watch.Close()
		log.Debug().Err(out.run(watch)).Msg("stream of events ended")
	})
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
