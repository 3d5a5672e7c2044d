package control

import (
	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// circleciAdapter makes the CircleCI simulator a CircleCI for Control.
type circleciAdapter struct{ *circleci.Server }

// startCircleCI starts a CircleCI simulator that accepts every project. Its branches and tags are
// those of the simulated GitHub at the time of the trigger.
func startCircleCI(c Config, gh *github.Server) (circleciAdapter, error) {
	server := circleci.New(circleci.Options{
		Token:         c.CircleCIToken,
		WebhookURL:    c.CircleCIWebhook,
		WebhookSecret: c.CircleCISecret,
		AnyProject:    true,
		AnyBranch:     true,
		Step:          c.Step,
		Revision: func(project, branch string) string {
			return headOf(gh, repositoryOf(c.AppProjects, project), "refs/heads/", branch)
		},
		TagRevision: func(project, tag string) string {
			return headOf(gh, repositoryOf(c.AppProjects, project), "refs/tags/", tag)
		},
	})

	for _, p := range c.AppProjects {
		server.SetDefinition(p.slug, p.definition)
	}

	return circleciAdapter{server}, server.Start(c.CircleCI)
}

// headOf returns the commit of a branch or tag at GitHub, or "" when there is none. For a
// repository that GitHub does not have it returns a generated commit, because a project need not
// belong to the repository that is deployed.
func headOf(gh *github.Server, repository, kind, name string) string {
	if !gh.HasRepository(repository) {
		return github.Commit(repository, name)
	}
	sha, found := gh.Head(repository, kind+name)
	if !found {
		return ""
	}
	return sha
}

func circleciScenarios() [][2]string {
	var out [][2]string
	for _, s := range circleci.Scenarios() {
		out = append(out, [2]string{s.Name, s.About})
	}
	return out
}

// Fault makes the next calls of an operation fail.
func (r circleciAdapter) Fault(operation, fault string, times int) error {
	return r.NextNamed(operation, fault, times)
}

// Faults lists the names of operations and faults.
func (r circleciAdapter) Faults() Faults {
	return Faults{Operations: circleci.Operations(), Faults: circleci.Faults()}
}

// Pipelines lists all pipelines, oldest first.
func (r circleciAdapter) Pipelines() []Pipeline {
	out := []Pipeline{}
	for _, p := range r.Server.Pipelines() {
		shown := Pipeline{
			ID:         p.ID,
			Project:    p.Project,
			Number:     p.Number,
			State:      p.State,
			Branch:     p.Branch,
			Tag:        p.Tag,
			Revision:   p.Revision,
			Parameters: p.Parameters,
			Workflows:  []Workflow{},
		}

		for _, w := range p.Workflows {
			shown.Workflows = append(shown.Workflows, Workflow{ID: w.ID, Name: w.Name, Status: w.Status})
		}

		out = append(out, shown)
	}

	return out
}
