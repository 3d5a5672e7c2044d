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

// The methods of Slack's API that are called.
const (
	methodPost      = "chat.postMessage"
	methodUpdate    = "chat.update"
	methodEphemeral = "chat.postEphemeral"
	methodHistory   = "conversations.history"
	methodReplies   = "conversations.replies"
	methodChannel   = "conversations.info"
	methodDirect    = "conversations.open"
	methodUser      = "users.info"
	methodIdentity  = "auth.test"
	methodOpenView  = "views.open"
	methodEditView  = "views.update"
	methodHome      = "views.publish"
	methodRespond   = "response_url" // no method of the API, but called and counted like one
)

// Options say which Slack to call, and as whom.
type Options struct {
	BaseURL   *url.URL // https://slack.com/api/, or that of GovSlack; the slash at the end is optional
	Token     string   // a bot token
	UserAgent string
	Now       func() time.Time // nil: time.Now

	// HTTP is of package outbound, which bounds the time of a call and the size of an answer. Only its transport is
	// used. Nil is for tests: http.DefaultTransport, without bounds.
	HTTP *http.Client

	// Observe is called for each call, and for each that is not made because Slack has asked to wait. It gets the method
	// of Slack's API and what came of it, both of small closed sets, fit for labels of a metric. Nil: it is not called.
	Observe func(method, code string)
}

// Client calls Slack's API as one app in one workspace. It retries nothing. All errors of its methods are
// *notify.SendError. It is safe for concurrent use.
//
// When Slack answers that a method is called too often, the method is not called again for as long as Slack says, but
// at most for an hour. For messages that are posted this counts in each channel by itself, and Respond is not held
// back, because Slack limits each response URL by itself.
type Client struct {
	o    Options
	http http.RoundTripper // without redirects
	api  *goslack.Client   // builds the requests
	gate *gate

	channels *Answers[Channel]

	mu sync.Mutex
	me *Identity // nil until Slack has answered who it is
}

// New makes a client. It makes no call.
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

	c.channels = NewAnswers(c.Channel, func() time.Time { return c.o.Now() })

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
	method  string
	channel string // for methods that Slack limits in each channel by itself; empty: in the whole workspace
	secret  Secret // of this call, beside the token; empty: none
	send    func(context.Context) error
	out     any                      // what the answer is decoded into; nil: nothing
	header  *http.Header             // receives the header of the answer; nil: nobody wants it
	check   func() *notify.SendError // what is missing in out; nil: nothing is checked
}

// do makes one call, unless Slack has asked to wait with it.
func (c *Client) do(ctx context.Context, k call) error {
	if wait := c.gate.wait(k.method, k.channel); wait > 0 {
		held := &notify.SendError{Kind: notify.SendLimited, Code: codeHeld, Wait: wait, Local: true}
		return c.done(k.method, held, "")
	}

	e := new(exchange)
	ctx = outbound.WithOperation(context.WithValue(ctx, exchangeKey{}, e), k.method)
	err := k.send(ctx)
	failure := c.outcome(k, e, err)
	if failure != nil && failure.Kind == notify.SendLimited {
		c.gate.close(k.method, k.channel, failure.Wait)
	}

	return c.done(k.method, failure, k.secret)
}

// done tells the observer what came of a call, and returns it. An answer that repeats the token or the secret of the
// call is not quoted.
func (c *Client) done(method string, failure *notify.SendError, secret Secret) error {
	if failure == nil {
		c.o.Observe(method, codeOK)
		return nil
	}

	c.o.Observe(method, metricCode(failure.Code))
	for _, s := range []string{c.o.Token, secret.Reveal()} {
		if failure.Err != nil && s != "" && strings.Contains(failure.Err.Error(), s) {
			failure.Err = errors.New(hidden)
		}
	}
	return failure
}

// outcome says what came of a call. err is slack-go's, and is read only where no request was made.
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
		return unreadable()
	}
	if k.check != nil {
		return k.check()
	}

	return nil
}

// buildError returns why no request was made, without its URL.
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
