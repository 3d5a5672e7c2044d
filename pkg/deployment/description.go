package deployment

import (
	"fmt"
	"strings"
	"time"
)

// MaxDescription is how long a status description may be at GitHub, in code points (REST API,
// "Create a deployment status").
const MaxDescription = 140

// reportRank orders GitHub's states. A report is never followed by one of a lower rank.
var reportRank = map[GitHubState]int{
	GitHubQueued:     1,
	GitHubInProgress: 2,
	GitHubPending:    2,
	GitHubSuccess:    3,
	GitHubFailure:    3,
	GitHubError:      3,
}

// report adds a report to send before the end, not to be sent earlier than notBefore. It adds none
// that says the same as the newest report, or whose GitHub state comes before that one's.
func (t *transition) report(state GitHubState, description, logURL string, notBefore time.Time) {
	text := ReportText{State: state, Description: clean(description), LogURL: logURL}
	if text == t.LastReport || reportRank[state] < reportRank[t.LastReport.State] {
		return
	}

	t.LastReport = text
	t.changes.Reports = append(t.changes.Reports, Report{
		State:       state,
		Description: text.Description,
		LogURL:      logURL,
		CreatedAt:   t.now,
		NotBefore:   notBefore,
		Status:      ReportPending,
	})
}

// reportRunning reports that the pipeline runs. Without the pipeline's number there is no page to
// link to, so it waits for the poll that shows it.
func (t *transition) reportRunning() {
	if t.Pipeline.Number == 0 {
		return
	}

	description := fmt.Sprintf("CircleCI pipeline %d is running", t.Pipeline.Number)
	t.report(GitHubInProgress, t.addForceNote(t.addApprover(description)), t.pipelineURL(), t.now)
}

// reportFinal adds the report that ends the deployment at GitHub.
func (t *transition) reportFinal(logURL string) {
	r := Report{
		State:       finalState(t.State),
		Description: clean(t.addForceNote(t.Reason)),
		LogURL:      logURL,
		Final:       true,
		CreatedAt:   t.now,
		NotBefore:   t.now,
		Status:      ReportPending,
	}

	if t.State == Succeeded {
		r.EnvironmentURL = t.Target.EnvironmentURL
	}

	t.LastReport = ReportText{State: r.State, Description: r.Description, LogURL: r.LogURL}
	t.changes.Reports = append(t.changes.Reports, r)
}

// finalState returns the GitHub state of a final state.
func finalState(s State) GitHubState {
	switch s {
	case Succeeded:
		return GitHubSuccess
	case Failed:
		return GitHubFailure
	default:
		return GitHubError
	}
}

// maxForceReason is how much of a reason a description shows, in code points, so that the rest of the
// description has room as well.
const maxForceReason = 60

// addForceNote says before a description that rules were bypassed, by whom and why. It stands first,
// because descriptions are cut at the end and the rest may hold long names that the requester chose.
func (t *transition) addForceNote(text string) string {
	if !t.Forced || t.Force == nil {
		return text
	}

	reason := []rune(t.Force.Reason)
	if len(reason) > maxForceReason {
		reason = append(reason[:maxForceReason-1:maxForceReason-1], '…')
	}

	return fmt.Sprintf("(forced by %s: %s) %s", t.Force.By, string(reason), text)
}

// pipelineURL returns the page of the deployment's pipeline, or of the project while the pipeline's
// number is not known.
func (t *transition) pipelineURL() string {
	if t.Pipeline == nil || t.Pipeline.Number == 0 {
		return t.projectURL()
	}
	return PipelineURL(t.AppURL, *t.Pipeline)
}

// projectURL returns the page that lists the pipelines of the target's project.
func (t *transition) projectURL() string {
	slug := t.Project.Slug
	if slug == "" {
		slug = t.Target.Project
	}
	return t.AppURL + "/pipelines/" + slug
}

// workflowURL returns the page of a workflow, or pipelineURL where there is none.
func (t *transition) workflowURL(w Workflow) string {
	if w.ID == "" || t.Pipeline == nil || t.Pipeline.Number == 0 {
		return t.pipelineURL()
	}
	return t.pipelineURL() + "/workflows/" + w.ID
}

// PipelineURL returns the page of a pipeline in CircleCI's web application.
func PipelineURL(appURL string, p Pipeline) string {
	return fmt.Sprintf("%s/pipelines/%s/%d", strings.TrimRight(appURL, "/"), p.Slug, p.Number)
}

// clean makes text fit for a status description: readable, no characters beyond U+FFFF (it is not
// known whether every GitHub stores them), and at most MaxDescription code points.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r > 0xFFFF {
			return ' '
		}
		return r
	}, Readable(s))
	return cut(joinWords(s), MaxDescription)
}
