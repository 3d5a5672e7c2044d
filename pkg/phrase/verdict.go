package phrase

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Created says that a deployment was made, and what the rules said of it.
func (p Prefix) Created(d deployment.Deployment, v policy.Verdict, now time.Time) string {
	begin := fmt.Sprintf("#%d deploys %s.", d.Request.ID, What(d.Request))
	if d.Request.IsRollback() {
		begin = fmt.Sprintf("#%d rolls %s back to %s.", d.Request.ID, d.Request.Environment, commit(d.Request))
	}

	o := v.Deciding()
	switch {
	case d.State != deployment.Waiting:
		return join(begin, "It "+Progress(d, now)+".", p.Follow(d))
	case v.Decision == policy.DecisionWait:
		return join(begin, "It waits for "+o.Message+".", opens(v.Until, now), p.Remedy(o, d.Request.ID), p.Follow(d))
	case d.BlockedBy != "":
		return join(begin, "It waits for "+d.BlockedBy+".", p.Follow(d))
	default:
		return join(begin, "It starts now.", p.Follow(d))
	}
}

// Pending says that it is not known yet whether GitHub has a deployment. ask is the line that shows it
// later.
func (p Prefix) Pending(what, ask string) string {
	const format = "GitHub has not confirmed yet that it has the deployment of %s. Seraph finds out by itself, and " +
		"%s shows the deployment once it is there. You need not ask again."
	return fmt.Sprintf(format, what, p.command(ask))
}

// Refused says that a deployment was not made because the rules reject it.
func Refused(what string, v policy.Verdict, now time.Time) string {
	o := v.Deciding()
	return join(what+" is not deployed: "+strings.TrimSuffix(o.Message, ".")+".", opens(v.Until, now), Remedy(o),
		"Nothing was made at GitHub.")
}

// Approved says what an approval has changed.
func (p Prefix) Approved(by deployment.Actor, d deployment.Deployment, v policy.Verdict, now time.Time) string {
	begin := fmt.Sprintf("%s approved #%d (%s).", by, d.Request.ID, What(d.Request))
	if v.Decision == policy.DecisionAllow {
		return join(begin, "It starts as soon as it is its turn.")
	}

	o := v.Deciding()
	return join(begin, "It still waits for "+o.Message+".", opens(v.Until, now), p.Remedy(o, d.Request.ID))
}

// HoldApproved says that somebody's job which CircleCI held is approved, now or before.
func (p Prefix) HoldApproved(by deployment.Actor, d deployment.Deployment) string {
	id, what := d.Request.ID, What(d.Request)
	if !d.State.Open() {
		return fmt.Sprintf("That job of #%d (%s) was approved before, and nothing was approved now: #%d %s.",
			id, what, id, ended(d))
	}

	done := fmt.Sprintf("%s approved the job that CircleCI held for #%d (%s).", by, id, what)
	if !slices.ContainsFunc(d.HoldApprovals, func(a deployment.HoldApproval) bool { return a.By.Same(by) }) {
		done = fmt.Sprintf("Somebody else has approved the job that CircleCI held for #%d (%s).", id, what)
	}
	return done + " CircleCI goes on with it; " + p.why(id) + " says how far it is."
}

// Canceled says what a request to cancel a deployment has done.
func Canceled(d deployment.Deployment) string {
	if !d.State.Open() {
		return fmt.Sprintf("#%d (%s) %s.", d.Request.ID, What(d.Request), ended(d))
	}
	const format = "#%d (%s) is being canceled: CircleCI is asked to stop its workflows, and it ends once they have."
	return fmt.Sprintf(format, d.Request.ID, What(d.Request))
}

// Why says how far a deployment is, where it failed, and, unless it has run, what each rule says that does
// not simply allow it.
func (p Prefix) Why(d deployment.Deployment, v policy.Verdict, now time.Time) string {
	lines := []string{Deployment(d, now)}
	if d.Failure != nil {
		lines = append(lines, failure(*d.Failure))
	}

	if d.State.Open() || d.State == deployment.Rejected {
		for _, o := range v.Outcomes {
			if line := p.rule(o, d.Request.ID, now); line != "" && o.Rule != policy.RuleState {
				lines = append(lines, line)
			}
		}
	}

	if len(lines) == 1 && d.State.Open() && len(v.Outcomes) > 0 && v.Decision == policy.DecisionAllow {
		lines = append(lines, "All its rules allow it.")
	}
	switch {
	case d.State == deployment.Held:
		lines = append(lines, p.Follow(d))
	case d.State.Open() && d.State != deployment.Waiting:
		lines = append(lines, p.command(fmt.Sprintf("cancel #%d", d.Request.ID))+" stops it.")
	}
	return strings.Join(lines, "\n")
}

// failure says at which step a deployment failed, and how its output ended.
func failure(f deployment.Failure) string {
	text := "The job " + f.Job + " failed"
	if f.Step != "" {
		text += fmt.Sprintf(" at the step %q", f.Step)
	}
	if len(f.Lines) == 0 {
		return text + "."
	}
	return text + ", whose output ended with:\n  " + strings.Join(f.Lines, "\n  ")
}

// rule is the line of one rule; empty where the rule allows the deployment.
func (p Prefix) rule(o policy.Outcome, id int64, now time.Time) string {
	switch {
	case o.Forced:
		return fmt.Sprintf("- %s: passed by force, although %s.", o.Rule, o.Message)
	case o.Decision == policy.DecisionWait:
		return join(fmt.Sprintf("- %s: it waits for %s.", o.Rule, o.Message), opens(o.Until, now), p.Remedy(o, id))
	case o.Decision == policy.DecisionReject:
		return join(fmt.Sprintf("- %s: %s.", o.Rule, strings.TrimSuffix(o.Message, ".")), p.Remedy(o, id))
	default:
		return ""
	}
}

// Remedy says who or what can help with the deployment with an id where a rule waits or rejects, and which command
// they use; empty: nothing is known to help.
func (p Prefix) Remedy(o policy.Outcome, id int64) string {
	if o.Who == "" || o.Code != policy.CodeApprovalsMissing {
		return Remedy(o)
	}

	who := o.Who
	if strings.ContainsAny(who, ",/") { // several names, or a team
		who = "one of " + who
	}
	return "To approve it, " + who + " says " + p.command(fmt.Sprintf("approve #%d", id)) + "."
}

// Remedy says who or what can help where a rule waits or rejects, without a command; empty: nothing is known to.
func Remedy(o policy.Outcome) string {
	switch {
	case o.Who == "":
		return ""
	case o.Code == policy.CodeApprovalsMissing:
		return "Those who can approve it: " + o.Who + "."
	case o.Code == policy.CodeLocked:
		return "The lock can be released by " + o.Who + "."
	case o.Code == policy.CodeNotAllowed, o.Code == policy.CodeForceNotAllowed:
		return "Those who may: " + o.Who + "."
	default:
		return "What helps: " + o.Who + "."
	}
}

// opens says when a rule will be met by itself; empty where that is not known.
func opens(at, now time.Time) string {
	if at.IsZero() || !at.After(now) {
		return ""
	}
	return "That ends by itself in " + Duration(at.Sub(now)) + "."
}
