package shapes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Check reports each request, and each answer of next to it, that GitHub's description does not
// allow. Where the description cannot be had it says so once on standard error and lets all pass
// (see Need); with CI=true it reports it.
func Check(next http.Handler, report func(violation string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, err := load()
		if err != nil {
			reportMissing(err, report)
			next.ServeHTTP(w, r)
			return
		}

		tell := func(err error) { report(fmt.Sprintf("%s %s: %s", r.Method, r.URL.Path, oneLine(err))) }
		input, err := d.request(r)
		if err != nil {
			tell(err)
		}

		tee := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(tee, r)
		if input == nil {
			return
		}
		if err := d.response(r.Context(), input, tee); err != nil {
			tell(fmt.Errorf("answer %d: %w", tee.status, err))
		}
	})
}

var warnOnce sync.Once

func reportMissing(err error, report func(string)) {
	if os.Getenv("CI") == "true" {
		report("shapes: " + err.Error())
		return
	}
	warnOnce.Do(func() { fmt.Fprintln(os.Stderr, "shapes: GitHub calls go unchecked:", err) })
}

// byID is the address of a repository by its id, which GitHub redirects former names to and does
// not document.
var byID = regexp.MustCompile(`^(/api/v3)?/repositories/(\d+)`)

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
	for _, path := range []*string{&copied.URL.Path, &copied.URL.RawPath} { // raw where a name holds a slash
		*path = byID.ReplaceAllString(*path, "$1/repos/by-id/$2")
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

// isNull tells a body that GitHub takes for none: ghinstallation v2 sends it for a token without
// options.
func isNull(body []byte) bool { return string(bytes.TrimSpace(body)) == "null" }

// response checks an answer. Statuses that GitHub does not document for the call pass.
func (d *description) response(ctx context.Context, input *openapi3filter.RequestValidationInput, got *recorder) error {
	return openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 got.status,
		Header:                 got.Header(),
		Body:                   io.NopCloser(bytes.NewReader(got.body.Bytes())),
		Options:                input.Options,
	})
}

// tee keeps a copy of what is answered.
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

// Unwrap is for http.ResponseController.
func (t *recorder) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// brief is an error on one line.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// reason is a broken rule and where, without the whole schema around it.
func reason(err *openapi3.SchemaError) string {
	return fmt.Sprintf("/%s: %s", strings.Join(err.JSONPointer(), "/"), err.Reason)
}
