package deployment

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// MaxDescription is the length of a status description that GitHub takes, in code points (REST API,
// "create a deployment status").
const MaxDescription = 140

var rank = map[GitHubState]int{
	GitHubQueued:     1,
	GitHubInProgress: 2,
	GitHubPending:    2,
	GitHubSuccess:    3,
	GitHubFailure:    3,
	GitHubError:      3,
}

// report owes GitHub a word before the end: never one that it heard last, never one that goes back.
func (f *transition) report(state GitHubState, description, logURL string, notBefore time.Time) {
	told := ReportText{State: state, Description: clean(description), LogURL: logURL}
	if told == f.LastReport || rank[state] < rank[f.LastReport.State] {
		return
	}

	f.LastReport = told
	f.changes.Reports = append(f.changes.Reports, Report{
		State:       state,
		Description: told.Description,
		LogURL:      logURL,
		CreatedAt:   f.now,
		NotBefore:   notBefore,
		Status:      ReportPending,
	})
}

// reportRunning says that the pipeline runs, once its number is known.
func (f *transition) reportRunning() {
	if f.Pipeline.Number > 0 {
		f.report(
			GitHubInProgress,
			f.mark(fmt.Sprintf("CircleCI pipeline %d is running", f.Pipeline.Number)),
			f.pipelineURL(),
			f.now,
		)
	}
}

// reportFinal owes GitHub the final word.
func (f *transition) reportFinal(logURL string) {
	r := Report{
		State:       finalState(f.State),
		Description: clean(f.mark(f.Reason)),
		LogURL:      logURL,
		Final:       true,
		CreatedAt:   f.now,
		NotBefore:   f.now,
		Status:      ReportPending,
	}

	if f.State == Succeeded {
		r.EnvironmentURL = f.Target.EnvironmentURL
	}

	f.LastReport = ReportText{State: r.State, Description: r.Description, LogURL: r.LogURL}
	f.changes.Reports = append(f.changes.Reports, r)
}

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

func (f *transition) pipelineURL() string {
	if f.Pipeline == nil || f.Pipeline.Number == 0 {
		return f.projectURL()
	}
	return PipelineURL(f.AppURL, *f.Pipeline)
}

func (f *transition) workflowURL(w Workflow) string {
	if w.ID == "" || f.Pipeline == nil || f.Pipeline.Number == 0 {
		return f.pipelineURL()
	}
	return f.pipelineURL() + "/workflows/" + w.ID
}

// PipelineURL is a pipeline's page for people.
func PipelineURL(appURL string, p Pipeline) string {
	return fmt.Sprintf("%s/pipelines/%s/%d", strings.TrimRight(appURL, "/"), p.Slug, p.Number)
}

// clean makes a text fit for a status: no control characters, at most MaxDescription code points,
// the first letter as it is.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar || r > 0xFFFF {
			return ' '
		}

		return r
	}, s)

	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > MaxDescription {
		return string(runes[:MaxDescription-1]) + "…"
	}

	return s
}
