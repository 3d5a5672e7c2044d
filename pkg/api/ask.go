package api

import (
	"encoding/json"
	"time"
)

// DeployRequest asks for a new deployment. The service creates it at GitHub.
type DeployRequest struct {
	OnBehalf
	Repository  string          `json:"repository"` // owner/name
	Ref         string          `json:"ref"`        // a branch, a tag or a commit
	Environment string          `json:"environment"`
	Task        string          `json:"task,omitempty"`    // empty: the usual one
	Payload     json.RawMessage `json:"payload,omitempty"` // a JSON object
	Reason      string          `json:"reason,omitempty"`
	Force       bool            `json:"force,omitempty"` // needs a reason, and the rule force
	SHA         string          `json:"sha,omitempty"`   // what the person saw at ref; refused if ref has moved since
}

// RollbackRequest asks to deploy again what ran in an environment before.
type RollbackRequest struct {
	OnBehalf
	Repository  string `json:"repository"` // owner/name
	Environment string `json:"environment"`
	To          string `json:"to,omitempty"` // a deployment's id or a commit; empty: the success before the current one
	Reason      string `json:"reason,omitempty"`
	Force       bool   `json:"force,omitempty"`   // needs a reason, and the rule force
	Current     int64  `json:"current,omitempty"` // what the person saw there; refused if it has changed
}

// DeployResponse is the answer to a DeployRequest or a RollbackRequest. Deployment is nil while it is
// not known whether GitHub has created it: then GET /api/v1/requests/{Request} tells later.
type DeployResponse struct {
	Deployment *Deployment `json:"deployment,omitempty"`
	Verdict    *Verdict    `json:"verdict,omitempty"`
	Request    string      `json:"request,omitempty"` // the key of the request
}

// RequestStatus says what became of a request for a deployment.
type RequestStatus struct {
	Request     string      `json:"request"`
	State       string      `json:"state"` // wanted, sending, unknown, created or failed
	Repository  string      `json:"repository"`
	Environment string      `json:"environment"`
	Ref         string      `json:"ref"`
	SHA         string      `json:"sha"`
	By          Actor       `json:"by"`
	Reason      string      `json:"reason"`  // what the person gave
	Problem     string      `json:"problem"` // why it failed
	CreatedAt   *time.Time  `json:"created_at"`
	Deployment  *Deployment `json:"deployment"` // nil until it exists
}

// ApproveHoldRequest approves a job that CircleCI holds.
type ApproveHoldRequest struct {
	OnBehalf
	Job string `json:"job,omitempty"` // the job's name; needed only where several are held
}
