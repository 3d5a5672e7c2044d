package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/events"
)

// eventReader reads a stream of events.
type eventReader struct {
	response *http.Response
	lines    *bufio.Scanner
	cancel   context.CancelFunc
}

// stream sends GET /api/v1/events. headers are names and values in turn.
func (s *eventServer) stream(t *testing.T, query string, headers ...string) *eventReader {
	t.Helper()
	return s.request(t, http.MethodGet, query, nil, headers...)
}

func (s *eventServer) request(t *testing.T, method, query string, body io.Reader, headers ...string) *eventReader {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, s.url+"/api/v1/events"+query, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+readToken)
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}

	response, err := s.transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return &eventReader{response: response, lines: bufio.NewScanner(response.Body), cancel: cancel}
}

// block reads the next block of lines, which an empty line ends; empty: the stream has ended.
func (r *eventReader) block() string {
	var lines []string
	for r.lines.Scan() {
		if r.lines.Text() == "" {
			return strings.Join(lines, "\n")
		}
		lines = append(lines, r.lines.Text())
	}
	return ""
}

// next reads the next block that is no comment.
func (r *eventReader) next() string {
	for {
		if block := r.block(); block != ":" {
			return block
		}
	}
}

// begin reads the first two blocks, and gives the position at which the stream begins.
func (r *eventReader) begin(t *testing.T) (position int64) {
	t.Helper()
	if got := r.next(); got != "retry: 2000" {
		t.Fatalf("got %q, want the time after which to connect again", got)
	}
	return r.position(t)
}

func (r *eventReader) position(t *testing.T) int64 {
	t.Helper()
	block := r.next()
	position, err := strconv.ParseInt(strings.TrimPrefix(block, "id: "), 10, 64)
	if err != nil {
		t.Fatalf("got %q, want a position", block)
	}
	return position
}

func eventText(position int64, id int64, state string, version int) string {
	prefix := ""
	if position > 0 {
		prefix = fmt.Sprintf("id: %d\n", position)
	}
	return prefix + fmt.Sprintf("event: deployment\n"+
		`data: {"id":%d,"repository":"acme/api","environment":"Production","state":"%s","version":%d}`, id, state, version)
}

