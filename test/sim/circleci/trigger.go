package circleci

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Trigger is one accepted or refused call for a new pipeline, by either route.
type Trigger struct {
	At         time.Time
	Project    string
	Definition string // id; empty unless the call names one
	Branch     string
	Tag        string
	Parameters map[string]any
	PipelineID string
	Effect     bool // whether a pipeline was created
}

// ref is a branch or a tag.
type ref struct {
	Branch string `json:"branch,omitempty"`
	Tag    string `json:"tag,omitempty"`
}

// triggerRequest is the content of a request to either route.
type triggerRequest struct {
	config, checkout ref
	definition       string
	parameters       map[string]any
}

// triggerClassic is POST /project/{slug}/pipeline. Projects of the GitHub App do not have this
// route.
func (s *Server) triggerClassic(c *call) *response {
	p, resp := s.projectOf(c)
	if resp == nil && p.fromGitHubApp() {
		resp = errorResponse(http.StatusNotFound, "Project not found")
	}
	if resp != nil {
		return resp
	}

	var in struct {
		ref
		Parameters map[string]any `json:"parameters"`
	}

	if resp := s.decode(c, &in); resp != nil {
		return resp
	}

	return s.trigger(c, p, triggerRequest{config: in.ref, checkout: in.ref, parameters: in.Parameters})
}

// triggerRun is POST /project/{provider}/{organization}/{project}/pipeline/run.
func (s *Server) triggerRun(c *call) *response {
	p, resp := s.projectOf(c)
	if resp != nil {
		return resp
	}

	var in struct {
		Definition string         `json:"definition_id"`
		Config     ref            `json:"config"`
		Checkout   ref            `json:"checkout"`
		Parameters map[string]any `json:"parameters"`
	}

	if resp := s.decode(c, &in); resp != nil {
		return resp
	}
	if in.Checkout == (ref{}) {
		in.Checkout = in.Config
	}

	known := func(d definition) bool { return d.id == in.Definition }
	if in.Definition != "" && !slices.ContainsFunc(p.definitions, known) {
		return errorResponse(http.StatusNotFound, "Pipeline definition not found")
	}

	return s.trigger(c, p, triggerRequest{
		config:     in.Config,
		checkout:   in.Checkout,
		definition: in.Definition,
		parameters: in.Parameters,
	})
}

// trigger creates a pipeline, or returns the error response.
func (s *Server) trigger(c *call, p *project, want triggerRequest) *response {
	if problem := want.validate(); problem != "" {
		s.reportViolation(c, "%s", problem)
		return errorResponse(http.StatusBadRequest, problem)
	}

	want.parameters = withIntegers(want.parameters)
	if want.checkout == (ref{}) {
		want.checkout.Branch = p.defaultBranch
	}

	log := Trigger{
		At:         s.now(),
		Project:    p.slug,
		Definition: want.definition,
		Branch:     want.checkout.Branch,
		Tag:        want.checkout.Tag,
		Parameters: want.parameters,
	}

	resp := s.tryTrigger(p, want, &log)
	s.triggers = append(s.triggers, log)
	s.changed.Broadcast()
	return resp
}

func (s *Server) tryTrigger(p *project, want triggerRequest, log *Trigger) *response {
	config := ""
	if want.config != (ref{}) && want.config != want.checkout {
		found, resp := s.resolveRef(p, want.config.Branch, want.config.Tag)
		if resp != nil {
			return resp
		}
		config = found
	}

	revision, resp := s.resolveRef(p, want.checkout.Branch, want.checkout.Tag)
	if resp != nil {
		return resp
	}

	name := s.chooseScenario(p, want.parameters)
	chosen, known := scenarios[name]
	if !known {
		return errorResponse(http.StatusBadRequest, unknownScenario(name).Error())
	}
	if chosen.refuse != nil && !s.wasLimited(name, p, want) {
		return chosen.refuse()
	}

	made := s.create(p, want.checkout, revision, want.parameters)
	made.config = cmp.Or(config, revision)
	log.PipelineID, log.Effect = made.id, true
	s.startScenario(made, name)
	return &response{
		status: http.StatusCreated,
		body: object{
			"id":         made.id,
			"state":      made.state,
			"number":     made.number,
			"created_at": made.created,
		},
	}
}

// wasLimited reports whether the same trigger has met the rate limit before, because the scenario
// "rate-limited" refuses it only once.
func (s *Server) wasLimited(name string, p *project, want triggerRequest) bool {
	if name != "rate-limited" {
		return false
	}
	text, _ := json.Marshal(want.parameters) // cannot fail: they were decoded from JSON
	key := p.slug + string(text)
	before := s.rateLimited[key]
	s.rateLimited[key] = true
	return before
}

// create adds a pending pipeline of the token's user.
func (s *Server) create(p *project, at ref, revision string, parameters map[string]any) *pipeline {
	p.number++
	made := &pipeline{
		id:       uuid.NewString(),
		number:   p.number,
		project:  p,
		state:    "pending",
		errors:   []object{},
		created:  s.now(),
		updated:  s.now(),
		branch:   at.Branch,
		tag:      at.Tag,
		revision: revision,
		params:   maps.Clone(parameters),
		login:    s.options.Login,
		userID:   s.options.UserID,
		trigger:  "api",
	}

	s.pipelines = append(s.pipelines, made)
	s.byID[made.id] = made
	return made
}

// validate checks the documented limits: branch or tag, 100 parameters, names of 128 and values of
// 512 characters.
func (w triggerRequest) validate() string {
	for _, at := range []ref{w.config, w.checkout} {
		if at.Branch != "" && at.Tag != "" {
			return "branch and tag are mutually exclusive"
		}
	}

	if len(w.parameters) > 100 {
		return "more than 100 parameters"
	}

	for name, value := range w.parameters {
		if utf8.RuneCountInString(name) > 128 {
			return "parameter name is longer than 128 characters"
		}
		if problem := validateValue(value); problem != "" {
			return "parameter " + name + ": " + problem
		}
	}

	return ""
}

func validateValue(value any) string {
	switch v := value.(type) {
	case string:
		if utf8.RuneCountInString(v) > 512 {
			return "value is longer than 512 characters"
		}

		return ""
	case bool:
		return ""
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "value is not an integer"
		}

		return ""
	}

	return fmt.Sprintf("value is %T, not a string, an integer or a boolean", value)
}

// withIntegers converts the JSON numbers of validated parameters to int64.
func withIntegers(parameters map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range parameters {
		if number, ok := value.(json.Number); ok {
			value, _ = number.Int64() // out of range: the nearest int64
		}
		out[name] = value
	}
	return out
}
