package control

import (
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// realCircleCI is the CircleCI simulator as the control sees it.
type realCircleCI struct{ *circleci.Server }

// startCircleCI starts a CircleCI that knows every project and branch that is named to it.
func startCircleCI(c Config) (realCircleCI, error) {
	server := circleci.New(circleci.Options{
		Token: c.CircleCIToken, WebhookURL: c.CircleCIWebhook, WebhookSecret: c.CircleCISecret,
		AnyProject: true, AnyBranch: true, Step: c.Step,
		Revision: func(project, ref string) string { return github.Commit(strings.TrimPrefix(project, "gh/"), ref) },
	})
	return realCircleCI{server}, server.Start(c.CircleCI)
}

func circleciScenarios() [][2]string {
	var out [][2]string
	for _, s := range circleci.Scenarios() {
		out = append(out, [2]string{s.Name, s.About})
	}
	return out
}

// Fault makes the next calls of an operation go wrong.
func (r realCircleCI) Fault(operation, fault string, times int) error {
	return r.NextNamed(operation, fault, times)
}

// Faults lists the names of operations and faults.
func (r realCircleCI) Faults() Faults {
	return Faults{Operations: circleci.Operations(), Faults: circleci.Faults()}
}

// Pipelines lists all pipelines, oldest first.
func (r realCircleCI) Pipelines() []Pipeline {
	out := []Pipeline{}
	for _, p := range r.Server.Pipelines() {
		shown := Pipeline{
			ID: p.ID, Project: p.Project, Number: p.Number, State: p.State, Parameters: p.Parameters, Workflows: []Workflow{},
		}
		for _, w := range p.Workflows {
			shown.Workflows = append(shown.Workflows, Workflow{ID: w.ID, Name: w.Name, Status: w.Status})
		}
		out = append(out, shown)
	}
	return out
}
