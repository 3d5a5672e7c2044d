package deployment

import (
	"encoding/json"
	"strings"
	"time"
)

// Failure is the step at which a deployment failed, with the end of its output. It is for those who may
// read deployments through this service, and never goes into a status at GitHub, which more people see.
type Failure struct {
	Workflow string   `json:"workflow"`
	Job      string   `json:"job"`
	Step     string   `json:"step,omitempty"`  // empty: it is not known
	Lines    []string `json:"lines,omitempty"` // of its output, the last ones; empty: none are known
}

// StepOutput is a failing step as CircleCI shows it, with the end of its raw output.
type StepOutput struct {
	Workflow string
	Job      string
	Step     string
	Output   string
}

// failureWindow is how long after the end of a deployment its failing step is looked for.
const failureWindow = 10 * time.Minute

// WantsFailure says whether the failing step is still to be looked for.
func (d Deployment) WantsFailure(now time.Time) bool {
	return d.State == Failed && d.Target.ShowLogs && !d.FailureRead && now.Sub(d.EndedAt) < failureWindow
}

// FailedWorkflow returns the workflow because of which a pipeline counts as failed; false: it does not, or not
// because of a workflow.
func FailedWorkflow(p Progress) (Workflow, bool) {
	fold := FoldPipeline(p)
	return fold.Workflow, fold.State == Failed && fold.Workflow.ID != ""
}

// applyFailureFound keeps the failing step, once. The state and the reports to GitHub stay as they are.
func applyFailureFound(t *transition, e FailureFound) bool {
	if t.FailureRead {
		return true
	}

	t.FailureRead = true
	if e.Output.Job == "" {
		return true
	}

	f := Failure{
		Workflow: Readable(e.Output.Workflow),
		Job:      Readable(e.Output.Job),
		Step:     Readable(e.Output.Step),
		Lines:    lastLines(e.Output.Output, t.ownValues()),
	}
	t.Failure = &f
	t.note("failing_step", "%s", f.summary())

	return true
}

// ownValues returns the values that this service has sent to the pipeline and that the output must not show:
// the key, and all parameters that are texts, except those that repeat a public field of the deployment.
func (t *transition) ownValues() []string {
	r := t.Request
	public := map[string]bool{
		r.Environment: true, r.Ref: true, r.SHA: true, r.Task: true,
		r.Repository.Owner: true, r.Repository.Name: true, r.Repository.FullName(): true,
		t.Target.Ref.Name: true, r.Creator.Login: true,
	}

	values := []string{t.Target.Key}
	for _, p := range t.Target.Parameters {
		var text string
		if json.Unmarshal(p.Value, &text) == nil && !public[text] {
			values = append(values, text)
		}
	}

	return values
}

// maxSummary is how much of the lines the timeline shows, in code points.
const maxSummary = 700

// summary is the failure in one line, for the timeline: the end of the output counts most.
func (f Failure) summary() string {
	text := "job " + f.Job
	if f.Step != "" {
		text += ", step " + f.Step
	}
	if len(f.Lines) == 0 {
		return text
	}

	lines := []rune(strings.Join(f.Lines, " | "))
	if len(lines) > maxSummary {
		lines = append([]rune("… "), lines[len(lines)-maxSummary:]...)
	}

	return text + ": " + string(lines)
}
