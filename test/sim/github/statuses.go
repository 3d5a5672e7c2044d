package github

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// maxDescription is the documented maximum length of a description, in characters (code points).
const maxDescription = 140

var states = []string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}

// statusRequest is the body of POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses.
type statusRequest struct {
	State          string `json:"state"`
	TargetURL      string `json:"target_url"`
	LogURL         string `json:"log_url"`
	Description    string `json:"description"`
	Environment    string `json:"environment"`
	EnvironmentURL string `json:"environment_url"`
	AutoInactive   *bool  `json:"auto_inactive"`
}

func (s *Server) postStatus(c *call) *response {
	d := s.deployment(c)
	if d == nil {
		return notFound()
	}

	var in statusRequest
	if resp := s.decode(c, &in); resp != nil {
		return resp
	}
	if resp := s.checkStatus(c, d, in); resp != nil {
		return resp
	}

	status := s.addStatus(d, in, c.credential)
	if in.State == "success" && (in.AutoInactive == nil || *in.AutoInactive) {
		s.inactivateOthers(d, c.credential)
	}

	return &response{
		status: http.StatusCreated,
		body:   s.statusBody(d, status),
		header: map[string]string{"Location": s.statusView(d, status).URL(s.api())},
	}
}

// checkStatus applies the rules of "Create a deployment status".
func (s *Server) checkStatus(c *call, d *deployment, in statusRequest) *response {
	switch {
	case in.State == "":
		s.reportViolation(c, "state is missing")
		return errorResponse(http.StatusUnprocessableEntity, "Invalid request.\n\n\"state\" wasn't supplied.")
	case !slices.Contains(states, in.State):
		s.reportViolation(c, "state is %q", in.State)
		return validationError("DeploymentStatus", "state", "custom", "state is not included in the list")
	case utf8.RuneCountInString(in.Description) > maxDescription:
		s.reportViolation(c, "description has %d characters", utf8.RuneCountInString(in.Description))
		return validationError(
			"DeploymentStatus",
			"description",
			"custom",
			"description is too long (maximum is 140 characters)",
		)
	case s.options.StatusLimit > 0 && len(d.statuses) >= s.options.StatusLimit:
		return tooManyStatuses()
	}

	return s.checkURLs(c, in)
}

func tooManyStatuses() *response {
	message := "This deployment has reached the maximum number of statuses."
	return validationError("DeploymentStatus", "base", "custom", message)
}

func (s *Server) checkURLs(c *call, in statusRequest) *response {
	urls := []struct{ field, value string }{
		{
			field: "target_url",
			value: in.TargetURL,
		},
		{
			field: "log_url",
			value: in.LogURL,
		},
		{
			field: "environment_url",
			value: in.EnvironmentURL,
		},
	}

	for _, u := range urls {
		if u.value != "" && !strings.HasPrefix(u.value, "https://") && !strings.HasPrefix(u.value, "http://") {
			s.reportViolation(c, "%s is not http or https", u.field)
			return validationError("DeploymentStatus", u.field, "custom", u.field+" must use http(s) scheme")
		}
	}

	return nil
}

// addStatus adds a status and sends its webhook, except for inactive, for which GitHub sends none.
func (s *Server) addStatus(d *deployment, in statusRequest, who *credential) wire.Status {
	now := s.options.Now()
	status := wire.Status{
		ID:             s.nextID("status"),
		State:          in.State,
		Description:    in.Description,
		EnvironmentURL: in.EnvironmentURL,
		LogURL:         in.LogURL,
		TargetURL:      cmp.Or(in.LogURL, in.TargetURL),
		Environment:    cmp.Or(in.Environment, lastEnvironment(d)),
		Creator:        who.account,
		App:            who.app,
		CreatedAt:      now,
	}

	d.statuses = append(d.statuses, status)
	d.UpdatedAt, d.Environment = now, status.Environment
	if in.State != "inactive" {
		view := s.statusView(d, status)
		s.sendEvent("deployment_status", d, &view, who.account)
	}

	s.changed.Broadcast()
	return status
}

func lastEnvironment(d *deployment) string {
	if n := len(d.statuses); n > 0 {
		return d.statuses[n-1].Environment
	}
	return d.Environment
}

// inactivateOthers is the effect of auto_inactive: older successful deployments of the environment
// become inactive, unless they are transient or production.
func (s *Server) inactivateOthers(d *deployment, who *credential) {
	for _, other := range s.deployments {
		older := other.repo == d.repo && other.ID < d.ID && strings.EqualFold(other.Environment, d.Environment)
		if !older || other.Transient || other.Production || len(other.statuses) == 0 {
			continue
		}
		if other.statuses[len(other.statuses)-1].State == "success" {
			s.addStatus(other, statusRequest{State: "inactive"}, who)
		}
	}
}

func (s *Server) listStatuses(c *call) *response {
	s.checkQuery(c, "per_page", "page")
	d := s.deployment(c)
	if d == nil {
		return notFound()
	}

	bodies := []wire.Object{}
	for _, status := range slices.Backward(d.statuses) {
		bodies = append(bodies, s.statusBody(d, status))
	}

	return paginate(s, c, bodies)
}

func (s *Server) getStatus(c *call) *response {
	if d := s.deployment(c); d != nil {
		for _, status := range d.statuses {
			if status.ID == c.id("status") {
				return ok(s.statusBody(d, status))
			}
		}
	}
	return notFound()
}

// statusView returns the status with its deployment under the present name of the repository.
func (s *Server) statusView(d *deployment, status wire.Status) wire.Status {
	status.Deployment = d.view()
	return status
}

func (s *Server) statusBody(d *deployment, status wire.Status) wire.Object {
	return s.statusView(d, status).JSON(s.api(), s.web())
}
