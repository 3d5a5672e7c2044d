// Package circleci starts, finds and watches pipelines through CircleCI's API v2. It knows the
// vendor's routes, its words and what its answers mean; it decides nothing and repeats nothing.
package circleci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// Options describe one CircleCI and our user there.
type Options struct {
	BaseURL   *url.URL // https://circleci.com/api/v2, or a server's
	Token     string   // a personal API token; v2 takes no others
	HTTP      *http.Client
	UserAgent string
	Now       func() time.Time
}

// Client speaks to one CircleCI. It is safe for concurrent use.
type Client struct {
	o    Options
	base string
	mu   sync.Mutex
	me   User // once known
}

// New makes a client; it calls nobody.
func New(o Options) *Client {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Client{o: o, base: strings.TrimRight(o.BaseURL.String(), "/")}
}

// Error is an answer that is not what was asked for. It keeps what CircleCI said.
type Error struct {
	Operation  string
	Status     int
	Header     http.Header
	Body       []byte // at most 4 KiB
	Message    string // CircleCI's own, where the answer is its JSON
	RetryAfter time.Duration
	Err        error // why the answer could not be used, if that is it
}

// Error says what was asked and what CircleCI said.
func (e *Error) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("CircleCI %s: answer %d cannot be read: %v", e.Operation, e.Status, e.Err)
	case e.Message != "":
		return fmt.Sprintf("CircleCI %s: %d %s", e.Operation, e.Status, e.Message)
	default:
		return fmt.Sprintf("CircleCI %s: %d", e.Operation, e.Status)
	}
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// answer is one response, read to its end.
type response struct {
	status int
	header http.Header
	body   []byte
}

// send makes one call. An error means that no answer was read.
func (c *Client) send(ctx context.Context, operation, method, path string, query url.Values, in any) (response, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return response{}, err
		}

		body = bytes.NewReader(data)
	}

	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}

	req, err := http.NewRequestWithContext(outbound.WithOperation(ctx, operation), method, target, body)
	if err != nil {
		return response{}, err
	}

	c.setHeaders(req)
	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return response{}, stripURL(err)
	}

	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	a := response{status: resp.StatusCode, header: resp.Header, body: data}
	if err != nil {
		return a, &Error{Operation: operation, Status: a.status, Header: a.header, Err: err}
	}

	return a, nil
}

// head sets what CircleCI wants on every call. Without a JSON content type its trigger ignores
// branch and parameters.
func (c *Client) setHeaders(req *http.Request) {
	req.Header.Set("Circle-Token", c.o.Token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.o.UserAgent)
}

// bare takes the URL out of a transport's error.
func stripURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// get reads one resource into out.
func (c *Client) get(ctx context.Context, operation, path string, query url.Values, out any) (http.Header, error) {
	a, err := c.send(ctx, operation, http.MethodGet, path, query, nil)
	if err != nil {
		return a.header, err
	}
	if a.status != http.StatusOK {
		return a.header, c.answerError(operation, a)
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return a.header, &Error{Operation: operation, Status: a.status, Header: a.header, Err: err}
	}

	return a.header, nil
}

func (c *Client) answerError(operation string, a response) *Error {
	e := &Error{Operation: operation, Status: a.status, Header: a.header, Body: a.body[:min(len(a.body), 4096)]}
	e.Message, _ = message(a.body)
	e.RetryAfter, _ = outbound.RetryAfter(a.header, c.o.Now())
	return e
}

// message reads CircleCI's own {"message": "..."}; ok says that the answer is one.
func message(body []byte) (text string, ok bool) {
	var m struct {
		Message *string `json:"message"`
	}
	if json.Unmarshal(body, &m) != nil || m.Message == nil {
		return "", false
	}
	return *m.Message, true
}

// slugPath escapes the three parts of a project slug, each for itself.
func slugPath(slug string) string {
	parts := strings.SplitN(slug, "/", 3)
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func pipelinePath(id string) string { return "/pipeline/" + url.PathEscape(id) }
