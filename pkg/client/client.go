// Package client calls the API of a running service. The command line uses it.
package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// Verdict is what the rules say of a deployment.
type Verdict = api.Verdict

// Options say which service to call, and with which token.
type Options struct {
	URL   *url.URL
	Token string
	HTTP  *http.Client // nil: a client with a timeout of 30 s
}

// Client calls one service. It is safe for concurrent use and never retries.
type Client struct{ o Options }

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
	return &Client{o}
}

// Error is an error response of the service.
type Error struct {
	Status  int
	Code    string
	Message string
}

// Error is the HTTP status and the service's message.
func (e *Error) Error() string { return fmt.Sprintf("Seraph answered %d: %s", e.Status, e.Message) }

// Gate asks whether a deployment may go now. query holds repository, environment and sha, and may
// hold ref, actor and task.
func (c *Client) Gate(ctx context.Context, query url.Values) (Verdict, error) {
	var v Verdict
	if err := c.get(ctx, "api/v1/gate", query, &v); err != nil {
		return v, err
	}
	if v.Decision == "" {
		const format = "response of %s has no decision: check that SERAPH_API_URL is the address of Seraph"
		return v, fmt.Errorf(format, c.o.URL.Host)
	}
	return v, nil
}

func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	u := c.o.URL.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("create request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.o.Token)

	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("call Seraph: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()

	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("read response: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return responseError(resp.StatusCode, body)
	}

	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("decode response: %w", err)
	}

	return nil
}

// responseError reads an error response. The page of a proxy is not JSON, so the status text stands
// in for its message.
func responseError(status int, body []byte) error {
	var r api.ErrorResponse
	if err := json.Unmarshal(body, &r); err != nil || r.Error.Message == "" {
		r.Error.Message = http.StatusText(status)
	}
	return &Error{Status: status, Code: r.Error.Code, Message: r.Error.Message}
}
