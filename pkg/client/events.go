package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// Timeouts of a stream of events.
const (
	// connectTimeout is how long the service may take to begin the stream.
	connectTimeout = 30 * time.Second
	// silenceTimeout is how long a stream may be silent before it counts as broken. The service sends
	// at least a comment every 15 s.
	silenceTimeout = 50 * time.Second
)

// ErrSilent ends a stream on which the service has sent nothing for so long that the connection must
// be broken.
var ErrSilent = errors.New("the service has sent nothing for too long")

// EventQuery says which events to send. Empty fields match all.
type EventQuery struct {
	Repository  string // owner/name
	Environment string
	Deployment  int64 // GitHub's deployment id
}

// EventStream is a stream of changes. It is not safe for concurrent use, except for Close.
type EventStream struct {
	body   io.Closer
	reader *eventReader
	end    context.CancelCauseFunc
	cause  func() error
	timer  *time.Timer
}

// Events opens a stream of changes of deployments. After lastID, from LastID of an earlier stream, the
// service sends first what has changed since; empty: only what changes from now on. The caller must
// close the stream.
func (c *Client) Events(ctx context.Context, q EventQuery, lastID string) (*EventStream, error) {
	query := values(
		"repository", q.Repository,
		"environment", q.Environment,
		"deployment", number(q.Deployment),
	)

	streaming, end := context.WithCancelCause(ctx)
	timer := time.AfterFunc(connectTimeout, func() { end(ErrSilent) })
	stream, err := c.openEvents(streaming, query.Encode(), lastID)
	if err != nil {
		timer.Stop()
		end(nil)
		return nil, causeOf(streaming, err)
	}

	stream.end, stream.timer = end, timer
	stream.cause = func() error { return context.Cause(streaming) }
	stream.reader.onLine = func() { timer.Reset(silenceTimeout) }
	timer.Reset(silenceTimeout)
	return stream, nil
}

func (c *Client) openEvents(ctx context.Context, query, lastID string) (*EventStream, error) {
	req, err := c.request(ctx, http.MethodGet, "api/v1/events", nil, nil)
	if err != nil {
		return nil, err
	}

	req.URL.RawQuery = query
	req.Header.Set("Accept", "text/event-stream")
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}

	resp, err := c.stream.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call Seraph: %w", err)
	}

	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode != http.StatusOK:
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxResponse)) // without it the status says enough
		_ = resp.Body.Close()
		return nil, responseError(resp.StatusCode, body)
	case kind != "text/event-stream":
		_ = resp.Body.Close()
		return nil, &AnswerError{c.o.URL.Host, errors.New("is no stream of events")}
	}

	return &EventStream{body: resp.Body, reader: newEventReader(resp.Body)}, nil
}

// Next waits for the next change. The error says why the stream has ended: io.EOF where the service
// ended it, ErrSilent, or the cause of the context's end.
func (s *EventStream) Next() (api.DeploymentEvent, error) {
	for {
		found, err := s.reader.next()
		if err != nil {
			if cause := s.cause(); cause != nil {
				err = cause
			}
			return api.DeploymentEvent{}, err
		}
		if found.name != "deployment" {
			continue // of a newer version of the service
		}

		var changed api.DeploymentEvent
		if err := json.Unmarshal([]byte(found.data), &changed); err != nil {
			return api.DeploymentEvent{}, fmt.Errorf("decode event: %w", err)
		}

		return changed, nil
	}
}

// LastID is the id of the newest event, for a stream that continues after it.
func (s *EventStream) LastID() string { return s.reader.lastID }

// Close ends the stream. Next then returns context.Canceled.
func (s *EventStream) Close() {
	s.timer.Stop()
	s.end(context.Canceled)
	_ = s.body.Close() // only reading
}

// causeOf is why a context has ended, or else err.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}
