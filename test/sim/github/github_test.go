package github_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const repo = "acme/api"

// setup starts a simulator with one repository. Its calls are checked against GitHub's OpenAPI description
// where that is available, unless the options have a Wrap.
func setup(t *testing.T, options github.Options) *github.Server {
	t.Helper()
	var s *github.Server
	if options.Wrap == nil {
		options.Wrap = func(next http.Handler) http.Handler {
			return shapes.Check(next, func(violation string) { s.Report(violation) })
		}
	}

	s = github.New(options)
	if err := s.Start(""); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(s.Close)
	s.AddRepository(repo)
	return s
}

// reply is the response to a call.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	list   []map[string]any
}

func (r reply) text(key string) string { return fmt.Sprint(r.body[key]) }

// do makes one call and does not follow redirects.
func do(t *testing.T, s *github.Server, method, path, token, body string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}

	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}

	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}

	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}

	out := reply{status: resp.StatusCode, header: resp.Header}
	decode(raw, &out.body)
	decode(raw, &out.list)
	return out
}

func decode(raw []byte, target any) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	_ = d.Decode(target)
}

func call(t *testing.T, s *github.Server, method, path, body string) reply {
	t.Helper()
	return do(t, s, method, path, github.DefaultToken, body)
}

// receiver is a webhook endpoint that records requests and answers with a fixed status.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []received
}

type received struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: http.StatusAccepted}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, received{req.Header, body})
		w.WriteHeader(r.status)
	}))

	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

func deploy(t *testing.T, s *github.Server, wanted github.NewDeployment) github.Deployment {
	t.Helper()
	if wanted.Ref == "" {
		wanted.Ref = "main"
	}

	d, err := s.CreateDeployment(repo, wanted)
	if err != nil {
		t.Fatal(err)
	}

	return d
}

func statusesPath(d github.Deployment) string {
	return fmt.Sprintf("/repos/%s/deployments/%d/statuses", repo, d.ID)
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// wantNoViolations fails the test when a correct call was reported as a violation, or a response does not
// match GitHub's schema.
func wantNoViolations(t *testing.T, s *github.Server) {
	t.Helper()
	for _, v := range s.Violations() {
		t.Error("violation:", v)
	}
}
