package control

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// deployment is one deployment in the control API.
type deployment struct {
	ID          int64           `json:"id"`
	Repository  string          `json:"repository"`
	Environment string          `json:"environment"`
	Ref         string          `json:"ref"`
	SHA         string          `json:"sha"`
	Task        string          `json:"task"`
	Description string          `json:"description"`
	Payload     json.RawMessage `json:"payload"`
	Production  bool            `json:"production_environment"`
	Creator     string          `json:"creator"`
	App         string          `json:"app"` // slug of the app that created it; empty: none
	At          time.Time       `json:"at"`
	Statuses    []status        `json:"statuses"`
}

type status struct {
	ID             int64     `json:"id"`
	State          string    `json:"state"`
	Description    string    `json:"description"`
	LogURL         string    `json:"log_url"`
	EnvironmentURL string    `json:"environment_url"`
	At             time.Time `json:"at"`
}

func (c *Control) deployments() []deployment {
	out := []deployment{}
	for _, d := range c.github.Deployments() {
		out = append(out, deploymentOf(d))
	}
	return out
}

func deploymentOf(d github.Deployment) deployment {
	out := deployment{
		ID:          d.ID,
		Repository:  d.Repository,
		Environment: d.Environment,
		Ref:         d.Ref,
		SHA:         d.SHA,
		Task:        d.Task,
		Description: d.Description,
		Payload:     d.Payload,
		Production:  d.Production,
		Creator:     d.Creator,
		App:         d.App,
		At:          d.At,
		Statuses:    []status{},
	}

	for _, s := range d.Statuses {
		out.Statuses = append(out.Statuses, status{
			ID:             s.ID,
			State:          s.State,
			Description:    s.Description,
			LogURL:         s.LogURL,
			EnvironmentURL: s.EnvironmentURL,
			At:             s.At,
		})
	}

	return out
}

// pipelineOf finds the pipeline of a deployment by its statuses, whose log URL contains
// /pipelines/PROJECT/NUMBER.
func (c *Control) pipelineOf(id int64) (string, error) {
	for _, d := range c.github.Deployments() {
		if d.ID != id {
			continue
		}

		for _, s := range d.Statuses {
			for _, p := range c.circleci.Pipelines() {
				if linksTo(s.LogURL, p) {
					return p.ID, nil
				}
			}
		}

		return "", fmt.Errorf("no status of deployment %d links to a pipeline yet", id)
	}

	return "", fmt.Errorf("no deployment %d: GET /deployments lists them", id)
}

func linksTo(logURL string, p Pipeline) bool {
	_, rest, found := strings.Cut(logURL, fmt.Sprintf("/pipelines/%s/%d", p.Project, p.Number))
	return found && (rest == "" || rest[0] == '/')
}
