package github

import (
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// createAnswer is an answer of GitHub to a request for a deployment, and what comes of it.
type createAnswer struct {
	name   string
	status int
	header map[string]string
	body   string
	cut    bool // the connection ends within the body
	want   deployment.CreateKind
	after  time.Duration
	cause  string // a part of it
}

var createAnswers = []createAnswer{
	{
		name:   "created",
		status: 201,
		body:   `{"id":3,"sha":"abc","ref":"main","environment":"staging","creator":null,"payload":""}`,
		want:   deployment.CreateDone,
	},
	{
		name:   "created, cut",
		status: 201,
		body:   `{"id":3,"sha":"abc","ref":"main"`,
		cut:    true,
		want:   deployment.CreateUnknown,
	},
	{name: "created, empty", status: 201, body: ``, want: deployment.CreateUnknown},
	{name: "created, no id", status: 201, body: `{"sha":"abc"}`, want: deployment.CreateUnknown},
	{name: "created, page of a proxy", status: 201, body: `<html>`, want: deployment.CreateUnknown},
	{
		name:   "200",
		status: 200,
		body:   `{"id":3,"sha":"abc","ref":"main","environment":"staging"}`,
		want:   deployment.CreateUnknown,
	},
	{name: "204", status: 204, want: deployment.CreateUnknown},
	{
		name:   "merged",
		status: 202,
		body:   `{"message":"Auto-merged master into topic-branch on deployment."}`,
		want:   deployment.CreateNothing,
		cause:  "Auto-merged master into topic-branch",
	},
	{name: "accepted by a proxy", status: 202, body: `queued`, want: deployment.CreateUnknown},
	{name: "accepted without a body", status: 202, want: deployment.CreateUnknown},
	{
		name:   "merge conflict",
		status: 409,
		body:   `{"message":"Conflict merging master into topic-branch."}`,
		want:   deployment.CreateNothing,
		cause:  "Conflict merging master",
	},
	{
		name:   "red commit statuses",
		status: 409,
		body: `{"message":"Conflict: Commit status checks failed for topic-branch.","errors":[{"contexts":` +
			`[{"context":"ci/circleci: build","state":"failure"},{"context":"docs","state":"pending"}],` +
			`"resource":"Deployment","field":"required_contexts","code":"invalid"}]}`,
		want:  deployment.CreateNothing,
		cause: "Commit status checks failed for topic-branch.: ci/circleci: build is failure, docs is pending",
	},
	{
		name:   "no such ref",
		status: 422,
		body:   `{"message":"No ref found for: mian","documentation_url":"https://docs.github.com/rest"}`,
		want:   deployment.CreateRefused,
		cause:  "No ref found for: mian",
	},
	{
		name:   "invalid",
		status: 422,
		body: `{"message":"Validation Failed","errors":[{"resource":"Deployment","code":"custom",` +
			`"field":"environment","message":"environment is too long"}]}`,
		want:  deployment.CreateRefused,
		cause: "environment is too long",
	},
	{name: "bad request", status: 400, body: `{"message":"Problems parsing JSON"}`, want: deployment.CreateRefused},
	{name: "bad request of a proxy", status: 400, body: `<html>`, want: deployment.CreateUnknown},
	{name: "bad credentials", status: 401, body: `{"message":"Bad credentials"}`, want: deployment.CreateNotSent},
	{
		name:   "forbidden",
		status: 403,
		header: map[string]string{"X-Accepted-GitHub-Permissions": "deployments=write"},
		body:   `{"message":"Resource not accessible by integration"}`,
		want:   deployment.CreateRefused,
		cause:  "needs deployments=write",
	},
	{name: "forbidden by a proxy", status: 403, body: `<html>`, want: deployment.CreateUnknown},
	{name: "not found", status: 404, body: `{"message":"Not Found"}`, want: deployment.CreateRefused},
	{name: "renamed", status: 307, body: `{"message":"Temporary Redirect"}`, want: deployment.CreateRefused},
	{name: "did not arrive in time", status: 408, body: `{"message":"Request Timeout"}`, want: deployment.CreateNotSent},
	{
		name:   "secondary limit",
		status: 403,
		header: map[string]string{"Retry-After": "17"},
		body:   `{"message":"You have exceeded a secondary rate limit"}`,
		want:   deployment.CreateNotSent,
		after:  17 * time.Second,
	},
	{
		name:   "limit",
		status: 429,
		header: map[string]string{"Retry-After": "9"},
		body:   `{"message":"Too many requests"}`,
		want:   deployment.CreateNotSent,
		after:  9 * time.Second,
	},
	{name: "limit without a header", status: 429, want: deployment.CreateNotSent, after: time.Minute},
	{name: "server error", status: 500, body: `{"message":"Server Error"}`, want: deployment.CreateUnknown},
	{name: "bad gateway", status: 502, body: `<html>`, want: deployment.CreateUnknown},
	{
		name:   "unavailable",
		status: 503,
		header: map[string]string{"Retry-After": "30"},
		want:   deployment.CreateUnknown,
		after:  30 * time.Second,
	},
	{name: "gateway timeout", status: 504, want: deployment.CreateUnknown},
	{name: "no answer", want: deployment.CreateUnknown},
}