// A stream outlives the time limits of its server, and every middleware lets its lines through at once.
func TestStreamEvents_OutlivesTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newEventServerInMemory(t)
		begin := time.Now()
		r := s.stream(t, "")
		for name, want := range map[string]string{
			"Content-Type":      "text/event-stream",
			"Cache-Control":     "no-store",
			"X-Accel-Buffering": "no",
		} {
			if got := r.response.Header.Get(name); got != want {
				t.Errorf("got %s: %q, want %q", name, got, want)
			}
		}

		position := r.begin(t)
		limit := max(s.http.ReadTimeout, s.http.WriteTimeout, s.http.IdleTimeout)
		for time.Since(begin) < 3*limit {
			if got := r.block(); got != ":" {
				t.Fatalf("got %q after %s, want a comment", got, time.Since(begin))
			}
		}

		s.accept(t, 42)
		if got, want := r.next(), eventText(position+1, 42, "waiting", 1); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestStreamEvents_Resumes(t *testing.T) {
	s := newEventServer(t)
	d := s.accept(t, 42)
	position := s.stream(t, "").begin(t)
	d.State = deployment.Canceled
	changes := deployment.Changes{Timeline: []deployment.Entry{{At: time.Now(), Event: "canceled"}}}
	if _, err := s.db.Save(t.Context(), d, changes, deployment.SaveOptions{}); err != nil {
		t.Fatal(err)
	}

	t.Run("after the last event", func(t *testing.T) {
		r := s.stream(t, "", "Last-Event-ID", fmt.Sprint(position))
		got := []string{r.next(), r.next(), r.next()}
		want := []string{
			"retry: 2000",
			eventText(position+1, 42, "canceled", 2),
			fmt.Sprintf("id: %d", position+1),
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})

	t.Run("from another database", func(t *testing.T) {
		r := s.stream(t, "?repository=acme/api", "Last-Event-ID", "123456789")
		got := []string{r.next(), r.next(), r.next()}
		want := []string{"retry: 2000", eventText(0, 42, "canceled", 2), fmt.Sprintf("id: %d", position+1)}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})

	t.Run("one deployment", func(t *testing.T) {
		r := s.stream(t, "?deployment=42")
		got := []string{r.next(), r.next()}
		if want := []string{"retry: 2000", eventText(0, 42, "canceled", 2)}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestStreamEvents_EndsWithItsClient(t *testing.T) {
	for name, body := range map[string]string{"without a body": "", "with a body": `{"a":1}`} {
		t.Run(name, func(t *testing.T) {
			s := newEventServer(t)
			r := s.request(t, http.MethodGet, "", strings.NewReader(body))
			r.begin(t)
			r.cancel()
			<-s.closed
			if n := s.hub.Watchers(); n != 0 {
				t.Errorf("got %d watchers after the client has left, want 0", n)
			}
		})
	}
}

func TestStreamEvents_EndsWithTheService(t *testing.T) {
	s := newEventServer(t)
	r := s.stream(t, "")
	r.begin(t)
	s.hub.Close()
	if got := r.next(); got != "" {
		t.Errorf("got %q, want the end", got)
	}

	if err := r.lines.Err(); err != nil {
		t.Errorf("got %v, want that the answer is complete", err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: got %v, want that it waits for nobody", err)
	}
	s.server.WaitStreams(ctx)
	if err := ctx.Err(); err != nil {
		t.Errorf("wait for streams: got %v, want that all have ended", err)
	}
}

// A stream whose client takes nothing keeps the service from its end only as long as the context lasts.
func TestWaitStreams_EndsWithItsContext(t *testing.T) {
	s := newEventServer(t)
	s.stream(t, "").begin(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.server.WaitStreams(ctx) // returns, although the stream goes on
	if n := s.hub.Watchers(); n != 1 {
		t.Errorf("got %d watchers, want 1", n)
	}
}

// The answer to HTTP/1.0 has no chunks, and ends with the connection.
func TestStreamEvents_HTTP10(t *testing.T) {
	s := newEventServer(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "GET /api/v1/events HTTP/1.0\r\nAuthorization: Bearer "+readToken+"\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}

	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	r := &eventReader{response: response, lines: bufio.NewScanner(response.Body)}
	r.begin(t)
	s.hub.Close()
	if got := r.next(); got != "" || r.lines.Err() != nil {
		t.Errorf("got %q, %v, want the end", got, r.lines.Err())
	}
}

// The line about a stream's request is written when it begins, with its status, because the request has been
// answered then. Another one tells of its end.
func TestStreamEvents_IsLogged(t *testing.T) {
	lines := make(logLines, 16)
	s := newEventServer(t, func(_ *events.Options, o *Options) {
		o.Log = zerolog.New(lines).Level(zerolog.DebugLevel)
	})
	s.stream(t, "").begin(t)
	if got := <-lines; !strings.Contains(got, "request answered") || !strings.Contains(got, `"status":200`) {
		t.Errorf("got %s, want the request with its status", got)
	}
	s.hub.Close()
	if got := <-lines; !strings.Contains(got, "stream of events ended") || !strings.Contains(got, `"request":`) {
		t.Errorf("got %s, want the end of the stream with the id of the request", got)
	}
}

// logLines has a value for each line that is logged.
type logLines chan string

func (l logLines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// A client that takes nothing is cut off by the time limit of a write. The connection has no buffer here.
func TestStreamEvents_CutsOffWhoTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, listener := newEventServerInMemory(t)
		client, err := listener.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()

		begin := time.Now()
		_, err = io.WriteString(client, "GET /api/v1/events HTTP/1.1\r\nHost: seraph\r\nAuthorization: Bearer "+readToken+"\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReaderSize(client, 16).ReadString('\n')
		if err != nil || !strings.Contains(line, "200 OK") {
			t.Fatalf("got %q, %v, want 200", line, err)
		}

		<-s.closed
		const limit = 2 * DefaultStreamWrite // one for the header, and one for the first lines
		if took := time.Since(begin); took > limit {
			t.Errorf("got cut off after %s, want at most %s", took, limit)
		}
		if n := s.hub.Watchers(); n != 0 {
			t.Errorf("got %d watchers, want 0", n)
		}
	})
}

func TestStreamEvents_Head(t *testing.T) {
	s := newEventServer(t)
	r := s.request(t, http.MethodHead, "", nil)
	if got := r.response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("got %q, want text/event-stream", got)
	}
	if n := s.hub.Watchers(); n != 0 {
		t.Errorf("got %d watchers, want 0", n)
	}
}

func TestStreamEvents_LimitsStreams(t *testing.T) {
	s := newEventServer(t, func(o *events.Options, _ *Options) { o.MaxWatchers = 1 })
	s.stream(t, "").begin(t)
	r := s.stream(t, "").response
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || !strings.Contains(string(body), "too_many_streams") {
		t.Errorf("got %d %v %s, want 503 too_many_streams with Retry-After", r.StatusCode, r.Header, body)
	}
}

// A token that streams as much as it may keeps no other from watching, and gets a place back when one of its
// streams has ended.
func TestStreamEvents_ShareOfToken(t *testing.T) {
	s := newEventServer(t, func(_ *events.Options, o *Options) { o.StreamShare = 2 })
	first := s.stream(t, "")
	first.begin(t)
	s.stream(t, "").begin(t)

	r := s.stream(t, "").response
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode != 503 || !strings.Contains(string(body), "too_many_streams") {
		t.Errorf("got %d %s for one too many, want 503 too_many_streams", r.StatusCode, body)
	}
	if r := s.stream(t, "", "Authorization", "Bearer "+adminToken).response; r.StatusCode != 200 {
		t.Errorf("got %d for another token, want 200", r.StatusCode)
	}

	first.cancel()
	<-s.closed // no other connection ends here
	if r := s.stream(t, "").response; r.StatusCode != 200 {
		t.Errorf("got %d after another stream has ended, want 200", r.StatusCode)
	}
}

func TestStreamEvents_Refuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		query string
		last  string
		code  int
	}{
		{name: "repository without owner", query: "?repository=api", code: 400},
		{name: "deployment that is no number", query: "?deployment=x", code: 400},
		{name: "deployment 0", query: "?deployment=0", code: 400},
		{name: "misspelt", query: "?enviroment=production", code: 400},
		{name: "Last-Event-ID that is none", last: "abc", code: 400},
		{name: "negative Last-Event-ID", last: "-1", code: 400},
		{name: "while the service stops", code: 503},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestServer(t) // its events have ended; it compares the answers with api/openapi.yaml
			got := s.send(t, "GET", "/api/v1/events"+test.query, nil,
				"Authorization", "Bearer "+readToken, "Last-Event-ID", test.last)
			if got.code != test.code {
				t.Errorf("got %d %s, want %d", got.code, got.body, test.code)
			}
		})
	}
}
