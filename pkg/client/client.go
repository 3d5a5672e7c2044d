// Package client calls the API of a running service. The command line uses it.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// Options say which service to call, and with which token.
type Options struct {
	URL       *url.URL
	Token     string       // empty: none is sent
	UserAgent string       // empty: that of net/http
	HTTP      *http.Client // nil: a client with a timeout of 30 s
}

// Client calls one service. It is safe for concurrent use and never retries.
type Client struct {
	o      Options
	stream *http.Client // for answers that do not end by themselves
}

// maxResponse is how many bytes of a response are read.
const maxResponse = 4 << 20

// New makes a client. It calls nothing.
func New(o Options) *Client {
	if o.HTTP == nil {
		o.HTTP = &http.Client{
			Timeout: 30 * time.Second,
			// A redirect could send the token to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}

	stream := *o.HTTP
	stream.Timeout = 0 // it would end a stream too; Events has timeouts of its own
	return &Client{o: o, stream: &stream}
}

// Error is an error response of the service.
type Error struct {
	Status  int
	Code    string // empty: the response is not Seraph's
	Message string
	Verdict *api.Verdict // what the rules said, where they refused
}

// Error is the HTTP status and the service's message.
func (e *Error) Error() string {
	who := "Seraph"
	if e.Code == "" {
		who = "the server"
	}
	return fmt.Sprintf("%s answered %d: %s", who, e.Status, e.Message)
}

// AnswerError says that a response is not one of Seraph's.
type AnswerError struct {
	Host string
	Err  error
}

// Error names the host, and says what to check.
func (e *AnswerError) Error() string {
	return fmt.Sprintf("response of %s %v: check that SERAPH_API_URL is the address of Seraph", e.Host, e.Err)
}

// Unwrap is what is wrong with the response.
func (e *AnswerError) Unwrap() error { return e.Err }

// get asks for a document. found says whether a document has field, without which it is not Seraph's.
func get[T any](
	ctx context.Context, c *Client, path string, query url.Values, field string, found func(T) bool,
) (T, error) {
	req, err := c.request(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		var none T
		return none, err
	}
	return do(c, req, field, found)
}

// post sends a document, and asks for one as get does.
func post[T any](
	ctx context.Context, c *Client, path string, body any, field string, found func(T) bool,
) (T, error) {
	req, err := c.request(ctx, http.MethodPost, path, nil, body)
	if err != nil {
		var none T
		return none, err
	}
	return do(c, req, field, found)
}

// request makes a request with the token.
func (c *Client) request(
	ctx context.Context, method, path string, query url.Values, body any,
) (*http.Request, error) {
	u := c.o.URL.JoinPath(path)
	u.RawQuery = query.Encode()

	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		content = bytes.NewReader(text)
	}

	req, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, fmt.Errorf("create request: %w", err)
	}

	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	}
	if c.o.UserAgent != "" {
		req.Header.Set("User-Agent", c.o.UserAgent)
	}

	return req, nil
}

// do sends a request and reads the document of its response.
func do[T any](c *Client, req *http.Request, field string, found func(T) bool) (document T, err error) {
	body, err := c.send(req)
	if err != nil {
		return document, err
	}

	if err := json.Unmarshal(body, &document); err != nil {
		return document, &AnswerError{c.o.URL.Host, fmt.Errorf("is not JSON: decode response: %w", err)}
	}
	if !found(document) {
		return document, &AnswerError{c.o.URL.Host, errors.New("has no " + field)}
	}

	return document, nil
}

// send sends a request and returns the body of a response that is no error.
func (c *Client) send(req *http.Request) ([]byte, error) {
	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call Seraph: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()

	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return nil, fmt.Errorf("read response: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, responseError(resp.StatusCode, body)
	}

	return body, nil
}

// responseError reads an error response. The page of a proxy is not JSON, so the status text stands
// in for its message.
func responseError(status int, body []byte) error {
	var r api.ErrorResponse
	if err := json.Unmarshal(body, &r); err != nil || r.Error.Message == "" {
		r.Error.Message = http.StatusText(status)
	}
	return &Error{Status: status, Code: r.Error.Code, Message: r.Error.Message, Verdict: r.Verdict}
}

// Ready asks whether the service is ready, and returns its answer as text. No token is needed.
func (c *Client) Ready(ctx context.Context) (string, error) {
	req, err := c.request(ctx, http.MethodGet, "readyz", nil, nil)
	if err != nil {
		return "", err
	}
	req.Header.Del("Authorization")

	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask the service: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()

	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return "", fmt.Errorf("read the service's answer: %w", err)
	}

	text := strings.TrimSpace(string(body))
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the service is not ready: %s %s", resp.Status, text)
	}

	return text, nil
}

// of is the path of something with an id, and of what is below it.
func of(kind string, id int64, below string) string {
	return strings.TrimSuffix("api/v1/"+kind+"/"+strconv.FormatInt(id, 10)+"/"+below, "/")
}

// values makes a query of pairs of a name and a value. Empty values are left out.
func values(pairs ...string) url.Values {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return query
}

// number is the text of a number in a query, where 0 stands for none.
func number[T int | int64](n T) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}
