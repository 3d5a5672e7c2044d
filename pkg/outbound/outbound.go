// Package outbound is the one way out: the transport of all outgoing calls. It bounds time and
// size, refuses redirects that would change a call, keeps secrets out of errors and tells what
// happened. It never retries: a hidden retry of a trigger is a second deploy.
package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// DefaultMaxBody is how much of an answer is read, in bytes, when Options do not say.
const DefaultMaxBody = 16 << 20

// ErrBodyTooLarge says that an answer was longer than Options.MaxBody.
var ErrBodyTooLarge = errors.New("the answer is too large")

// Options describe one API's way out.
type Options struct {
	Timeout time.Duration // the whole call, its answer's body included
	MaxBody int64         // bytes; 0: DefaultMaxBody
	Observe func(Call)    // hears of every call; may be nil
}

// Call is what happened, in closed sets. Code is the HTTP status, or "timeout", "dial", "tls",
// "reset", "canceled", "error".
type Call struct {
	Operation string
	Code      string
	Took      time.Duration // until the answer's header
	Remaining int           // calls left before the rate limit, as the answer says; -1: it does not
}

// Transport is an http.RoundTripper. It is safe for concurrent use.
type Transport struct {
	o    Options
	base *http.Transport
}

// New makes a transport with connections of its own.
func New(o Options) *Transport {
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.Observe == nil {
		o.Observe = func(Call) {}
	}

	return &Transport{
		o: o,
		base: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: (&net.Dialer{
				Timeout:   min(o.Timeout, 10*time.Second),
				KeepAlive: 30 * time.Second,
			}).DialContext,
			ForceAttemptHTTP2:     true,
			MaxIdleConns:          128,
			MaxIdleConnsPerHost:   128,
			IdleConnTimeout:       60 * time.Second,
			TLSHandshakeTimeout:   min(o.Timeout, 10*time.Second),
			ExpectContinueTimeout: time.Second,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		},
	}
}

// Client is an http.Client on this transport. A redirect that would change the method, carry a body
// again or lead to another host is not followed: the caller gets the redirect itself.
func (t *Transport) Client() *http.Client {
	return &http.Client{
		Transport: t,
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			first := via[0]
			safe := first.Method == http.MethodGet || first.Method == http.MethodHead
			if !safe || next.Method != first.Method || next.URL.Host != first.URL.Host ||
				next.URL.Scheme != first.URL.Scheme ||
				len(via) > 3 {
				return http.ErrUseLastResponse
			}

			return nil
		},
	}
}

// CloseIdle closes the connections that nobody uses.
func (t *Transport) CloseIdle() { t.base.CloseIdleConnections() }

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeoutCause(req.Context(), t.o.Timeout, errTimeout)
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { wrote.Store(true) },
		GotConn:      func(httptrace.GotConnInfo) {},
	})

	once := req.Clone(ctx)
	once.GetBody = nil // net/http would send a body again on a new connection when a kept one turns out dead
	resp, err := t.base.RoundTrip(once)
	if err != nil {
		cancel()
		err = &Error{Operation: operation(ctx), Err: redact(err, ctx), sent: wrote.Load() || !neverLeft(err)}
		t.o.Observe(Call{Operation: operation(ctx), Code: codeOf(err), Took: time.Since(begin), Remaining: -1})
		return nil, err
	}

	t.o.Observe(Call{
		Operation: operation(ctx),
		Code:      strconv.Itoa(resp.StatusCode),
		Took:      time.Since(begin),
		Remaining: remaining(resp.Header),
	})

	resp.Body = &body{ReadCloser: resp.Body, left: t.o.MaxBody, cancel: cancel}
	return resp, nil
}

var errTimeout = errors.New("no answer in time")

// Error is a call that brought no answer. It never holds a query, a header or a body.
type Error struct {
	Operation string
	Err       error
	sent      bool
}

// Error names the operation and what went wrong.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Operation, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// NotSent says whether a request certainly did not leave: the connection could not be made. In
// every other case it may have arrived.
func NotSent(err error) bool {
	var e *Error
	return errors.As(err, &e) && !e.sent
}

// neverLeft is sound only together with "no header was written": no name, no connection, or no
// handshake.
func neverLeft(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	if errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	return handshake(err)
}

func handshake(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var cert *tls.CertificateVerificationError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &cert) ||
		strings.Contains(err.Error(), "TLS handshake")
}

// redact keeps a URL's query and user out of errors, and names our own time-out.
func redact(err error, ctx context.Context) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(context.Cause(ctx), errTimeout) {
		return fmt.Errorf("%w: %w", errTimeout, context.DeadlineExceeded)
	}
	return err
}

func codeOf(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case handshake(err):
		return "tls"
	case errors.As(err, &op) && op.Op == "dial":
		return "dial"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "reset"
	default:
		return "error"
	}
}

// body caps an answer and ends its call's time when it is closed.
type body struct {
	io.ReadCloser
	left   int64
	cancel context.CancelFunc
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.ReadCloser.Read(one[:]); n == 0 {
			return 0, err
		}

		return 0, ErrBodyTooLarge
	}

	if int64(len(p)) > b.left {
		p = p[:b.left]
	}

	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

type operationKey struct{}

// WithOperation names what a call is for, for metrics and errors. Names are a closed set.
func WithOperation(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, operationKey{}, name)
}

func operation(ctx context.Context) string {
	if name, ok := ctx.Value(operationKey{}).(string); ok {
		return name
	}
	return "other"
}
