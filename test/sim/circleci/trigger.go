package circleci

import (
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
	Definition string // id, when the call named one
	Branch     string
	Tag        string
	Parameters map[string]any
	PipelineID string
	Effect     bool // a pipeline was made
}

// ref is a branch or a tag.
type ref struct {
	Branch string `json:"branch,omitempty"`
	Tag    string `json:"tag,omitempty"`
}

// wanted is what either route asks for.
type wanted struct {
	config, checkout ref
	definition       string
	parameters       map[string]any
}

// triggerClassic is POST /project/{slug}/pipeline, which the GitHub App's projects do not have.
func (s *Server) triggerClassic(c *call) *answer {
	p, a := s.called(c)
	if a == nil && p.app() {
		a = refuse(http.StatusNotFound, "Project not found")
	}
	if a != nil {
		return a
	}

	var in struct {
		ref
		Parameters map[string]any `json:"parameters"`
	}

	if a := s.decode(c, &in); a != nil {
		return a
	}

	return s.trigger(c, p, wanted{config: in.ref, checkout: in.ref, parameters: in.Parameters})
}

// triggerRun is POST /project/{provider}/{organization}/{project}/pipeline/run.
func (s *Server) triggerRun(c *call) *answer {
	p, a := s.called(c)
	if a != nil {
		return a
	}

	var in struct {
		Definition string         `json:"definition_id"`
		Config     ref            `json:"config"`
		Checkout   ref            `json:"checkout"`
		Parameters map[string]any `json:"parameters"`
	}

	if a := s.decode(c, &in); a != nil {
		return a
	}
	if in.Checkout == (ref{}) {
		in.Checkout = in.Config
	}

	known := func(d definition) bool { return d.id == in.Definition }
	if in.Definition != "" && !slices.ContainsFunc(p.definitions, known) {
		return refuse(http.StatusNotFound, "Pipeline definition not found")
	}

	return s.trigger(c, p, wanted{
		config:     in.Config,
		checkout:   in.Checkout,
		definition: in.Definition,
		parameters: in.Parameters,
	})
}

// trigger makes a pipeline, or says why not.
func (s *Server) trigger(c *call, p *project, want wanted) *answer {
	if problem := want.check(); problem != "" {
		s.violate(c, "%s", problem)
		return refuse(http.StatusBadRequest, problem)
	}

	want.parameters = plain(want.parameters)
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

	a := s.attempt(p, want, &log)
	s.triggers = append(s.triggers, log)
	s.changed.Ring()
	return a
}

func (s *Server) attempt(p *project, want wanted, log *Trigger) *answer {
	if want.config != (ref{}) && want.config != want.checkout {
		if _, a := s.resolve(p, want.config.Branch, want.config.Tag); a != nil {
			return a
		}
	}

	revision, a := s.resolve(p, want.checkout.Branch, want.checkout.Tag)
	if a != nil {
		return a
	}

	name := s.choose(p, want.parameters)
	told, known := stories[name]
	if !known {
		return refuse(http.StatusBadRequest, fmt.Sprintf("No story %q; seraph-sim --scenarios lists them.", name))
	}
	if told.refuse != nil && !s.limitedBefore(name, p, want) {
		return told.refuse()
	}

	made := s.create(p, want.checkout, revision, want.parameters)
	log.PipelineID, log.Effect = made.id, true
	s.tell(made, name)
	return &answer{
		status: http.StatusCreated,
		body: object{
			"id": made.id, "state": made.state, "number": made.number, "created_at": made.created,
		},
	}
}

// limitedBefore lets a trigger pass that met the rate limit already.
func (s *Server) limitedBefore(name string, p *project, want wanted) bool {
	if name != "rate-limited" {
		return false
	}
	text, _ := json.Marshal(want.parameters) // it came as JSON
	key := p.slug + string(text)
	before := s.limited[key]
	s.limited[key] = true
	return before
}

// create makes a pending pipeline of the token's user.
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

// check holds the documented bounds: branch or tag, 100 parameters, names of 128 and values of 512
// characters.
func (w wanted) check() string {
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
			return "a parameter's name is longer than 128 characters"
		}
		if problem := checkValue(value); problem != "" {
			return "parameter " + name + ": " + problem
		}
	}

	return ""
}

func checkValue(value any) string {
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
			return "a number that is not an integer"
		}

		return ""
	}

	return fmt.Sprintf("value is %T, not a string, an integer or a boolean", value)
}

// plain makes whole numbers of the numbers of a checked map.
func plain(parameters map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range parameters {
		if number, ok := value.(json.Number); ok {
			value, _ = number.Int64() // beyond 64 bits it is the nearest
		}
		out[name] = value
	}
	return out
}
