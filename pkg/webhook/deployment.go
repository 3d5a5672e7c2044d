package webhook

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Limits for the texts of a deployment, in code points. GitHub allows 255 for an environment and
// documents no limit for the others.
const (
	maxEnvironment = 255
	maxTask        = 255
	maxRef         = 1024
	maxName        = 100
	maxDescription = 4096 // a longer one is cut, because it is only shown
)

// defaultTask is the task of an event that names none ("Create a deployment" in the REST API
// reference).
const defaultTask = "deploy"

var (
	namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	shaPattern  = regexp.MustCompile(`^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)
)

// event is GitHub's deployment event, as far as Seraph needs it ("deployment" in "Webhook events and
// payloads"). A new field must be added to eventMembers, too.
type event struct {
	Action           loose[string]      `json:"action"`
	Deployment       *eventDeployment   `json:"deployment"`
	Repository       *eventRepository   `json:"repository"`
	Installation     *eventInstallation `json:"installation"`
	WorkflowRun      present            `json:"workflow_run"`
	DeploymentStatus present            `json:"deployment_status"`
}

type eventDeployment struct {
	ID          int64      `json:"id"`
	SHA         string     `json:"sha"`
	Ref         string     `json:"ref"`
	Task        string     `json:"task"`
	Environment string     `json:"environment"`
	Description string     `json:"description"`
	Payload     payload    `json:"payload"`
	CreatedAt   githubTime `json:"created_at"`
	Creator     *eventUser `json:"creator"`
	App         *eventApp  `json:"performed_via_github_app"`
}

type eventUser struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"`
}

type eventApp struct {
	ID   int64  `json:"id"`
	Slug string `json:"slug"`
}

type eventRepository struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
}

type eventInstallation struct {
	ID int64 `json:"id"`
}

// payload is a deployment's payload as JSON text. One that is too large for any route is not copied
// out of the body, which may have many megabytes.
type payload struct {
	raw      json.RawMessage
	tooLarge bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *payload) UnmarshalJSON(text []byte) error {
	if p.tooLarge = len(text) > deployment.MaxPayload; !p.tooLarge {
		p.raw = append(json.RawMessage(nil), text...)
	}
	return nil
}

// ParseDeployment parses a verified deployment event. The error names the field that is missing or
// wrong and never quotes its value. The request shares no memory with payload. action is returned
// with an error, too, if the event has one; old Enterprise Servers send none.
func ParseDeployment(payload []byte) (req deployment.Request, action string, err error) {
	var e event
	if !utf8.Valid(payload) {
		return req, "", errors.New("the body is not UTF-8")
	}
	if err := decodeEvent(payload, &e); err != nil {
		return req, "", err
	}

	action = e.Action.value
	if err := e.validate(); err != nil {
		return req, action, err
	}

	repository, err := e.repository()
	if err != nil {
		return req, action, err
	}

	req = e.request(repository)
	return req, action, validateRequest(req, e.Deployment.App != nil)
}

// validate checks that the event has the objects that every deployment event has.
func (e event) validate() error {
	switch {
	case bool(e.DeploymentStatus):
		return errors.New("the body has deployment_status: it is not the body of a deployment event")
	case e.Deployment == nil:
		return errors.New("deployment is missing")
	case e.Repository == nil:
		return errors.New("repository is missing")
	}

	return nil
}

// request converts an event that was validated.
func (e event) request(repository deployment.Repository) deployment.Request {
	d := e.Deployment
	req := deployment.Request{
		ID:              d.ID,
		Repository:      repository,
		Environment:     d.Environment,
		Ref:             d.Ref,
		SHA:             strings.ToLower(d.SHA),
		Task:            d.Task,
		Description:     cut(d.Description, maxDescription),
		Payload:         d.Payload.raw,
		PayloadTooLarge: d.Payload.tooLarge,
		WorkflowRun:     bool(e.WorkflowRun),
		CreatedAt:       d.CreatedAt.Time,
	}

	if req.Task == "" {
		req.Task = defaultTask
	}
	if d.Creator != nil {
		req.Creator = deployment.Creator{ID: d.Creator.ID, Login: d.Creator.Login, Type: d.Creator.Type}
	}
	if d.App != nil {
		req.App = deployment.App{ID: d.App.ID, Slug: d.App.Slug}
	}
	if e.Installation != nil {
		req.Installation = e.Installation.ID
	}

	return req
}

// repository splits the repository's name and rejects names that would change the path of a URL.
func (e event) repository() (deployment.Repository, error) {
	owner, name, _ := strings.Cut(e.Repository.FullName, "/")
	for _, part := range []string{owner, name} {
		if len(part) > maxName || !namePattern.MatchString(part) || part == "." || part == ".." {
			return deployment.Repository{}, errors.New("repository.full_name is missing or not OWNER/NAME")
		}
	}

	if e.Repository.ID <= 0 {
		return deployment.Repository{}, errors.New("repository.id is missing or not positive")
	}

	return deployment.Repository{ID: e.Repository.ID, Owner: owner, Name: name}, nil
}

func validateRequest(r deployment.Request, viaApp bool) error {
	switch {
	case r.ID <= 0:
		return errors.New("deployment.id is missing or not positive")
	case !shaPattern.MatchString(r.SHA):
		return errors.New("deployment.sha is missing or not 40 or 64 hex digits")
	case viaApp && r.App == (deployment.App{}):
		return errors.New("deployment.performed_via_github_app names no app")
	case r.Installation < 0:
		return errors.New("installation.id is negative")
	}

	return cmp.Or(
		validateText("deployment.ref", r.Ref, maxRef),
		validateText("deployment.environment", r.Environment, maxEnvironment),
		validateText("deployment.task", r.Task, maxTask),
		validateNames(r.Creator, r.App),
	)
}

// validateText rejects a text that is empty, too long, or has control characters, which databases and
// logs do not handle well.
func validateText(field, s string, most int) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is missing", field)
	case utf8.RuneCountInString(s) > most:
		return fmt.Errorf("%s is longer than %d characters", field, most)
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%s has a control character", field)
	}

	return nil
}

// validateNames limits the names that say who created the deployment. They may be empty.
func validateNames(c deployment.Creator, a deployment.App) error {
	if max(len(c.Login), len(c.Type), len(a.Slug)) > maxName {
		return fmt.Errorf("deployment.creator or performed_via_github_app has a name of more than %d bytes", maxName)
	}
	return nil
}

// cut returns the first most code points of a text.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}

	count := 0
	for i := range s {
		if count == most {
			return strings.Clone(s[:i])
		}

		count++
	}

	return s
}
