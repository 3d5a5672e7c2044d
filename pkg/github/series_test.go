package github

import (
	"encoding/json"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

// evaluate returns what a rule about the check "test" says of what GitHub shows.
func (s simulated) evaluate(t *testing.T) policy.Decision {
	t.Helper()
	s.expireCache()
	q := policy.CheckQuery{SHA: sha, Names: []string{"test"}}
	checks, err := s.Checks(t.Context(), s.repo, s.installation, q)
	if err != nil {
		t.Fatal(err)
	}

	p := policy.Policy{Checks: &policy.Checks{Set: policy.ChecksListed, Names: []policy.CheckName{{Name: "test"}}}}
	facts := policy.Facts{
		Checks:    policy.Known(checks),
		Pipelines: policy.Known[[]deployment.Pipeline](nil),
		Locks:     policy.Known[[]policy.Lock](nil),
		Queue:     policy.Known(policy.Queue{}),
	}
	return p.Evaluate(policy.Request{Deployment: 1, SHA: sha}, facts, now).Decision
}

// addTest adds a check run "test" of GitHub Actions.
func addTest(s simulated, suite int64, conclusion string) {
	s.sim.AddCheck(sha, sim.CheckRun{Name: "test", App: githubActions, Suite: suite, Conclusion: conclusion})
}

// A run of the same workflow for the same event on the same branch replaces the run before, though it
// has a check suite of its own.
func TestChecks_ReplacedSuite(t *testing.T) {
	tests := []struct {
		name         string
		older, newer sim.WorkflowRun
		conclusion   string // of the newer one
		mayRead      bool
		want         policy.Decision
	}{
		{
			name:    "workflow started anew",
			older:   sim.WorkflowRun{Workflow: 1},
			newer:   sim.WorkflowRun{Workflow: 1},
			mayRead: true,
			want:    policy.DecisionAllow,
		},
		{
			name:       "workflow started anew, red",
			older:      sim.WorkflowRun{Workflow: 1},
			newer:      sim.WorkflowRun{Workflow: 1},
			conclusion: "timed_out",
			mayRead:    true,
			want:       policy.DecisionReject,
		},
		{
			name:       "workflow started anew, skipped",
			older:      sim.WorkflowRun{Workflow: 1},
			newer:      sim.WorkflowRun{Workflow: 1},
			conclusion: "skipped",
			mayRead:    true,
			want:       policy.DecisionReject,
		},
		{
			name:    "another workflow",
			older:   sim.WorkflowRun{Workflow: 1},
			newer:   sim.WorkflowRun{Workflow: 2},
			mayRead: true,
			want:    policy.DecisionReject,
		},
		{
			name:    "another event",
			older:   sim.WorkflowRun{Workflow: 1},
			newer:   sim.WorkflowRun{Workflow: 1, Event: "pull_request"},
			mayRead: true,
			want:    policy.DecisionReject,
		},
		{
			name:    "another branch",
			older:   sim.WorkflowRun{Workflow: 1},
			newer:   sim.WorkflowRun{Workflow: 1, Branch: "other"},
			mayRead: true,
			want:    policy.DecisionReject,
		},
		{
			name:    "started by hand",
			older:   sim.WorkflowRun{Workflow: 1, Event: "workflow_dispatch"},
			newer:   sim.WorkflowRun{Workflow: 1, Event: "workflow_dispatch"},
			mayRead: true,
			want:    policy.DecisionReject,
		},
		{
			name:  "workflow runs may not be read",
			older: sim.WorkflowRun{Workflow: 1},
			newer: sim.WorkflowRun{Workflow: 1},
			want:  policy.DecisionReject,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			forEachCredential(t, func(t *testing.T, s simulated) {
				s.sim.SetPermission("actions", "read")
				if !tt.mayRead {
					if err := s.sim.NextNamed(sim.OpWorkflowRuns, "forbidden", 1); err != nil {
						t.Fatal(err)
					}
				}

				older := s.sim.AddWorkflowRun(sha, tt.older)
				addTest(s, older, "cancelled")
				newer := s.sim.AddWorkflowRun(sha, tt.newer)
				addTest(s, newer, tt.conclusion)

				if got := s.evaluate(t); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// What cannot be read now is not taken for a red check, which would be final.
func TestChecks_ReplacedSuiteUnknown(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		s.sim.SetPermission("actions", "read")
		for _, conclusion := range []string{"failure", "success"} {
			suite := s.sim.AddWorkflowRun(sha, sim.WorkflowRun{Workflow: 1})
			addTest(s, suite, conclusion)
		}

		for _, fault := range []string{"server-error", "secondary-403-bare", "half-answer"} {
			t.Run(fault, func(t *testing.T) {
				s.expireCache()
				if err := s.sim.NextNamed(sim.OpWorkflowRuns, fault, 1); err != nil {
					t.Fatal(err)
				}
				if got, err := s.Checks(t.Context(), s.repo, s.installation, policy.CheckQuery{SHA: sha}); err == nil {
					t.Errorf("got %+v, want an error", got)
				}
			})
		}
	})
}

// Workflow runs are asked for only where they matter.
func TestChecks_WorkflowRunsCalls(t *testing.T) {
	tests := []struct {
		name        string
		conclusions []string
		names       []string
		sameSuite   bool
		want        int
	}{
		{name: "one suite", conclusions: []string{"failure", "success"}, sameSuite: true},
		{name: "all green", conclusions: []string{"success", "success"}},
		{name: "another name matters", conclusions: []string{"failure", "success"}, names: []string{"lint"}},
		{name: "one red", conclusions: []string{"failure", "success"}, want: 1},
		{name: "one red of the name", conclusions: []string{"success", "failure"}, names: []string{"test"}, want: 1},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			forEachCredential(t, func(t *testing.T, s simulated) {
				s.sim.SetPermission("actions", "read")
				suite := s.sim.AddWorkflowRun(sha, sim.WorkflowRun{Workflow: 1})
				for _, conclusion := range tt.conclusions {
					addTest(s, suite, conclusion)
					if !tt.sameSuite {
						suite = s.sim.AddWorkflowRun(sha, sim.WorkflowRun{Workflow: 1})
					}
				}

				s.query(t, policy.CheckQuery{SHA: sha, Names: tt.names})
				if got := s.sim.Calls()[sim.OpWorkflowRuns]; got != tt.want {
					t.Errorf("got %d calls, want %d", got, tt.want)
				}
			})
		})
	}
}

func TestWorkflowRun_Series(t *testing.T) {
	const from = `"check_suite_id":1,"workflow_id":5,"head_branch":"main","head_repository":{"id":7}`
	tests := []struct {
		name, json, want string
	}{
		{name: "push", json: `{` + from + `,"event":"push"}`, want: `5 push 7 "main"`},
		{
			name: "pull request",
			json: `{` + from + `,"event":"pull_request","pull_requests":[{"number":3}]}`,
			want: `5 pull_request 7 "main" 3`,
		},
		{name: "pull request of a fork", json: `{` + from + `,"event":"pull_request","pull_requests":[]}`},
		{
			name: "two pull requests",
			json: `{` + from + `,"event":"pull_request","pull_requests":[{"number":3},{"number":4}]}`,
		},
		{name: "by hand", json: `{` + from + `,"event":"workflow_dispatch"}`},
		{name: "by schedule", json: `{` + from + `,"event":"schedule"}`},
		{name: "no repository", json: `{"check_suite_id":1,"workflow_id":5,"head_branch":"main","event":"push"}`},
		{name: "nothing", json: `{}`},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r workflowRun
			if err := json.Unmarshal([]byte(tt.json), &r); err != nil {
				t.Fatal(err)
			}
			if got := r.series(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
