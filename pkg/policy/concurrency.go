package policy

import "fmt"

// evaluateConcurrency says whether it is the deployment's turn in its environment. The store checks
// the turn again in the transaction that starts the deployment, and only that check is safe from
// races. This one explains what the deployment waits for, and applies the route's choice.
func (e *evaluation) evaluateConcurrency() Outcome {
	if !e.facts.Queue.Known {
		return unknown("the queue of "+e.request.Environment, e.facts.Queue.Problem)
	}

	queue, choice := e.facts.Queue.Value, e.policy.Concurrency
	replaces := choice == ConcurrencyReplace || choice == ConcurrencyCancel
	switch {
	case queue.NewerStarted != 0:
		return reject(CodeSuperseded, "superseded by #%d", queue.NewerStarted)
	case queue.NewerAdmitted != 0 && replaces:
		return reject(CodeSuperseded, "superseded by #%d", queue.NewerAdmitted)
	case queue.next() == 0:
		return allow("no other deployment comes first")
	case choice == ConcurrencyReject && !e.request.Rollback:
		return reject(CodeBusy, "deployment %d of the same environment has not finished", queue.next())
	case choice == ConcurrencyCancel && queue.Holder != 0:
		return e.cancelRunning(queue.Holder)
	default:
		return wait(CodeInLine, "%s%s", queue.describeNext(), queue.position())
	}
}

// cancelRunning has the running deployment canceled for this one.
func (e *evaluation) cancelRunning(id int64) Outcome {
	if e.localOnly {
		return allow("deployment %d may be canceled", id)
	}
	e.cancelID = id
	return wait(CodeCanceling, "deployment %d to be canceled", id)
}

// next returns the deployment whose turn it is before this one; 0: there is none.
func (q Queue) next() int64 {
	if q.Holder == 0 && len(q.Before) > 0 {
		return q.Before[0]
	}
	return q.Holder
}

func (q Queue) describeNext() string {
	text := fmt.Sprintf("deployment %d of the same environment", q.next())
	if q.Holder == 0 {
		return text + ", which came first"
	}
	return text
}

// position returns the place in the queue for people. It is empty for the second place, which the
// deployment before it already tells.
func (q Queue) position() string {
	position := len(q.Before) + 1
	if q.Holder != 0 {
		position++
	}
	if position <= 2 {
		return ""
	}
	return fmt.Sprintf(" (position %d)", position)
}

// Superseded is the verdict on a deployment in whose place another one runs.
func Superseded(reason string) Verdict {
	o := reject(CodeSuperseded, "%s", reason)
	o.Rule = RuleConcurrency
	return newVerdict([]Outcome{o})
}
