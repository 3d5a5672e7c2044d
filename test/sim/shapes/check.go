package shapes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Check reports each request, and each response of next to it, that GitHub's OpenAPI description
// does not allow. Where the description is not available it warns once on standard error and lets
// everything pass (see Need); with CI=true it reports that instead.
//
// The first Check of a process reads the description, and downloads it if it is not in the cache, so that no request,
// whose client has a timeout, waits for that.
func Check(next http.Handler, report func(violation string)) http.Handler {
	d, err := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			reportMissing(err, report)
			next.ServeHTTP(w, r)
			return
		}

		violation := func(err error) { report(fmt.Sprintf("%s %s: %s", r.Method, r.URL.Path, oneLine(err))) }
		input, err := d.request(r)
		if err != nil {
			violation(err)
		}

		recorded := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorded, r)
		if input == nil {
			return
		}
		if err := d.response(r.Context(), input, recorded); err != nil {
			violation(fmt.Errorf("answer %d: %w", recorded.status, err))
		}
	})
}

var warnOnce sync.Once

// reportMissing handles a description that is not available: a violation in CI, elsewhere one
// warning.
func reportMissing(err error, report func(string)) {
	if os.Getenv("CI") == "true" {
		report("shapes: " + err.Error())
		return
	}
	warnOnce.Do(func() { fmt.Fprintln(os.Stderr, "shapes: calls to GitHub are not checked:", err) })
}

// byID matches the address of a repository by its id. GitHub redirects former names to it but does
// not document it.
var byID = regexp.MustCompile(`^(/api/v3)?/repositories/(\d+)`)

// teamByID matches the address of a team by ids. GitHub names it in the text about "Get a team by
// name" and "Get team membership for a user", but has no operation for it.
var teamByID = regexp.MustCompile(`^(/api/v3)?/organizations/(\d+)/team/(\d+)`)

// request checks r and leaves its body to be read again. A nil input means that GitHub documents no
// such call.
func (d *description) request(r *http.Request) (*openapi3filter.RequestValidationInput, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}

	r.Body = io.NopCloser(bytes.NewReader(body))
	copied := r.Clone(r.Context())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	for _, path := range []*string{&copied.URL.Path, &copied.URL.RawPath} { // RawPath is set where a name contains a slash
		*path = byID.ReplaceAllString(*path, "$1/repos/by-id/$2")
		*path = teamByID.ReplaceAllString(*path, "$1/orgs/$2/teams/$3")
	}

	// the name of a ref is one parameter, whatever slashes are in it
	for _, operation := range []string{"/git/ref/", "/git/matching-refs/"} {
		if before, name, ok := strings.Cut(copied.URL.Path, operation); ok {
			copied.URL.RawPath = before + operation + url.PathEscape(name)
		}
	}

	copied.URL.Host, copied.URL.Scheme = "", ""
	route, params, err := d.router.FindRoute(copied)
	if err != nil {
		return nil, err
	}
	if wanted := route.Operation.RequestBody; wanted != nil && !wanted.Value.Required && isNull(body) {
		copied.Body, copied.ContentLength = http.NoBody, 0
	}

	options := &openapi3filter.Options{
		MultiError:          true,
		AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc,
		SkipSettingDefaults: true,
	}

	options.WithCustomSchemaErrorFunc(reason)
	input := &openapi3filter.RequestValidationInput{
		Request:    copied,
		PathParams: params,
		Route:      route,
		Options:    options,
	}

	return input, openapi3filter.ValidateRequest(r.Context(), input)
}

// isNull reports whether a body is the JSON null, which GitHub treats as no body: ghinstallation v2
// sends it for a token without options.
func isNull(body []byte) bool { return string(bytes.TrimSpace(body)) == "null" }

// response checks a response. Statuses that GitHub does not document for the call are accepted, and so is
// the id of a commit as text, which it names but does not describe.
func (d *description) response(
	ctx context.Context,
	input *openapi3filter.RequestValidationInput,
	got *recorder,
) error {
	if strings.HasPrefix(got.Header().Get("Content-Type"), "application/vnd.github.sha") {
		return nil
	}

	return openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 got.status,
		Header:                 got.Header(),
		Body:                   io.NopCloser(bytes.NewReader(got.body.Bytes())),
		Options:                input.Options,
	})
}

// recorder passes a response on and keeps a copy of it.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *recorder) WriteHeader(status int) {
	t.status = status
	t.ResponseWriter.WriteHeader(status)
}

func (t *recorder) Write(p []byte) (int, error) {
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the wrapped writer.
func (t *recorder) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// oneLine returns the text of an error on one line.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// reason returns the broken rule and its place, without the schema that the library prints with it.
func reason(err *openapi3.SchemaError) string {
	return fmt.Sprintf("/%s: %s", strings.Join(err.JSONPointer(), "/"), err.Reason)
}
