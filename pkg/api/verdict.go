package api

import "time"

// Verdict is what all rules say of a deployment.
type Verdict struct {
	Decision string     `json:"decision"` // allow, wait or reject
	Reason   string     `json:"reason"`   // what decided; empty when the deployment may go
	OpensAt  *time.Time `json:"opens_at"`
	Forced   bool       `json:"forced"` // a rule was passed by force
	Rules    []Rule     `json:"rules"`
}

// Rule is what one rule says of a deployment.
type Rule struct {
	Rule     string     `json:"rule"` // its key in the routes file, or locks, routes, event, state
	Decision string     `json:"decision"`
	Code     string     `json:"code"` // stable
	Message  string     `json:"message"`
	Who      string     `json:"who"` // who could change it
	OpensAt  *time.Time `json:"opens_at"`
	Forced   bool       `json:"forced"`
}

// DeploymentVerdict is a deployment and what the rules say of it.
type DeploymentVerdict struct {
	Deployment Deployment `json:"deployment"`
	Verdict    Verdict    `json:"verdict"`
}
