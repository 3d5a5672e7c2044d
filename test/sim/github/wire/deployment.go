package wire

import (
	"encoding/json"
	"fmt"
	"time"
)

// Deployment is one GitHub deployment.
type Deployment struct {
	ID                  int64
	Repository          Repository
	SHA                 string
	Ref                 string
	Task                string
	Payload             json.RawMessage
	Environment         string
	OriginalEnvironment string
	Description         string
	Creator             Account
	App                 *App // the GitHub App it was made through, if any
	Transient           bool
	Production          bool
	CreatedAt           time.Time
	UpdatedAt           time.Time
}

// URL is the deployment's API address.
func (d Deployment) URL(api string) string {
	return fmt.Sprintf("%s/repos/%s/deployments/%d", api, d.Repository.FullName(), d.ID)
}

// JSON is the deployment as the schema "deployment".
func (d Deployment) JSON(api, web string) Object {
	return Object{
		"url":                      d.URL(api),
		"id":                       d.ID,
		"node_id":                  NodeID("Deployment", d.ID),
		"sha":                      d.SHA,
		"ref":                      d.Ref,
		"task":                     d.Task,
		"payload":                  d.Payload,
		"original_environment":     d.OriginalEnvironment,
		"environment":              d.Environment,
		"description":              stringOrNull(d.Description),
		"creator":                  d.Creator.JSON(api, web),
		"created_at":               Time(d.CreatedAt),
		"updated_at":               Time(d.UpdatedAt),
		"statuses_url":             d.URL(api) + "/statuses",
		"repository_url":           api + "/repos/" + d.Repository.FullName(),
		"transient_environment":    d.Transient,
		"production_environment":   d.Production,
		"performed_via_github_app": appOrNull(d.App, api, web),
	}
}

// Status is one status of a deployment.
type Status struct {
	ID             int64
	Deployment     Deployment
	State          string
	Description    string
	Environment    string
	TargetURL      string
	LogURL         string
	EnvironmentURL string
	Creator        Account
	App            *App
	CreatedAt      time.Time
}

// URL is the status's API address.
func (s Status) URL(api string) string {
	return fmt.Sprintf("%s/statuses/%d", s.Deployment.URL(api), s.ID)
}

// JSON is the status as the schema "deployment-status".
func (s Status) JSON(api, web string) Object {
	return Object{
		"url":                      s.URL(api),
		"id":                       s.ID,
		"node_id":                  NodeID("DeploymentStatus", s.ID),
		"state":                    s.State,
		"creator":                  s.Creator.JSON(api, web),
		"description":              s.Description,
		"environment":              s.Environment,
		"target_url":               s.TargetURL,
		"log_url":                  s.LogURL,
		"environment_url":          s.EnvironmentURL,
		"created_at":               Time(s.CreatedAt),
		"updated_at":               Time(s.CreatedAt),
		"deployment_url":           s.Deployment.URL(api),
		"repository_url":           api + "/repos/" + s.Deployment.Repository.FullName(),
		"performed_via_github_app": appOrNull(s.App, api, web),
	}
}

// Event is the common content of the webhook payloads of deployments and statuses.
type Event struct {
	Action       string
	Deployment   Deployment
	Status       *Status // only for deployment_status
	Sender       Account
	Installation int64  // 0: the hook does not belong to an app
	WorkflowRun  Object // nil unless GitHub Actions made the deployment
	Workflow     Object
}

// JSON is the webhook payload, as in GitHub's samples of both events.
func (e Event) JSON(api, web string) Object {
	repository := e.Deployment.Repository
	body := Object{
		"action":       e.Action,
		"deployment":   e.Deployment.JSON(api, web),
		"repository":   repository.Minimal(api, web),
		"sender":       e.Sender.JSON(api, web),
		"workflow":     objectOrNull(e.Workflow),
		"workflow_run": objectOrNull(e.WorkflowRun),
	}

	if repository.Owner.Type == "Organization" {
		body["organization"] = repository.Owner.Organization(api)
	}
	if e.Status != nil {
		body["deployment_status"] = e.Status.JSON(api, web)
		body["check_run"] = nil
	}

	if e.Installation != 0 {
		body["installation"] = Object{
			"id":      e.Installation,
			"node_id": NodeID("IntegrationInstallation", e.Installation),
		}
	}

	return body
}

func appOrNull(app *App, api, web string) any {
	if app == nil {
		return nil
	}
	return app.JSON(api, web)
}

func stringOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func objectOrNull(o Object) any {
	if o == nil {
		return nil
	}
	return o
}
