package notify

import (
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// maxHoldButtons is how many jobs that CircleCI holds have a button of their own.
const maxHoldButtons = 3

// maxLabel is how long the label of a button may be, in code points.
const maxLabel = 30

// buttons returns what a card offers. Those that open a page come last.
func buttons(f Facts) []Button {
	var all []Button
	switch f.Deployment.State {
	case deployment.Waiting:
		all = waitingButtons(f)
	case deployment.Triggering, deployment.Unconfirmed, deployment.Running:
		all = cancelButton(f)
	case deployment.Held:
		all = append(holdButtons(f), cancelButton(f)...)
	case deployment.Succeeded:
		all = rollbackButton(f)
	case deployment.Failed:
		all = append(rollbackButton(f), againButton(f)...)
	default:
		all = append([]Button{{Verb: VerbWhy, Label: "Why?"}}, againButton(f)...)
	}

	return append(all, links(f)...)
}

func waitingButtons(f Facts) []Button {
	var all []Button
	if f.NeedsApproval() {
		all = append(all, f.typed(Button{Verb: VerbApprove, Label: "Approve", Primary: true}))
	}

	all = append(all, Button{Verb: VerbWhy, Label: "Why?"})
	if f.Lock != nil {
		all = append(all, Button{Verb: VerbAskForLock, Label: "Ask for the lock"})
	}
	return append(all, cancelButton(f)...)
}

// cancelButton is empty for a deployment that is being canceled.
func cancelButton(f Facts) []Button {
	if f.Deployment.Cancel != nil {
		return nil
	}

	return []Button{f.confirmed(Button{Verb: VerbCancel, Label: "Cancel", Danger: true})}
}

func holdButtons(f Facts) []Button {
	if f.Route.HoldApprovers == "" || f.Deployment.Cancel != nil {
		return nil
	}

	var all []Button
	for i, job := range f.Held {
		if i == maxHoldButtons {
			break
		}

		label := "Approve"
		if len(f.Held) > 1 {
			label += " " + job
		}
		all = append(all, f.typed(Button{
			Verb:    VerbApproveHold,
			Label:   shorten(label, maxLabel-1),
			Job:     job,
			Primary: i == 0,
		}))
	}
	return all
}

// rollbackButton is offered on what runs in an environment, or on what has failed after it.
func rollbackButton(f Facts) []Button {
	d := f.Deployment
	newer := f.Current == nil || f.Current.DeploymentID > d.Request.ID
	if newer || f.Back == nil || d.Target.Operation || d.Target.LockTask != "" {
		return nil
	}
	return []Button{f.confirmed(Button{Verb: VerbRollback, Label: "Roll back", Danger: true, Back: f.Back.String()})}
}

// againButton is not offered once something newer runs there.
func againButton(f Facts) []Button {
	d := f.Deployment
	newer := f.Current != nil && f.Current.DeploymentID > d.Request.ID
	if newer || d.Target.LockTask != "" {
		return nil
	}
	return []Button{f.confirmed(Button{Verb: VerbAgain, Label: "Deploy again"})}
}

// confirmed returns a button that asks before anything happens.
func (f Facts) confirmed(b Button) Button {
	b.Label += "…"
	b.Confirm = true
	if f.Route.Production {
		b.ConfirmWord = f.Deployment.Request.Environment
	}
	return b
}

// typed returns a button that asks for the name of the environment before anything happens, in production only.
func (f Facts) typed(b Button) Button {
	if !f.Route.Production {
		return b
	}
	return f.confirmed(b)
}

// links returns the buttons that open pages.
func links(f Facts) []Button {
	var all []Button
	if url := f.logURL(); url != "" {
		label := "Log"
		if f.Deployment.State == deployment.Held {
			label = "Open in CircleCI"
		}
		all = append(all, Button{Verb: VerbOpen, Label: label, URL: url})
	}
	if url := f.compareURL(); url != "" {
		all = append(all, Button{Verb: VerbOpen, Label: "What changes", URL: url})
	}
	return all
}

// shorten cuts a text to so many code points.
func shorten(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
