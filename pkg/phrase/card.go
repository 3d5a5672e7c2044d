package phrase

import (
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// StateWords says in a few words how far a deployment is. code is what its rules say where it waits or was
// rejected; empty: that is not known.
func StateWords(d deployment.Deployment, code policy.Code) string {
	if d.State.Open() && d.Cancel != nil && d.State != deployment.Waiting {
		return "being canceled"
	}

	switch d.State {
	case deployment.Waiting:
		return waitingWords(code)
	case deployment.Triggering:
		return "starting"
	case deployment.Unconfirmed:
		return "starting, not confirmed yet"
	case deployment.Held:
		return "held, waits for an approval in CircleCI"
	case deployment.Errored:
		return "could not be run"
	default:
		return string(d.State)
	}
}

// waitingWords says in a few words what is waited for.
func waitingWords(code policy.Code) string {
	switch code {
	case policy.CodeApprovalsMissing:
		return "waits for approval"
	case policy.CodeLocked:
		return "waits for a lock"
	case policy.CodeFrozen:
		return "waits for the end of a freeze"
	case policy.CodeInLine, policy.CodeCanceling:
		return "waits in line"
	case policy.CodeChecksPending, policy.CodeChecksFailed, policy.CodeChecksTimeout:
		return "waits for checks"
	case policy.CodeAfterPending:
		return "waits for another environment"
	default:
		return "waiting"
	}
}

// ShortSHA is the beginning of a commit's id, as people know it.
func ShortSHA(sha string) string { return shortSHA(sha) }

// Commits says how many commits one is ahead of another, and how many it lacks.
func Commits(ahead, behind int) string {
	switch {
	case ahead == 0 && behind == 0:
		return "no new commits"
	case behind == 0:
		return count(ahead, "new commit", "new commits")
	case ahead == 0:
		return count(behind, "commit back", "commits back")
	default:
		return fmt.Sprintf("%s, without %d that run now", count(ahead, "new commit", "new commits"), behind)
	}
}

// InLine says which place a deployment has in the line of its environment.
func InLine(q policy.Queue) string {
	before := len(q.Before)
	if q.Holder != 0 {
		before++
	}

	switch {
	case before == 0:
		return "It is its turn."
	case len(q.Before) == 0:
		return fmt.Sprintf("It is next, behind #%d, which is %s.", q.Holder, q.HolderState)
	default:
		return fmt.Sprintf("It is %s in line, behind #%d.", ordinal(before+1), q.Before[len(q.Before)-1])
	}
}

// ordinal writes 1st, 2nd, 3rd.
func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}

// HeldJobs says which jobs CircleCI holds, and who may approve them through this service; approvers is empty
// where nobody may.
func HeldJobs(jobs []string, approvers string) string {
	text := "A job waits for an approval in CircleCI."
	switch len(jobs) {
	case 0:
	case 1:
		text = fmt.Sprintf("The job %s waits for an approval.", jobs[0])
	default:
		text = fmt.Sprintf("The jobs %s wait for approvals.", List(jobs))
	}

	if approvers == "" {
		return join(text, "It can be approved in CircleCI only.")
	}
	return join(text, "Those who may: "+approvers+".")
}

// BeingCanceled says who asked to cancel a deployment, and why.
func BeingCanceled(d deployment.Deployment) string {
	c := d.Cancel
	text := "It is being canceled"
	if c.By != (deployment.Actor{}) {
		text += " for " + c.By.String()
	}
	if c.Reason != "" {
		text += ": " + c.Reason
	}
	return Sentence(text)
}

// FailingStep says at which job and step a deployment failed.
func FailingStep(f deployment.Failure) string {
	f.Lines = nil
	return failure(f)
}

// Ended says how a deployment ended, in words that follow "It".
func Ended(d deployment.Deployment) string { return ended(d) }

// Count writes a number with its noun.
func Count(n int, one, many string) string { return count(n, one, many) }
