// Package api holds the JSON types of /api/v1. The server writes them and its clients read them, so
// each is declared once. api/openapi.yaml describes the same types for everybody else.
package api

import "time"

// Deployment is one deployment. It never holds the payload or parameter values, which may be
// secret.
type Deployment struct {
	ID           int64      `json:"id"` // GitHub's deployment id
	Repository   string     `json:"repository"`
	RepositoryID int64      `json:"repository_id"`
	Environment  string     `json:"environment"`
	Ref          string     `json:"ref"`
	SHA          string     `json:"sha"`
	Task         string     `json:"task"`
	Creator      string     `json:"creator"`   // GitHub login; empty when GitHub named nobody
	Requester    Actor      `json:"requester"` // the creator, or the person for whom Seraph created it
	State        string     `json:"state"`
	Reason       string     `json:"reason"`
	WaitsFor     string     `json:"waits_for"`
	Forced       *Forced    `json:"forced"`
	Pipeline     *Pipeline  `json:"pipeline"`
	Parameters   []string   `json:"parameters"` // names only
	AcceptedAt   *time.Time `json:"accepted_at"`
	StartedAt    *time.Time `json:"started_at"`
	EndedAt      *time.Time `json:"ended_at"`
}

// Forced says who made a deployment pass rules by force, and why.
type Forced struct {
	By     Actor  `json:"by"`
	Reason string `json:"reason"`
}

// Pipeline is the CircleCI pipeline of a deployment.
type Pipeline struct {
	Project  string `json:"project"` // slug as CircleCI spells it
	ID       string `json:"id"`
	Number   int64  `json:"number"` // 0 while it is not known
	URL      string `json:"url"`
	Revision string `json:"revision"`
}

// DeploymentList is one page of deployments, newest first.
type DeploymentList struct {
	Deployments []Deployment `json:"deployments"`
	NextCursor  string       `json:"next_cursor"` // of the next page; empty when this page is not full
}

// DeploymentDetail is a deployment with its history.
type DeploymentDetail struct {
	Deployment
	Timeline []TimelineEntry `json:"timeline"`
	Reports  []Report        `json:"reports"`
	Failure  *Failure        `json:"failure"` // of a failed deployment whose route shows logs; nil: none is known
}

// Failure is the step at which a deployment failed.
type Failure struct {
	Workflow string   `json:"workflow"`
	Job      string   `json:"job"`
	Step     string   `json:"step"`  // empty: it is not known
	Lines    []string `json:"lines"` // the last ones of its output, at most 20 with 2 KB
}

// TimelineEntry is one event in the life of a deployment.
type TimelineEntry struct {
	At     *time.Time `json:"at"`
	Event  string     `json:"event"`
	Detail string     `json:"detail"`
}

// Report is a status that was written to GitHub, or will be.
type Report struct {
	State       string     `json:"state"`
	Description string     `json:"description"`
	LogURL      string     `json:"log_url"`
	SentAt      *time.Time `json:"sent_at"` // nil until it is written
}

// Actor is a person at GitHub, an app, or an API token.
type Actor struct {
	ID    int64  `json:"id"` // GitHub's id of the person; 0 where it is none
	Login string `json:"login"`
	App   string `json:"app"`
	Token string `json:"token"`
}
