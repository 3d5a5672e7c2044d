// Package client asks a running service over its API, for the command line.
package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Options say which service to ask, and as whom.
type Options struct {
	URL   *url.URL
	Token string
	HTTP  *http.Client // nil: one with a timeout of 30 s
}

// Client asks one service. It is safe for concurrent use and repeats nothing.
type Client struct{ o Options }

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 4 << 20

// New makes a client; it asks nobody.
func New(o Options) *Client {
	if o.HTTP == nil {
		o.HTTP = &http.Client{
			Timeout:       30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Client{o}
}

// Verdict is what the rules say, as the API gives it.
type Verdict struct {
	Decision string     `json:"decision"` // allow, wait or reject
	Reason   string     `json:"reason"`
	OpensAt  *time.Time `json:"opens_at"`
	Forced   bool       `json:"forced"`
	Rules    []Rule     `json:"rules"`
}

// Rule is what one rule says.
type Rule struct {
	Rule     string     `json:"rule"`
	Decision string     `json:"decision"`
	Code     string     `json:"code"`
	Message  string     `json:"message"`
	Who      string     `json:"who"`
	OpensAt  *time.Time `json:"opens_at"`
	Forced   bool       `json:"forced"`
}

// Error is what the service says when it does not grant something.
type Error struct {
	Status  int
	Code    string
	Message string
}

// Error is the service's own words.
func (e *Error) Error() string { return fmt.Sprintf("the service says %d: %s", e.Status, e.Message) }

// Gate asks whether a deployment may go now. query holds repository, environment and sha, and may
// hold ref, actor and task.
func (c *Client) Gate(ctx context.Context, query url.Values) (Verdict, error) {
	var v Verdict
	err := c.get(ctx, "api/v1/gate", query, &v)
	if err == nil && v.Decision == "" {
		err = fmt.Errorf("the answer holds no decision: is %s a Seraph?", c.o.URL.Host)
	}
	return v, err
}

func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	u := c.o.URL.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}

	req.Header.Set("Authorization", "Bearer "+c.o.Token)
	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return err
	}

	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp.StatusCode, body)
	}

	return json.Unmarshal(body, into)
}

func refusal(status int, body []byte) error {
	var said struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}

	_ = json.Unmarshal(body, &said) // a proxy's page says nothing: the status speaks
	if said.Error.Message == "" {
		said.Error.Message = http.StatusText(status)
	}

	return &Error{status, said.Error.Code, said.Error.Message}
}
