package github

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// deploymentRequest is the body of POST /repos/{owner}/{repo}/deployments.
type deploymentRequest struct {
	Ref                   string          `json:"ref"`
	Task                  string          `json:"task"`
	AutoMerge             *bool           `json:"auto_merge"`
	RequiredContexts      *[]string       `json:"required_contexts"`
	Payload               json.RawMessage `json:"payload"`
	Environment           string          `json:"environment"`
	Description           *string         `json:"description"`
	TransientEnvironment  bool            `json:"transient_environment"`
	ProductionEnvironment *bool           `json:"production_environment"`
}

func (s *Server) postDeployment(c *call) *response {
	var in deploymentRequest
	if resp := s.decode(c, &in); resp != nil {
		return resp
	}

	sha, resp := s.checkDeployment(c, in)
	if resp != nil {
		return resp
	}

	wanted := NewDeployment{
		Ref:         in.Ref,
		Environment: in.Environment,
		Task:        in.Task,
		Payload:     in.Payload,
		Creator:     c.credential.account.Login,
		Transient:   in.TransientEnvironment,
		Production:  in.ProductionEnvironment,
	}

	if string(bytes.TrimSpace(in.Payload)) == "null" {
		wanted.Payload = nil
	}
	if in.Description != nil {
		wanted.Description = *in.Description
	}
	if c.credential.app != nil {
		wanted.App = c.credential.app.Slug
	}

	d := s.create(c.repo, sha, wanted).view()
	return &response{
		status: http.StatusCreated,
		body:   d.JSON(s.api(), s.web()),
		header: map[string]string{"Location": d.URL(s.api())},
	}
}

// checkDeployment applies the rules of "Create a deployment" and resolves the ref.
func (s *Server) checkDeployment(c *call, in deploymentRequest) (sha string, resp *response) {
	if in.Ref == "" {
		s.reportViolation(c, "ref is missing")
		return "", errorResponse(http.StatusUnprocessableEntity, "Invalid request.\n\n\"ref\" wasn't supplied.")
	}

	if p := bytes.TrimSpace(in.Payload); len(p) > 0 && p[0] != '{' && p[0] != '"' && string(p) != "null" {
		s.reportViolation(c, "payload is neither an object nor a string")
		return "", errorResponse(
			http.StatusUnprocessableEntity,
			"Invalid request.\n\nFor 'properties/payload', no subschema matched.",
		)
	}

	sha, found := c.repo.resolve(in.Ref)
	if !found {
		return "", errorResponse(http.StatusUnprocessableEntity, "No ref found for: "+in.Ref)
	}
	merges := in.AutoMerge == nil || *in.AutoMerge
	if merges && c.repo.conflicts[in.Ref] {
		return "", errorResponse(
			http.StatusConflict,
			fmt.Sprintf("Conflict merging %s into %s.", c.repo.DefaultBranch, in.Ref),
		)
	}
	if merges && c.repo.behind[in.Ref] {
		message := fmt.Sprintf("Auto-merged %s into %s on deployment.", c.repo.DefaultBranch, in.Ref)
		return "", &response{status: http.StatusAccepted, body: wire.Object{"message": message}}
	}

	return sha, s.checkContexts(sha, in)
}

// checkContexts answers 409 unless the commit statuses and check runs that the request requires are all
// success. A skipped check run is not.
func (s *Server) checkContexts(sha string, in deploymentRequest) *response {
	var open []wire.Object
	for _, status := range newestPerContext(s.facts(sha).statuses) {
		wanted := in.RequiredContexts == nil || slices.Contains(*in.RequiredContexts, status.Context)
		if wanted && status.State != "success" {
			open = append(open, wire.Object{"context": status.Context, "state": status.State})
		}
	}

	for _, run := range s.facts(sha).checks {
		wanted := in.RequiredContexts == nil || slices.Contains(*in.RequiredContexts, run.Name)
		if wanted && run.Conclusion != "success" {
			state := cmp.Or(run.Conclusion, "pending")
			open = append(open, wire.Object{"context": run.Name, "state": state})
		}
	}

	if len(open) == 0 {
		return nil
	}

	message := fmt.Sprintf("Conflict: Commit status checks failed for %s.", in.Ref)
	resp := errorResponse(http.StatusConflict, message)
	resp.body.(wire.Object)["errors"] = []any{wire.Object{
		"contexts": open,
		"resource": "Deployment",
		"field":    "required_contexts",
		"code":     "invalid",
	}}

	return resp
}
