// Package intake is the only way into the service: it matches a deployment with the routes, drops
// duplicates and stores what is new. Webhooks, recovery and package intent call it, so all are judged
// alike.
package intake

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Routes decides where a request goes. key is what a route's {{ .Key }} renders to.
type Routes interface {
	Admit(req deployment.Request, key string) deployment.Admission
}

// Store stores deliveries and deployments.
type Store interface {
	// Accept commits a delivery and its new deployment. duplicate says that the delivery's GUID, or
	// the deployment by its ids, had been accepted before; then no deployment is added.
	Accept(
		ctx context.Context,
		del deployment.Delivery,
		d deployment.Deployment,
		notes ...deployment.Entry,
	) (duplicate bool, err error)
	// Ignored records a delivery that led to no deployment, without its body.
	Ignored(ctx context.Context, del deployment.Delivery, reason string) error
	// RequestByNonce returns deployment.ErrNotFound if no request has the nonce.
	RequestByNonce(ctx context.Context, nonce string) (deployment.Intent, error)
	// AcceptAsked is Accept of a deployment that matches a request, which becomes created.
	AcceptAsked(
		ctx context.Context,
		del deployment.Delivery,
		d deployment.Deployment,
		notes ...deployment.Entry,
	) (duplicate bool, err error)
	// Known says whether the delivery's GUID, or the deployment by its ids, led to a deployment.
	Known(ctx context.Context, del deployment.Delivery) (bool, error)
}

// Outcome says what became of a delivery.
type Outcome string

// The outcomes.
const (
	Accepted  Outcome = "accepted"  // a new deployment is stored
	Duplicate Outcome = "duplicate" // it had led to a deployment before
	Ignored   Outcome = "ignored"   // no deployment of this service; a redelivery is judged afresh
)

// Result is an outcome and, where the delivery was ignored, the reason.
type Result struct {
	Outcome Outcome
	Reason  string
}

// Delivery is what brought a request, and what the caller already knows about the deployment.
type Delivery struct {
	deployment.Delivery
	Problem string             // ends the deployment at once as errored; empty: nothing is wrong
	Notes   []deployment.Entry // for the timeline
}

// Intake accepts deliveries. It is safe for concurrent use.
type Intake struct {
	Routes  Routes
	Machine deployment.Machine
	Store   Store

	// Maker is as whom GitHub shows what this service creates; nil: it creates nothing.
	Maker func(context.Context) (deployment.Maker, error)
}

// Matches says whether a route matches a request. It spares a caller the calls to GitHub about a
// request that Accept would ignore.
func (i *Intake) Matches(req deployment.Request) bool {
	return i.Routes.Admit(req, newKey()).Ignored == ""
}

// Accept matches a request with the routes and stores the new deployment. It returns without error
// only after the commit, because the sender then forgets the delivery; after an error the delivery
// is not remembered.
//
// A deployment that this service created is the one of the person who asked for it: their intent, and not
// the payload, says who that is and which ref they named.
func (i *Intake) Accept(ctx context.Context, del Delivery, req deployment.Request) (Result, error) {
	intent, problem, err := i.intentOf(ctx, req)
	if err != nil {
		return Result{}, err
	}
	if intent != nil {
		req = intent.Own(req)
	}
	if del.Problem == "" {
		del.Problem = problem
	}

	admission := i.Routes.Admit(req, newKey())
	if admission.Ignored != "" {
		del.Repository, del.Environment = req.Repository.FullName(), req.Environment
		return i.ignoreUnknown(ctx, del.Delivery, admission.Ignored)
	}

	accept := i.Store.Accept
	if intent != nil {
		accept = i.Store.AcceptAsked
		if intent.Force {
			admission.Target.ForceReason = intent.Reason
		}
	}

	d, notes := i.Machine.New(req, admission, del.ReceivedAt)
	d.Delivery = del.GUID
	if del.Problem != "" {
		d.Problem = del.Problem
	}

	duplicate, err := accept(ctx, del.Delivery, d, append(notes, del.Notes...)...)
	if err != nil {
		return Result{}, err
	}
	if duplicate {
		return Result{Outcome: Duplicate}, nil
	}

	return Result{Outcome: Accepted}, nil
}

// unknownRequest is the problem of a deployment that our own account created for somebody whom the database
// does not know, such as after a backup was restored. Run as the account's own, it would pass rules that hold
// for the person, and a repetition of the request would run it twice.
const unknownRequest = "asked for through Seraph, which does not know the request any more: ask again"

// intentOf returns the intent that asked for a deployment. nil without a problem: there is none, and a nonce in
// the payload was written by somebody else.
func (i *Intake) intentOf(ctx context.Context, req deployment.Request) (*deployment.Intent, string, error) {
	nonce := deployment.PayloadNonce(req.Payload)
	if nonce == "" {
		return nil, "", nil
	}

	intent, err := i.Store.RequestByNonce(ctx, nonce)
	if err != nil && !errors.Is(err, deployment.ErrNotFound) {
		return nil, "", fmt.Errorf("read request of deployment %d: %w", req.ID, err)
	}
	if err == nil && intent.Matches(req) {
		return &intent, "", nil
	}
	if i.Maker == nil {
		return nil, "", nil
	}

	maker, err := i.Maker(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("learn who created deployment %d: %w", req.ID, err)
	}
	if maker.Made(req) {
		return nil, unknownRequest, nil
	}

	return nil, "", nil
}

// AcceptShown accepts a deployment as GitHub shows it, after an event said something else about it. Like any other
// it is matched with the routes, and is not accepted twice.
func (i *Intake) AcceptShown(ctx context.Context, shown deployment.Request, now time.Time) error {
	const detail = "read at GitHub: an event said something else about it"
	del := Delivery{
		Delivery: deployment.Delivery{
			GUID:         fmt.Sprintf("shown:%d:%d", shown.Repository.ID, shown.ID),
			Event:        "deployment",
			Source:       deployment.SourceListing,
			RepositoryID: shown.Repository.ID,
			DeploymentID: shown.ID,
			ReceivedAt:   now,
		},
		Notes: []deployment.Entry{{At: now, Event: "recovered", Detail: detail}},
	}
	shown.Installation = 0 // the event named it

	_, err := i.Accept(ctx, del, shown)
	return err
}

// ignoreUnknown ignores a delivery unless it was accepted when the routes were different.
func (i *Intake) ignoreUnknown(ctx context.Context, del deployment.Delivery, reason string) (Result, error) {
	known, err := i.Store.Known(ctx, del)
	if err != nil {
		return Result{}, err
	}
	if known {
		return Result{Outcome: Duplicate}, nil
	}

	return i.Ignore(ctx, del, reason)
}

// Ignore records a delivery that makes no deployment, with the reason.
func (i *Intake) Ignore(ctx context.Context, del deployment.Delivery, reason string) (Result, error) {
	if err := i.Store.Ignored(ctx, del, reason); err != nil {
		return Result{}, err
	}
	return Result{Outcome: Ignored, Reason: reason}, nil
}

// newKey returns 128 random bits in hexadecimal. Whoever has a deployment's key may claim it, so
// nobody must be able to guess one.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails: it ends the process instead
	return hex.EncodeToString(b[:])
}
