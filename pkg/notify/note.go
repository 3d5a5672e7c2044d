package notify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/phrase"
)

// maxOutput is how many lines of a failing step a note shows.
const maxOutput = 10

// askedNote says that approvals are missing, and whose.
func askedNote(f Facts) Note {
	n := Note{Summary: summary(f)}
	for _, o := range f.Verdict.Outcomes {
		if isMissingApproval(o) {
			n.Lines = append(n.Lines, ruleLine(o, f.Deployment.AcceptedAt))
		}
	}
	return n
}

// heldNote says which job waits in CircleCI, and who may approve it.
func heldNote(f Facts) Note {
	return Note{Summary: summary(f), Lines: []Text{Plain(clip(phrase.HeldJobs(f.Held, f.Route.HoldApprovers)))}}
}

// endedNote says how a deployment ended, with the last lines of a failing step where the route lets them be shown.
func endedNote(f Facts) Note {
	d := f.Deployment
	n := Note{Summary: summary(f)}
	text := "It " + phrase.Ended(d) + "."
	n.Lines = append(n.Lines, Plain(clip(fmt.Sprintf("#%d: %s", d.Request.ID, text))))

	if step := f.failingStep(); step != "" && d.State == deployment.Failed {
		n.Lines = append(n.Lines, Plain(clip(step)))
		lines := d.Failure.Lines
		n.Output = lines[max(0, len(lines)-maxOutput):]
	}
	if url := f.logURL(); url != "" {
		n.Lines = append(n.Lines, Text{{Text: "Open it in CircleCI", URL: url}})
	}
	return n
}

// stateNote is the message for one state of a deployment.
func stateNote(f Facts) Note {
	n := endedNote(f)
	if f.Deployment.State.Open() {
		n = Note{Summary: summary(f), Lines: lines(f, f.Deployment.AcceptedAt)}
	}

	head := append(Text{{Text: title(f) + " "}}, f.commit()...)
	if by := f.askedBy(); by != nil {
		head = append(append(head, Span{Text: ", asked for by "}), by...)
	}
	n.Lines = append([]Text{head}, n.Lines...)
	return n
}

// unmentioned names people without mentioning them: each was mentioned before, or has acted and knows.
func unmentioned(lines []Text) (all []Text) {
	for _, line := range lines {
		line = slices.Clone(line)
		for i := range line {
			line[i].Person = 0
		}
		all = append(all, line)
	}
	return all
}

// SummaryNote sums up deployments that ended while nothing could be sent, in one line.
func SummaryNote(ended []deployment.Deployment) Note {
	count := map[deployment.State]int{}
	var bad []string
	for _, d := range ended {
		count[d.State]++
		if d.State == deployment.Failed || d.State == deployment.Errored {
			bad = append(bad, fmt.Sprintf("#%d", d.Request.ID))
		}
	}

	var parts []string
	for _, s := range ends {
		if n := count[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}

	text := fmt.Sprintf("While messages could not be sent, %s: %s.",
		phrase.Count(len(ended), "deployment ended", "deployments ended"), strings.Join(parts, ", "))
	if len(bad) > 0 {
		text += " Not run to success: " + phrase.List(bad) + "."
	}
	return Note{Summary: text, Lines: []Text{Plain(text)}}
}
