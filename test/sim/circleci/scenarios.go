package circleci

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Scenario is the name of a scenario and what happens in it.
type Scenario struct{ Name, About string }

// ScenarioParameter is the pipeline parameter that chooses the scenario of its own pipeline.
const ScenarioParameter = "sim_scenario"

// scenario is what happens to a pipeline after the trigger, one stage per step.
type scenario struct {
	about       string
	refuse      func() *response // the response of a trigger that creates no pipeline
	prepare     func(*pipeline)
	stages      []stage
	cancelSteps int // steps from the cancel call to the end; 0 counts as one
}

// never as cancelSteps means that a cancel has no effect.
const never = -1

// Scenarios lists all scenarios by name.
func Scenarios() []Scenario {
	var out []Scenario
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		out = append(out, Scenario{Name: name, About: scenarios[name].about})
	}
	return out
}

// Expect makes the next pipeline of a project play the named scenario. A pipeline that names its
// own in ScenarioParameter does not count. Several calls queue up.
func (s *Server) Expect(slug, name string) error {
	if _, ok := scenarios[name]; !ok {
		return unknownScenario(name)
	}
	if !wellFormed(slug) {
		return fmt.Errorf("project slug %q does not have the form vcs/organization/name", slug)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustFind(slug)
	p.expected = append(p.expected, name)

	return nil
}

// SetDefault sets the scenario of all pipelines of a project that neither ScenarioParameter nor
// Expect decides.
func (s *Server) SetDefault(slug, name string) error {
	if _, ok := scenarios[name]; !ok {
		return unknownScenario(name)
	}
	if !wellFormed(slug) {
		return fmt.Errorf("project slug %q does not have the form vcs/organization/name", slug)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustFind(slug).scenario = name
	return nil
}

func unknownScenario(name string) error {
	return fmt.Errorf("no scenario %q on the CircleCI side: seraph-sim --scenarios lists them", name)
}

// chooseScenario returns the scenario of a new pipeline: the one in its parameters, the next
// expected one, or the project's default.
func (s *Server) chooseScenario(p *project, parameters map[string]any) string {
	if name, ok := parameters[ScenarioParameter].(string); ok && name != "" {
		return name
	}
	if len(p.expected) == 0 {
		return p.scenario
	}

	name := p.expected[0]
	p.expected = p.expected[1:]
	return name
}

var scenarios = map[string]scenario{
	"success": {about: "one workflow, which succeeds", stages: deployThen(end("deploy", "success"))},
	"fail":    {about: "one workflow, which fails", stages: deployThen(end("deploy", "failed"))},
	"slow-success": {
		about:  "one workflow, which takes five steps",
		stages: deployThen(wait, wait, wait, wait, end("deploy", "success")),
	},
	"empty-then-success": {
		about:  "no workflow is listed for three steps",
		stages: []stage{created, wait, wait, start("deploy"), end("deploy", "success")},
	},
	"two-workflows": {
		about:  "one workflow succeeds at once, another fails late",
		stages: []stage{created, start("deploy", "verify"), end("deploy", "success"), wait, end("verify", "failed")},
	},
	"setup-success": {
		about:   "a setup workflow succeeds; the workflow deploy starts two steps later",
		prepare: setupPending,
		stages:  setupThen(wait, created, start("deploy"), end("deploy", "success")),
	},
	"setup-no-continuation": {
		about:   "a setup workflow succeeds and nothing follows",
		prepare: setupPending,
		stages:  setupThen(),
	},
	"hold-then-success": {
		about:  "is on hold for three steps, is approved automatically, and succeeds",
		stages: []stage{created, hold, wait, wait, approveHeld, end("deploy", "success")},
	},
	"hold-then-fail": {
		about:  "is on hold for three steps, is approved automatically, and fails",
		stages: []stage{created, hold, wait, wait, approveHeld, end("deploy", "failed")},
	},
	"hold-forever": {
		about:  "is on hold until somebody approves it, and succeeds",
		stages: []stage{created, hold, waitForApproval, end("deploy", "success")},
	},
	"two-holds": {
		about:  "two jobs are on hold until somebody approves both, and succeeds",
		stages: []stage{created, holdTwo, waitForApproval, end("deploy", "success")},
	},
	"approve-then-fail": {
		about:  "is on hold until somebody approves it, and fails",
		stages: []stage{created, hold, waitForApproval, end("deploy", "failed")},
	},
	"queued": {
		about:  "waits three steps for another run of its serial group",
		stages: []stage{created, setStatus("deploy", "queued"), wait, wait, start("deploy"), end("deploy", "success")},
	},
	"unknown-status": {
		about:  "has an undocumented status, then succeeds",
		stages: deployThen(setStatus("deploy", "frobnicating"), wait, end("deploy", "success")),
	},
	"null-status": {
		about:  "has no status at first, then succeeds",
		stages: []stage{created, setStatus("deploy", ""), wait, start("deploy"), end("deploy", "success")},
	},
	"error": {about: "CircleCI fails to start a job", stages: []stage{created, setStatus("deploy", "error")}},
	"unauthorized": {
		about:  "a restricted context refuses the actor",
		stages: []stage{created, setStatus("deploy", "unauthorized")},
	},
	"canceled": {about: "somebody cancels the workflow", stages: deployThen(cancelAll)},
	"not-run": {
		about:  "the only workflow is not run",
		stages: []stage{created, setStatus("deploy", "not_run")},
	},
	"not-run-beside-success": {
		about:  "one workflow succeeds, another is not run",
		stages: []stage{created, start("deploy"), setStatus("notify", "not_run"), end("deploy", "success")},
	},
	"failing": {
		about:  "a job fails while others go on for two steps",
		stages: deployThen(setStatus("deploy", "failing"), wait, end("deploy", "failed")),
	},
	"auto-rerun": {
		about:  "fails, is rerun automatically, and succeeds",
		stages: []stage{created, startWithAutoRerun, end("deploy", "failed"), autoRerun, end("deploy", "success")},
	},
	"auto-rerun-never": {
		about:  "fails, could be rerun automatically, and is not",
		stages: []stage{created, startWithAutoRerun, end("deploy", "failed")},
	},
	"many-workflows": {
		about:  "45 workflows on three pages, all succeed",
		stages: []stage{created, start(manyWorkflows...), endAll("success")},
	},
	"forever": {about: "runs until it is canceled", stages: deployThen()},
	"cancel-slow": {
		about:       "runs until it is canceled, which takes ten steps",
		stages:      deployThen(),
		cancelSteps: 10,
	},
	"cancel-ignored": {
		about:       "runs forever; a cancel is accepted and ignored",
		stages:      deployThen(),
		cancelSteps: never,
	},
	"config-error": {
		about:  "the config does not compile: 201, then errored",
		stages: []stage{configError("config", "Unable to parse YAML")},
	},
	"undeclared-parameter": {
		about:  "the config lacks a parameter: 201, then errored",
		stages: []stage{undeclaredParameter},
	},
	"refused-parameter": {
		about:  "the config lacks a parameter: 400",
		refuse: refuseTrigger(http.StatusBadRequest, "Unexpected argument(s)"),
	},
	"no-workflows": {about: "no workflow matches: created, and nothing runs", stages: []stage{created}},
	"ci-skip": {
		about:  "the commit says [ci skip]: 200 and no pipeline",
		refuse: refuseTrigger(http.StatusOK, "Pipeline was not triggered: the commit message says [ci skip]"),
	},
	"blocked": {
		about:  "new work is blocked for the project: 400",
		refuse: refuseTrigger(http.StatusBadRequest, "New work is blocked for this project"),
	},
	"moved": {
		about:   "runs a newer commit than the requested one, and succeeds",
		prepare: useNewerCommit,
		stages:  deployThen(end("deploy", "success")),
	},
	"odd-name": {
		about:  "a workflow whose name has a NUL and a byte order mark fails",
		stages: []stage{created, start(oddName), end(oddName, "failed")},
	},
	"odd-error": {
		about:  "the config does not compile, and the message has a NUL and a byte order mark: 201, then errored",
		stages: []stage{configError("config", oddMessage)},
	},
	"odd-refusal": {
		about:  "the message of a 400 has a NUL and a byte order mark",
		refuse: refuseTrigger(http.StatusBadRequest, oddMessage),
	},
	"rate-limited": {
		about:  "the trigger is rate limited once: 429 in plain text with Retry-After",
		refuse: rateLimit,
		stages: deployThen(end("deploy", "success")),
	},
	"manual": {about: "nothing happens until a test controls it"},
}

// What a config may contain and nobody sees: YAML lets its author write any character.
const (
	oddName    = "\ufeffde\x00ploy"
	oddMessage = "\ufeffUnable to parse \x00 YAML"
)

// deployThen starts with the usual stages: the pipeline is created and its workflow "deploy" runs.
func deployThen(then ...stage) []stage { return append([]stage{created, start("deploy")}, then...) }

// setupThen starts with a setup workflow that succeeds (dynamic config).
func setupThen(then ...stage) []stage {
	return append([]stage{startSetup, end("setup", "success")}, then...)
}

func setupPending(p *pipeline) { p.state = "setup-pending" }

func useNewerCommit(p *pipeline) { p.revision = RevisionOf(p.revision + " moved") }

func refuseTrigger(status int, message string) func() *response {
	return func() *response { return errorResponse(status, message) }
}

func rateLimit() *response {
	return &response{
		status: http.StatusTooManyRequests,
		body:   "Rate limited.",
		header: map[string]string{"Retry-After": "1"},
	}
}

var manyWorkflows = manyWorkflowNames()

func manyWorkflowNames() []string {
	var names []string
	for i := range 45 {
		names = append(names, fmt.Sprintf("deploy-%02d", i+1))
	}
	return names
}

func undeclaredParameter(s *Server, p *pipeline) bool {
	names := slices.Sorted(maps.Keys(p.params))
	return configError("config", "Unexpected argument(s): "+strings.Join(names, ", "))(s, p)
}
