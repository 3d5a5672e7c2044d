package slack

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// Options say which Slack to call, and as whom.
type Options struct {
	BaseURL   *url.URL // https://slack.com/api/, or that of GovSlack; the slash at the end is optional
	Token     string   // a bot token
	HTTP      *http.Client
	UserAgent string
	Now       func() time.Time // nil: time.Now

	// Observe is told of each call: the method of Slack's API, and what came of it. Both are of small closed sets.
	// May be nil.
	Observe func(method, code string)
}

// Client calls Slack's API as one app in one workspace. It retries nothing. A method that Slack has limited
// is not called again before the time that Slack named. All errors of its methods are *notify.SendError. It is
// safe for concurrent use.
type Client struct {
	o    Options
	http http.RoundTripper // without redirects
	api  *goslack.Client   // builds the requests
	gate *gate

	audiences audiences

	mu sync.Mutex
	me *Identity // nil until Slack has told it
}

// New makes a client. It makes no call. Of o.HTTP only the transport is used, which should be that of package
// outbound: it bounds the time and the answers.
func New(o Options) *Client {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(string, string) {}
	}

	c := &Client{o: o, http: http.DefaultTransport, gate: newGate(o.Now)}
	if o.HTTP != nil && o.HTTP.Transport != nil {
		c.http = o.HTTP.Transport
	}

	// slack-go gets no token: it would write it into the bodies. Its retry options stay off, because they repeat posts.
	c.api = goslack.New(
		"",
		goslack.OptionAPIURL(strings.TrimRight(o.BaseURL.String(), "/")+"/"),
		goslack.OptionHTTPClient(&http.Client{Transport: (*requestSender)(c)}),
	)

	return c
}

// call is one call of a method.
type call struct {
	method string
	limit  string // what Slack limits beside the method, such as a channel; empty: nothing
	send   func(context.Context) error
	out    any          // what the answer is decoded into; nil: nothing
	header *http.Header // receives the header of the answer; nil: nobody wants it
}

// do makes one call, unless Slack has asked to wait with it.
func (c *Client) do(ctx context.Context, k call) error {
	if wait := c.gate.wait(k.method, k.limit); wait > 0 {
		return c.done(k.method, &notify.SendError{Kind: notify.SendLimited, Code: codeHeld, Wait: wait, Local: true})
	}

	e := new(exchange)
	ctx = outbound.WithOperation(context.WithValue(ctx, exchangeKey{}, e), k.method)
	err := k.send(ctx)
	failure := c.outcome(k, e, err)
	if failure != nil && failure.Kind == notify.SendLimited {
		c.gate.close(k.method, k.limit, failure.Wait)
	}

	return c.done(k.method, failure)
}

// done tells the observer what came of a call, and returns it.
func (c *Client) done(method string, failure *notify.SendError) error {
	if failure == nil {
		c.o.Observe(method, codeOK)
		return nil
	}

	c.o.Observe(method, metricCode(failure.Code))
	if failure.Err != nil && c.o.Token != "" && strings.Contains(failure.Err.Error(), c.o.Token) {
		failure.Err = errors.New(hidden) // an answer that repeats the request
	}
	return failure
}

// outcome says what came of a call. Of err, which is slack-go's, it is only used that no request could be built.
func (c *Client) outcome(k call, e *exchange, err error) *notify.SendError {
	if !e.tried {
		return &notify.SendError{Kind: notify.SendNotSent, Code: codeNotSent, Err: buildError(err)}
	}
	if failure := classify(k.method, *e, c.o.Now()); failure != nil {
		return failure
	}
	if k.header != nil {
		*k.header = e.header
	}
	if k.out == nil {
		return nil
	}
	if err := json.Unmarshal(e.body, k.out); err != nil {
		return &notify.SendError{Kind: notify.SendUnknown, Code: codeUnreadable, Err: errShape}
	}

	return nil
}

// buildError returns why no request was built, without URLs.
func buildError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if err == nil {
		return errors.New("no request was made")
	}
	return err
}

// Close closes the idle connections.
func (c *Client) Close() {
	if t, ok := c.http.(*outbound.Transport); ok {
		t.CloseIdle()
	}
}
