package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// CreateDeployment asks GitHub to create a deployment (REST API, "Create a deployment"). It sends one
// request, at most once and not after sendBefore, by the wall clock; the zero time is no bound. GitHub has no
// idempotency key, so after deployment.CreateUnknown the caller must look for the deployment
// (FindDeployments) before it asks again. The request asks GitHub to merge nothing and to require no commit status.
//
// CreateDeployment does not wait: when the pace of writes or a rate limit forbids the request, the
// outcome's After says how long to wait. An urgent deployment may use the last quarter of the pace. The
// repository is addressed by its id where that is known, because another one may have taken its name.
func (c *Client) CreateDeployment(
	ctx context.Context,
	in deployment.Source,
	wanted deployment.NewDeployment,
	sendBefore time.Time,
) deployment.CreateOutcome {
	src := c.current(in)
	acct, err := c.accountFor(ctx, src)
	if err != nil {
		return failedCreate(err)
	}

	now := c.options.Now()
	if wait := acct.pace.reserve(now, wanted.Urgent); wait > 0 {
		return deployment.CreateOutcome{
			Kind:  deployment.CreateNotSent,
			After: wait,
			Paced: !acct.pace.paused(now),
			Cause: "held back by SERAPH_GITHUB_WRITES_PER_MINUTE or by a rate limit of GitHub",
		}
	}

	var created json.RawMessage
	err = c.sendWrite(withSendBefore(ctx, sendBefore), opCreate, acct, src.Repository, func(ctx context.Context) error {
		created, err = postDeployment(ctx, acct.api, src.Repository, wanted)
		return err
	})
	if err != nil {
		return failedCreate(err)
	}

	return deployment.CreateOutcome{Kind: deployment.CreateDone, Body: created}
}

// postDeployment makes the call and returns the deployment. Only a 201 with a whole one is no error.
func postDeployment(
	ctx context.Context,
	api *calls,
	repo deployment.Repository,
	wanted deployment.NewDeployment,
) (json.RawMessage, error) {
	req, err := api.newRequest(http.MethodPost, repositoryPath(repo)+"/deployments", createRequest(wanted))
	if err != nil {
		return nil, &Error{Operation: opCreate, Kind: KindNotSent, Err: err}
	}

	var body bytes.Buffer
	resp, err := api.do(ctx, req, &body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusCreated {
		return nil, errors.New("no deployment")
	}

	_, err = parseDeploymentItem(body.Bytes())
	return body.Bytes(), err
}

// createRequest returns the body of the request. auto_merge and required_contexts are set because without
// them GitHub may merge the default branch into the ref, and refuses a commit whose statuses are not all
// green, those of other tools included.
func createRequest(wanted deployment.NewDeployment) *gh.DeploymentRequest {
	req := &gh.DeploymentRequest{
		Ref:                   new(wanted.Ref),
		Task:                  new(wanted.Task),
		AutoMerge:             new(false),
		RequiredContexts:      &[]string{},
		Environment:           new(wanted.Environment),
		Description:           new(wanted.Description),
		ProductionEnvironment: new(wanted.Production),
	}
	if len(wanted.Payload) > 0 {
		req.Payload = wanted.Payload
	}

	return req
}

// failedCreate maps a failed attempt to its outcome. A failure before the request itself, such as a missing
// token, created nothing. An answer without GitHub's own message proves nothing, because a proxy may have
// given it after it had passed the request on.
func failedCreate(err error) deployment.CreateOutcome {
	cause, _ := deployment.PublicCause("GitHub", err)
	o := deployment.CreateOutcome{Kind: deployment.CreateNotSent, Cause: cause}
	if errors.Is(err, errInvalidName) || hasStatus(err, opInstallation, http.StatusNotFound) {
		o.Kind = deployment.CreateRefused
		return o
	}

	var e *Error
	if !errors.As(err, &e) {
		return o
	}

	o.After = e.RetryAfter
	if e.Operation == opCreate {
		o.Kind = createKind(e)
	}

	return o
}

// createKind says what came of a request for a deployment that failed. It is the only place that judges the
// answers.
func createKind(e *Error) deployment.CreateKind {
	switch {
	case e.Kind == KindNotSent, e.Kind == KindLimited:
		return deployment.CreateNotSent
	case !e.OwnMessage:
		return deployment.CreateUnknown
	}

	switch e.Status {
	case http.StatusAccepted, http.StatusConflict:
		return deployment.CreateNothing
	case http.StatusUnauthorized, http.StatusRequestTimeout:
		return deployment.CreateNotSent // a token has been replaced, or GitHub did not get the request in time
	}

	switch e.Kind {
	case KindDenied, KindMoved, KindInvalid, KindFull:
		return deployment.CreateRefused
	default:
		return deployment.CreateUnknown
	}
}

// sendBeforeKey is the context key of withSendBefore.
type sendBeforeKey struct{}

// withSendBefore returns a context with which recorder sends nothing after a time. The zero time is no
// bound.
func withSendBefore(ctx context.Context, at time.Time) context.Context {
	if at.IsZero() {
		return ctx
	}
	return context.WithValue(ctx, sendBeforeKey{}, at)
}

// errTooLate says that a request was not sent because its time was over.
var errTooLate = errors.New("the time in which the request may be sent was over")

// checkSendBefore returns an error if the time in which a request may be sent is over.
func checkSendBefore(ctx context.Context, now time.Time) error {
	at, ok := ctx.Value(sendBeforeKey{}).(time.Time)
	if ok && now.After(at) {
		return &Error{Operation: opCreate, Kind: KindNotSent, Err: errTooLate}
	}
	return nil
}
