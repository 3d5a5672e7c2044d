// Package outbound is the HTTP transport of all outgoing calls. It bounds their time and the size of
// their answers, does not follow redirects that would change a call, keeps URLs and secrets out of
// errors, and tells an observer how each call went. It never retries, because a retry that the caller
// does not know of could trigger a second deployment.
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

// DefaultMaxBody is how many bytes of an answer are read unless Options say otherwise.
const DefaultMaxBody = 16 << 20

// ErrBodyTooLarge says that an answer was longer than Options.MaxBody.
var ErrBodyTooLarge = errors.New("response body is too large")

// errTimeout is the cause of a call that took longer than Options.Timeout.
var errTimeout = errors.New("no answer within the timeout")

// Options are the limits of a transport.
type Options struct {
	Timeout time.Duration // of the whole call, until the answer's body is read
	MaxBody int64         // bytes; 0: DefaultMaxBody
	Observe func(Call)    // is called after every call; may be nil
}

// Call says how a call went. Operation and Code come from small closed sets, so that they can be
// labels of a metric.
type Call struct {
	Operation string
	Code      string        // the HTTP status, or "timeout", "dial", "tls", "reset", "canceled" or "error"
	Took      time.Duration // until the answer's header
	Remaining int           // calls left before the rate limit, as the answer shows; -1: it does not
}

// Transport is an http.RoundTripper. It is safe for concurrent use.
type Transport struct {
	o    Options
	base *http.Transport
}

// New makes a transport with its own pool of connections.
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

// Client returns an http.Client on this transport. It follows up to three redirects of a GET or HEAD
// on the same host. Any other redirect would change the method, send a body again or send the
// credentials to another host: the caller gets the redirect itself as the answer.
func (t *Transport) Client() *http.Client {
	return &http.Client{Transport: t, CheckRedirect: checkRedirect}
}

func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	reads := first.Method == http.MethodGet || first.Method == http.MethodHead
	sameHost := next.URL.Host == first.URL.Host && next.URL.Scheme == first.URL.Scheme
	if !reads || next.Method != first.Method || !sameHost || len(via) > 3 {
		return http.ErrUseLastResponse
	}
	return nil
}

// CloseIdle closes the connections that no call uses.
func (t *Transport) CloseIdle() { t.base.CloseIdleConnections() }

// RoundTrip makes one call. Its error is an *Error.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeoutCause(req.Context(), t.o.Timeout, errTimeout)

	// A request is written only to a connection that stands: through a proxy's tunnel and after the TLS
	// handshake. Without GotConn none of it has left.
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})

	// With GetBody net/http would send the request again where a kept connection turns out to be dead.
	once := req.Clone(ctx)
	once.GetBody = nil

	resp, err := t.base.RoundTrip(once)
	if err != nil {
		cancel()
		err = &Error{Operation: operation(ctx), Err: redact(ctx, err), mayHaveLeft: connected.Load()}
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

// Error is a call that brought no answer. It never holds a URL, a header or a body.
type Error struct {
	Operation   string
	Err         error
	mayHaveLeft bool
}

// Error names the operation and the cause.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Operation, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// NoAnswer tells this error from one that holds an answer. Its text may name addresses of our network.
func (e *Error) NoAnswer() bool { return true }

// NotSent says whether a request certainly did not leave, because there was no connection for it:
// the host has no address, nobody listens, the TLS handshake failed, or a proxy opened no tunnel. In
// every other case it may have arrived. A proxy for plain http gets the request itself, and may pass
// it on whatever it answers.
func NotSent(err error) bool {
	var e *Error
	return errors.As(err, &e) && !e.mayHaveLeft
}

func handshakeFailed(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var cert *tls.CertificateVerificationError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &cert) ||
		strings.Contains(err.Error(), "TLS handshake")
}

// redact takes the URL, which may hold a query and a user, out of an error, and tells our own timeout
// from that of the caller.
func redact(ctx context.Context, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(context.Cause(ctx), errTimeout) {
		return fmt.Errorf("%w: %w", errTimeout, context.DeadlineExceeded)
	}
	return err
}

// codeOf returns the code of a call that brought no answer.
func codeOf(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case handshakeFailed(err):
		return "tls"
	case errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"):
		return "dial"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "reset"
	default:
		return "error"
	}
}

// body reads at most left bytes of an answer, and releases the call's timer when it is closed.
type body struct {
	io.ReadCloser
	left   int64
	cancel context.CancelFunc
}

// Read fails with ErrBodyTooLarge when the answer goes on after the last byte that it may have.
func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var next [1]byte
		n, err := b.ReadCloser.Read(next[:])
		if n == 0 {
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

// Close closes the answer.
func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

type operationKey struct{}

// WithOperation names what a call is for, in metrics and errors. Names come from a small closed set.
func WithOperation(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, operationKey{}, name)
}

func operation(ctx context.Context) string {
	if name, ok := ctx.Value(operationKey{}).(string); ok {
		return name
	}
	return "other"
}
