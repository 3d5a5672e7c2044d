package circleci

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Scenario is one pipeline's story.
type Scenario struct{ Name, About string }

// ScenarioParameter is the pipeline parameter that chooses a story for its own pipeline.
const ScenarioParameter = "sim_scenario"

// story is what happens to a pipeline after the trigger, one stage a step.
type story struct {
	about       string
	refuse      func() *answer // the trigger makes no pipeline
	prepare     func(*pipeline)
	stages      []stage
	cancelSteps int // from the call for a cancel to its end; 0 is one step, never is never
}

const never = -1

// Scenarios lists all stories by name.
func Scenarios() []Scenario {
	var out []Scenario
	for _, name := range slices.Sorted(maps.Keys(stories)) {
		out = append(out, Scenario{Name: name, About: stories[name].about})
	}
	return out
}

// Expect makes the next pipeline of a project that is not spoken for play the named story.
func (s *Server) Expect(slug, name string) error {
	if _, ok := stories[name]; !ok {
		return noStory(name)
	}
	if !wellFormed(slug) {
		return fmt.Errorf("project slug %q has not the form vcs/organization/name", slug)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.must(slug)
	p.expected = append(p.expected, name)

	return nil
}

// SetDefault makes all pipelines of a project that nobody else decides about play the named story.
func (s *Server) SetDefault(slug, name string) error {
	if _, ok := stories[name]; !ok {
		return noStory(name)
	}
	if !wellFormed(slug) {
		return fmt.Errorf("project slug %q has not the form vcs/organization/name", slug)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(slug).story = name
	return nil
}

func noStory(name string) error {
	return fmt.Errorf("no scenario %q on the CircleCI side; seraph-sim --scenarios lists them", name)
}

// choose names the story of a new pipeline: its own parameter's, the next expected one, or the
// project's.
func (s *Server) choose(p *project, parameters map[string]any) string {
	if name, ok := parameters[ScenarioParameter].(string); ok && name != "" {
		return name
	}
	if len(p.expected) == 0 {
		return p.story
	}

	name := p.expected[0]
	p.expected = p.expected[1:]
	return name
}

var stories = map[string]story{
	"success": {about: "one workflow, which succeeds", stages: deploys(to("deploy", "success"))},
	"fail":    {about: "one workflow, which fails", stages: deploys(to("deploy", "failed"))},
	"slow-success": {
		about:  "one workflow, which takes five steps",
		stages: deploys(pause, pause, pause, pause, to("deploy", "success")),
	},
	"empty-then-success": {
		about:  "no workflow is listed for three steps",
		stages: []stage{accept, pause, pause, run("deploy"), to("deploy", "success")},
	},
	"two-workflows": {
		about:  "one workflow succeeds at once, another fails late",
		stages: []stage{accept, run("deploy", "verify"), to("deploy", "success"), pause, to("verify", "failed")},
	},
	"setup-success": {
		about:   "a setup workflow succeeds; the deploying one comes two steps later",
		prepare: setupPending,
		stages:  setupThen(pause, accept, run("deploy"), to("deploy", "success")),
	},
	"setup-no-continuation": {
		about:   "a setup workflow succeeds and nothing follows",
		prepare: setupPending,
		stages:  setupThen(),
	},
	"hold-then-success": {
		about:  "waits three steps for an approval, which comes by itself, and succeeds",
		stages: []stage{accept, hold, pause, pause, approved, to("deploy", "success")},
	},
	"hold-then-fail": {
		about:  "waits three steps for an approval, which comes by itself, and fails",
		stages: []stage{accept, hold, pause, pause, approved, to("deploy", "failed")},
	},
	"hold-forever": {
		about:  "waits for an approval until somebody gives it, and succeeds",
		stages: []stage{accept, hold, untilApproved, to("deploy", "success")},
	},
	"approve-then-fail": {
		about:  "waits for an approval until somebody gives it, and fails",
		stages: []stage{accept, hold, untilApproved, to("deploy", "failed")},
	},
	"queued": {
		about:  "waits three steps for another run of its serial group",
		stages: []stage{accept, put("deploy", "queued"), pause, pause, run("deploy"), to("deploy", "success")},
	},
	"unknown-status": {
		about:  "has a status nobody knows, then succeeds",
		stages: deploys(put("deploy", "frobnicating"), pause, to("deploy", "success")),
	},
	"null-status": {
		about:  "has no status at first, then succeeds",
		stages: []stage{accept, put("deploy", ""), pause, run("deploy"), to("deploy", "success")},
	},
	"error": {about: "CircleCI fails to start a job", stages: []stage{accept, put("deploy", "error")}},
	"unauthorized": {
		about:  "a restricted context refuses the actor",
		stages: []stage{accept, put("deploy", "unauthorized")},
	},
	"canceled": {about: "somebody cancels the workflow", stages: deploys(cancelByHand)},
	"not-run": {
		about:  "the only workflow is not run",
		stages: []stage{accept, put("deploy", "not_run")},
	},
	"not-run-beside-success": {
		about:  "one workflow succeeds, another is not run",
		stages: []stage{accept, run("deploy"), put("notify", "not_run"), to("deploy", "success")},
	},
	"failing": {
		about:  "a job fails while others go on for two steps",
		stages: deploys(put("deploy", "failing"), pause, to("deploy", "failed")),
	},
	"auto-rerun": {
		about:  "fails, is run again by itself, and succeeds",
		stages: []stage{accept, runReruns, to("deploy", "failed"), rerunItself, to("deploy", "success")},
	},
	"auto-rerun-never": {
		about:  "fails, could be run again by itself, and is not",
		stages: []stage{accept, runReruns, to("deploy", "failed")},
	},
	"many-workflows": {
		about:  "45 workflows on three pages, all succeed",
		stages: []stage{accept, run(many...), toAll("success")},
	},
	"forever": {about: "runs until it is canceled", stages: deploys()},
	"cancel-slow": {
		about:       "runs until it is canceled, which takes ten steps",
		stages:      deploys(),
		cancelSteps: 10,
	},
	"cancel-ignored": {
		about:       "runs forever; a cancel is accepted and ignored",
		stages:      deploys(),
		cancelSteps: never,
	},
	"config-error": {
		about:  "the config is broken: 201, then errored",
		stages: []stage{broken("config", "Unable to parse YAML")},
	},
	"undeclared-parameter": {about: "the config lacks a parameter: 201, then errored", stages: []stage{undeclared}},
	"refused-parameter": {
		about:  "the config lacks a parameter: 400",
		refuse: refusing(http.StatusBadRequest, "Unexpected argument(s)"),
	},
	"no-workflows": {about: "no workflow matches: created, and nothing runs", stages: []stage{accept}},
	"ci-skip": {
		about:  "the commit says [ci skip]: 200 and no pipeline",
		refuse: refusing(http.StatusOK, "Pipeline was not triggered: the commit message says [ci skip]"),
	},
	"blocked": {
		about:  "new work is blocked for the project: 400",
		refuse: refusing(http.StatusBadRequest, "New work is blocked for this project"),
	},
	"moved": {
		about:   "runs a newer commit than the one that was wanted, and succeeds",
		prepare: move,
		stages:  deploys(to("deploy", "success")),
	},
	"rate-limited": {
		about:  "the trigger meets the rate limit once: 429 in plain text with Retry-After",
		refuse: rateLimit,
		stages: deploys(to("deploy", "success")),
	},
	"manual": {about: "nothing happens until a test drives it"},
}

// deploys is the beginning of most stories.
func deploys(then ...stage) []stage { return append([]stage{accept, run("deploy")}, then...) }

// setupThen is the beginning of dynamic config.
func setupThen(then ...stage) []stage {
	return append([]stage{setupStarts, to("setup", "success")}, then...)
}

func setupPending(p *pipeline) { p.state = "setup-pending" }

func move(p *pipeline) { p.revision = RevisionOf(p.revision + " moved") }

func refusing(status int, message string) func() *answer {
	return func() *answer { return refuse(status, message) }
}

func rateLimit() *answer {
	return &answer{
		status: http.StatusTooManyRequests,
		body:   "Rate limited.",
		header: map[string]string{"Retry-After": "1"},
	}
}

var many = manyNames()

func manyNames() []string {
	var names []string
	for i := range 45 {
		names = append(names, fmt.Sprintf("deploy-%02d", i+1))
	}
	return names
}

func undeclared(s *Server, p *pipeline) bool {
	names := slices.Sorted(maps.Keys(p.params))
	return broken("config", "Unexpected argument(s): "+strings.Join(names, ", "))(s, p)
}
