package circleci_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client calls a simulator as a program would.
type client struct {
	*circleci.Server
	t    *testing.T
	http *http.Client
}

// in returns the client for a subtest.
func (c client) in(t *testing.T) client {
	c.t = t
	return c
}

func start(t *testing.T, options circleci.Options) client {
	t.Helper()
	if options.Step == 0 {
		options.Step = time.Millisecond
	}

	s := circleci.New(options)
	if err := s.Start(""); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(s.Close)
	return client{Server: s, t: t, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// try makes one call and returns the error of the transport.
func (c client) try(method, path string, body any) (reply, error) {
	c.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}

	request, err := http.NewRequestWithContext(c.t.Context(), method, c.URL()+path, bytes.NewReader(raw))
	if err != nil {
		c.t.Fatal(err)
	}

	request.Header.Set("Circle-Token", circleci.DefaultToken)
	request.Header.Set("Content-Type", "application/json")
	return c.send(request)
}

func (c client) send(request *http.Request) (reply, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return reply{}, err
	}

	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	out := reply{status: response.StatusCode, header: response.Header, text: string(text)}
	json.Unmarshal(text, &out.body) // some responses are not JSON

	return out, err
}

// do makes a call and fails the test unless the response has the status.
func (c client) do(status int, method, path string, body any) reply {
	c.t.Helper()
	r, err := c.try(method, path, body)
	if err != nil || r.status != status {
		c.t.Fatalf("%s %s: got %d %s %v, want %d", method, path, r.status, r.text, err, status)
	}
	return r
}

func (c client) get(path string) map[string]any {
	c.t.Helper()
	return c.do(http.StatusOK, http.MethodGet, path, nil).body
}

// run triggers a pipeline on main and returns its id.
func (c client) run(parameters map[string]any) string {
	c.t.Helper()
	r := c.do(http.StatusCreated, http.MethodPost, "/project/gh/acme/api/pipeline", map[string]any{
		"branch":     "main",
		"parameters": parameters,
	})
	return r.body["id"].(string)
}

// all reads a list through all its pages.
func (c client) all(path string) (items []map[string]any, pages int) {
	c.t.Helper()
	for token := ""; ; {
		r := c.get(path + token)
		pages++
		for _, item := range r["items"].([]any) {
			items = append(items, item.(map[string]any))
		}

		next, more := r["next_page_token"].(string)
		if !more {
			return items, pages
		}

		token = "?page-token=" + next
	}
}

// await waits until done is true for a pipeline.
func (c client) await(id string, done func(circleci.Pipeline) bool) circleci.Pipeline {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	var p circleci.Pipeline
	if err := c.Wait(ctx, func() bool { p, _ = c.Pipeline(id); return done(p) }); err != nil {
		c.t.Fatalf("wait for pipeline: %v, got %+v", err, p)
	}
	return p
}

// statuses lists the names and statuses of the workflows, oldest first.
func statuses(p circleci.Pipeline) (out []string) {
	for _, w := range p.Workflows {
		out = append(out, w.Name+" "+w.Status)
	}
	return out
}
