package server

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
)

// Defaults of Options.
const (
	DefaultStoreTimeout = 8 * time.Second // GitHub hangs up after 10 s
	DefaultMaxBody      = 25 << 20        // GitHub sends no larger event
	DefaultMaxInFlight  = 128 << 20
)

// Options are what a Server is made of. Intake is required for webhooks of GitHub, Reader for the API; nil elsewhere turns the thing off, zero numbers mean the defaults.
type Options struct {
	GitHubSecrets   [][]byte // any of them verifies
	CircleCISecrets [][]byte // none: POST /webhooks/circleci answers 404

	// Sources gives the check of the addresses that may send GitHub's webhooks; false: the ranges
	// are not known yet. Nil: any may.
	Sources func() (func(netip.Addr) bool, bool)
	// TrustedProxies are believed when they say in X-Forwarded-For for whom they ask.
	TrustedProxies []netip.Prefix

	Intake   Intake
	Hints    Hints
	Claims   Claims
	Reader   Reader
	Commands Commands
	Ready    func(context.Context) map[string]error // what must work, by name; nil errors are good

	Metrics      http.Handler
	ServeMetrics bool    // on Handler too, not only on MetricsHandler
	Tokens       []Token // of the API; none: /api/v1 answers 404

	StoreTimeout time.Duration // from the end of a body to its being durable
	MaxBody      int64         // bytes of one webhook
	MaxInFlight  int64         // bytes of all bodies held at one time

	Log     zerolog.Logger
	Now     func() time.Time
	Observe func(source, event, result string) // once for each webhook; all three are from closed sets
	// CircleCIURL is a pipeline's page for people; it is asked only for deployments that have a
	// pipeline.
	CircleCIURL func(deployment.Deployment) string
}

// Intake takes in verified deliveries. It returns without error only after the delivery is durable,
// or is known to need nothing; after an error the delivery is not remembered.
type Intake interface {
	Accept(ctx context.Context, del intake.Delivery, req deployment.Request) (intake.Result, error)
	Ignore(ctx context.Context, del deployment.Delivery, reason string) (intake.Result, error)
}

// Hints has a pipeline looked at now. known: it belongs to a deployment.
type Hints interface {
	WakeByPipeline(ctx context.Context, pipelineID string) (known bool, err error)
}

// Claims lets a job take the deployment whose key it has for its pipeline.
type Claims interface {
	Claim(ctx context.Context, key, pipelineID string) (ClaimResult, error)
}

// ClaimResult is the answer to a claim.
type ClaimResult int

// The answers. ClaimRefused: another pipeline has the deployment, or it is over; the job must stop.
const (
	ClaimUnknown ClaimResult = iota // no deployment has this key
	ClaimGranted
	ClaimRefused
)

// Reader answers the API. Get returns the records with GitHub's deployment id, none when it is
// unknown.
type Reader interface {
	List(ctx context.Context, f deployment.Filter) ([]deployment.Deployment, error)
	Get(ctx context.Context, id int64) ([]deployment.Record, error)
}

// Scope says how much a token may do; each one includes those before it.
type Scope string

// The scopes.
const (
	ScopeRead   Scope = "read"
	ScopeDeploy Scope = "deploy"
	// deploy, for people whom a face has verified; it acts for nobody else, itself included
	ScopeBehalf Scope = "behalf"
	ScopeAdmin  Scope = "admin"
)

// Token is a bearer token of the API. Only its SHA-256 is kept.
type Token struct {
	Name  string
	Scope Scope
	Hash  [32]byte
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
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(string, string, string) {}
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) map[string]error { return nil }
	}
	if o.CircleCIURL == nil {
		o.CircleCIURL = func(deployment.Deployment) string { return "" }
	}

	return o
}
