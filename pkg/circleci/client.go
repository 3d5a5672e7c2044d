// Package circleci calls CircleCI's API v2: it triggers pipelines, reads them, looks for lost ones,
// cancels workflows and approves jobs that wait. The step at which a job failed it reads through v3 or v1.1,
// because v2 does not show it. It knows the API's paths, bodies and answers, and turns an answer to a
// trigger or a poll into an event of package deployment. It decides nothing and retries nothing:
// the engine does.
package circleci

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// Options say which CircleCI to call, and as whom.
type Options struct {
	BaseURL   *url.URL // https://circleci.com/api/v2, or that of a CircleCI server
	Token     string   // a personal API token; API v2 takes no project tokens
	HTTP      *http.Client
	UserAgent string
	Now       func() time.Time // nil: time.Now
}

// Client calls one CircleCI. It is safe for concurrent use.
type Client struct {
	o    Options
	base string
	mu   sync.Mutex
	me   User // zero until it has been asked for
}

// New makes a client. It makes no call.
func New(o Options) *Client {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Client{o: o, base: strings.TrimRight(o.BaseURL.String(), "/")}
}

// Close closes the client's idle connections.
func (c *Client) Close() {
	if t, ok := c.o.HTTP.Transport.(*outbound.Transport); ok {
		t.CloseIdle()
	}
}

// maxMessage is how much of a message of CircleCI's is kept, in code points: it goes into logs, the
// database and the reason of a deployment.
const maxMessage = 500

// Error is an answer that is not the one that was asked for, or that could not be used. A call that
// brought no answer is an *outbound.Error instead.
type Error struct {
	Operation  string
	Status     int           // of the HTTP answer
	Message    string        // CircleCI's own message, at most maxMessage long; empty: the answer has none
	RetryAfter time.Duration // 0: the answer has none
	Err        error         // why an answer with the right status could not be used; else nil
}

// Error says which call got which answer.
func (e *Error) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("CircleCI %s: read answer %d: %v", e.Operation, e.Status, e.Err)
	case e.Message != "":
		return fmt.Sprintf("CircleCI %s: answer %d: %s", e.Operation, e.Status, e.Message)
	default:
		return fmt.Sprintf("CircleCI %s: answer %d", e.Operation, e.Status)
	}
}

// Unwrap returns why the answer could not be used.
func (e *Error) Unwrap() error { return e.Err }

// response is one answer, read to its end.
type response struct {
	status int
	header http.Header
	body   []byte
}

// send makes one call. An error means that no whole answer was read.
func (c *Client) send(ctx context.Context, operation, method, path string, query url.Values, in any) (response, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return response{}, notSent(operation, "encode request", err)
		}

		body = bytes.NewReader(data)
	}

	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}

	req, err := http.NewRequestWithContext(outbound.WithOperation(ctx, operation), method, target, body)
	if err != nil {
		return response{}, notSent(operation, "make request", stripURL(err))
	}

	c.setHeaders(req)
	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return response{}, stripURL(err)
	}

	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	r := response{status: resp.StatusCode, header: resp.Header, body: data}
	if err != nil {
		return r, &Error{Operation: operation, Status: r.status, Err: err}
	}

	return r, nil
}

// notSent returns the error for a request that could not be made, so that nothing of it has left.
func notSent(operation, what string, err error) error {
	return &outbound.Error{Operation: "CircleCI " + operation, Err: fmt.Errorf("%s: %w", what, err)}
}

// setHeaders sets what CircleCI wants on every call. Without a JSON content type the trigger ignores
// the branch and the parameters.
func (c *Client) setHeaders(req *http.Request) {
	req.Header.Set("Circle-Token", c.o.Token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.o.UserAgent)
}

// stripURL takes the URL out of an error of net/http. The operation says enough.
func stripURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// get reads one resource into out.
func (c *Client) get(ctx context.Context, operation, path string, query url.Values, out any) (http.Header, error) {
	r, err := c.send(ctx, operation, http.MethodGet, path, query, nil)
	if err != nil {
		return r.header, err
	}
	if r.status != http.StatusOK {
		return r.header, c.answerError(operation, r)
	}
	if err := json.Unmarshal(r.body, out); err != nil {
		return r.header, unusable(operation, err)
	}

	return r.header, nil
}

// answerError returns the error for an answer with a status that the call did not want.
func (c *Client) answerError(operation string, r response) *Error {
	e := &Error{Operation: operation, Status: r.status}
	e.Message, _ = message(r.body)
	e.RetryAfter, _ = outbound.RetryAfter(r.header, c.o.Now())
	return e
}

// unusable returns the error for a 200 whose body is not what was asked for.
func unusable(operation string, err error) *Error {
	return &Error{Operation: operation, Status: http.StatusOK, Err: err}
}

// answered says whether err is a whole answer with one of some statuses, and returns it.
func answered(err error, statuses ...int) (*Error, bool) {
	var e *Error
	if !errors.As(err, &e) || e.Err != nil {
		return nil, false
	}
	return e, slices.Contains(statuses, e.Status)
}

// retryAfter returns how long CircleCI asks to wait, or 0.
func retryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// message reads CircleCI's words in an error body. They are in "message" (OpenAPI), in ":message", or
// in the title and the detail of "error". ok says that there are any, which an answer of a proxy in
// between does not have.
func message(body []byte) (text string, ok bool) {
	var m struct {
		Message string `json:"message"`
		Keyword string `json:":message"`
		Error   struct {
			Title  string `json:"title"`
			Detail string `json:"detail"`
		} `json:"error"`
	}

	// A field of another type is left empty, and the others are read.
	var wrongType *json.UnmarshalTypeError
	if err := json.Unmarshal(body, &m); err != nil && !errors.As(err, &wrongType) {
		return "", false
	}

	var words []string
	for _, part := range []string{cmp.Or(m.Message, m.Keyword), m.Error.Title, m.Error.Detail} {
		if part = deployment.Readable(part); part != "" {
			words = append(words, part)
		}
	}

	text = strings.Join(words, ": ")
	if runes := []rune(text); len(runes) > maxMessage {
		text = string(runes[:maxMessage]) + "…"
	}

	return text, text != ""
}

// slugPath escapes each of the three parts of a project slug.
func slugPath(slug string) string {
	parts := strings.SplitN(slug, "/", 3)
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func pipelinePath(id string) string { return "/pipeline/" + url.PathEscape(id) }
