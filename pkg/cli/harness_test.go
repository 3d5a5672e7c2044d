package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/test/memnet"
)

const testToken = "a-token-of-the-tests-that-is-never-shown"

// noon is the time of every test.
var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	for _, variable := range config.Variables() {
		_ = os.Unsetenv(variable.Name) // a context names the service
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		_ = os.Unsetenv(name) // or it would be the proxy that looks for hosts
	}
	net.DefaultResolver = memnet.Resolver()
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

// description is api/openapi.yaml.
var description = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("../../api/openapi.yaml")
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// answer is what a test's service answers.
type answer struct {
	status int // 0: 200
	body   string
	then   func(http.ResponseWriter, *http.Request) // instead of the body
}

// testService answers requests with literals. It checks requests and answers against api/openapi.yaml.
type testService struct {
	t      *testing.T
	server *httptest.Server

	mu       sync.Mutex
	answers  map[string][]answer // by "METHOD path"; the last one stays
	requests []recorded
}

type recorded struct {
	method, url, body string
	header            http.Header
}

// startService starts a service with the answers of a test. A request for anything else gets 404, as from a
// service of an earlier version.
func startService(t *testing.T, answers map[string][]answer) *testService {
	t.Helper()
	s := &testService{t: t, answers: answers}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

// inMemory starts a service that only the returned terminal reaches, for synctest.Test.
func inMemory(t *testing.T, answers map[string][]answer) *terminal {
	t.Helper()
	term := newTerminal(t, "http://127.0.0.1")
	term.options.http = memnet.Serve(t, &testService{t: t, answers: answers})
	return term
}

func (s *testService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	s.requests = append(s.requests, recorded{r.Method, r.URL.String(), string(body), r.Header})
	key := r.Method + " " + r.URL.Path
	list := s.answers[key]
	if len(list) > 1 {
		s.answers[key] = list[1:]
	}
	s.mu.Unlock()

	switch {
	case len(list) == 0:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":{"code":"not_found","message":"there is nothing at this path"}}`)
	case list[0].then != nil:
		list[0].then(w, r)
	default:
		status := max(list[0].status, http.StatusOK)
		s.check(r, status, list[0].body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, list[0].body)
	}
}

// check compares a request and its answer with the description, as far as it has the operation.
func (s *testService) check(r *http.Request, status int, body string) {
	router, err := description()
	if err != nil {
		s.t.Error(err)
		return
	}

	request := r.Clone(context.Background())
	request.URL.Host, request.URL.Scheme = "", ""
	route, parameters, err := router.FindRoute(request)
	if err != nil {
		return
	}

	request.Body = r.Body
	input := &openapi3filter.RequestValidationInput{
		Request:    request,
		PathParams: parameters,
		Route:      route,
		Options:    &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
		s.t.Errorf("%s %s is not as described: %v", r.Method, r.URL, err)
	}

	header := http.Header{"Content-Type": {"application/json"}}
	header.Set("Retry-After", "10")
	header.Set("Www-Authenticate", "Bearer")
	output := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: status, Header: header}
	output.SetBodyBytes([]byte(body))
	if err := openapi3filter.ValidateResponse(context.Background(), output); err != nil {
		s.t.Errorf("the answer of the test to %s %s is not as described: %v", r.Method, r.URL, err)
	}
}

// sent returns the requests to a path, which may be all: "".
func (s *testService) sent(path string) []recorded {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.requests), func(r recorded) bool {
		return path != "" && strings.Split(r.url, "?")[0] != path
	})
}

// terminal is one run of the command line.
type terminal struct {
	options        Options
	stdout, stderr bytes.Buffer
}

// newTerminal has a context that names the service.
func newTerminal(t *testing.T, service string) *terminal {
	t.Helper()
	term := &terminal{}
	term.options = Options{
		Stdin:      strings.NewReader(""),
		Stdout:     &term.stdout,
		Stderr:     &term.stderr,
		ConfigFile: filepath.Join(t.TempDir(), "seraph", "config.yaml"),
		Version:    "test",
		Now:        func() time.Time { return noon },
		pace: pace{
			poll:  5 * time.Millisecond,
			check: time.Hour, // a test with a stream must not need it
			open:  time.Millisecond,
			ask:   time.Millisecond,
			look:  time.Millisecond,

			complete: time.Minute,
			health:   time.Minute,
		},
	}

	file := contextFile{
		Current:  "test",
		Contexts: map[string]savedContext{"test": {URL: service, Token: testToken}},
	}
	if err := file.write(term.options.ConfigFile); err != nil {
		t.Fatal(err)
	}

	return term
}

// run executes a command as the program does, and returns the exit code. A mistake in the command line has
// ExitUsage too.
func (term *terminal) run(args ...string) int {
	root := &cobra.Command{
		Use:               "seraph",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.AddCommand(Commands(term.options)...)
	root.SetArgs(args)
	root.SetOut(&term.stdout)
	root.SetErr(&term.stderr)

	err := root.Execute()
	exit, isExit := errors.AsType[ExitError](err)
	_, isProblem := errors.AsType[config.Problems](err)
	switch {
	case err == nil:
		return ExitOK
	case isExit:
		return exit.Code
	}

	_, _ = fmt.Fprintln(&term.stderr, err)
	if isProblem || !started {
		return ExitUsage
	}
	return ExitFailed
}

// expect runs a command and compares everything with what is wanted.
func (term *terminal) expect(t *testing.T, code int, stdout, stderr string, args ...string) {
	t.Helper()
	got := term.run(args...)
	if got != code || term.stdout.String() != stdout || term.stderr.String() != stderr {
		t.Errorf("seraph %s: got exit code %d, want %d\nstdout:\n%s\nwant:\n%s\nstderr:\n%s\nwant:\n%s",
			strings.Join(args, " "), got, code, &term.stdout, stdout, &term.stderr, stderr)
	}
	if strings.Contains(term.stdout.String()+term.stderr.String(), testToken) {
		t.Errorf("seraph %s: the output shows the token", strings.Join(args, " "))
	}
}
