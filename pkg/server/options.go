package server

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Defaults of Options.
const (
	DefaultStoreTimeout = 8 * time.Second // GitHub hangs up after 10 s
	DefaultMaxBody      = 25 << 20        // GitHub sends no larger event
	DefaultMaxInFlight  = 128 << 20
	DefaultStreamIdle   = 15 * time.Second // proxies close a connection that is silent for 60 s
	DefaultStreamWrite  = 10 * time.Second // a client that takes nothing for so long is gone
	DefaultStreamShare  = 250              // a quarter of events.DefaultMaxWatchers
)

// Options are what a Server is made of. A zero number means its default.
type Options struct {
	// GitHubSecrets verify GitHub's webhooks; any one of them is enough.
	GitHubSecrets [][]byte
	// CircleCISecrets verify CircleCI's webhooks. Without one, POST /webhooks/circleci answers 404.
	CircleCISecrets [][]byte

	// Sources returns the check of the addresses that may send GitHub's webhooks, and whether the
	// allowed addresses are known yet. Nil: any address may.
	Sources func() (allowed func(netip.Addr) bool, known bool)
	// TrustedProxies are believed when their X-Forwarded-For names the client.
	TrustedProxies []netip.Prefix

	Intake Intake // required
	Waker  Waker  // nil: webhooks of CircleCI are verified and ignored
	Claims Claims // nil: POST /webhooks/claim answers 404

	// Slack serves POST /webhooks/slack. It counts its requests itself, verifies their bodies, which this package
	// limits, and stores them before it answers. Nil: the path answers 404.
	Slack http.Handler

	// Tokens open /api/v1. Without one it answers 404, which says how to turn it on, and the next eleven
	// are not used.
	Tokens       []Token
	Persons      Persons // nil: nobody is known
	Reader       DeploymentReader
	Deliveries   DeliveryReader
	Environments EnvironmentReader
	Events       EventSource
	Deployments  DeploymentCommands
	Holds        HoldCommands
	Orders       OrderCommands
	Lines        Answerer
	Locks        LockCommands
	LockReader   LockReader

	// Link serves GET /link/{code} and GET /login/callback, where people link their chat user to GitHub. Nil: both
	// answer 404.
	Link http.Handler

	// Ready returns the checks behind /readyz by name; a nil error is a check that passes.
	Ready func(context.Context) map[string]error

	Metrics      http.Handler
	ServeMetrics bool // Handler serves /metrics too, not only MetricsHandler

	StoreTimeout time.Duration // from the end of a webhook's body until it is stored
	MaxBody      int64         // bytes of one webhook
	MaxInFlight  int64         // bytes of all bodies held at the same time

	StreamIdle  time.Duration // between two comment lines of a silent stream of events
	StreamWrite time.Duration // for one write to a stream of events
	StreamShare int           // streams of events that one token may have at the same time

	Log zerolog.Logger
	Now func() time.Time
	// Observe counts one webhook. All three labels come from closed sets.
	Observe func(source, event, result string)
	// ObserveRefused counts one request to the API that was refused because its token is unknown, may not
	// do this or has sent too many. The code is from a closed set.
	ObserveRefused func(code string)
	// CircleCIURL returns the page of a deployment's pipeline. It is called only for a deployment
	// that has one.
	CircleCIURL func(deployment.Deployment) string
}

func (o Options) withDefaults() Options {
	if o.StoreTimeout == 0 {
		o.StoreTimeout = DefaultStoreTimeout
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = DefaultMaxInFlight
	}

	if o.StreamIdle == 0 {
		o.StreamIdle = DefaultStreamIdle
	}
	if o.StreamWrite == 0 {
		o.StreamWrite = DefaultStreamWrite
	}
	if o.StreamShare == 0 {
		o.StreamShare = DefaultStreamShare
	}

	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(string, string, string) {}
	}
	if o.Persons == nil {
		o.Persons = nobody{}
	}
	if o.ObserveRefused == nil {
		o.ObserveRefused = func(string) {}
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) map[string]error { return nil }
	}
	if o.CircleCIURL == nil {
		o.CircleCIURL = func(deployment.Deployment) string { return "" }
	}

	return o
}
