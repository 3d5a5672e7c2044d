package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// evaluateApprovals says whether enough people have approved.
func (e *evaluation) evaluateApprovals() Outcome {
	rule := e.policy.Approvals
	if e.request.Deployment != 0 && !e.facts.Approvals.Known {
		return unknown("the approvals", e.facts.Approvals.Problem)
	}

	approvers := e.approvers()
	if missing := rule.Count - len(approvers); missing > 0 {
		o := wait(CodeApprovalsMissing, "%s", rule.describeMissing(missing))
		o.Who = rule.String()
		return o
	}

	return allow("approved by %s", listNames(approvers))
}

// describeMissing says how many approvals are missing, and how many were given if there are some.
func (a Approvals) describeMissing(missing int) string {
	given := a.Count - missing
	switch {
	case given == 0 && missing == 1:
		return fmt.Sprintf("1 approval from %s", a)
	case given == 0:
		return fmt.Sprintf("%d approvals from %s", missing, a)
	case missing == 1:
		return fmt.Sprintf("1 more approval (%d of %d given) from %s", given, a.Count, a)
	default:
		return fmt.Sprintf("%d more approvals (%d of %d given) from %s", missing, given, a.Count, a)
	}
}

// approvers returns the names of those whose approval counts, each once. A question has none.
func (e *evaluation) approvers() []string {
	if e.request.Deployment == 0 {
		return nil
	}

	digest := e.policy.Digest()
	var counted []deployment.Actor
	var names []string
	for _, a := range e.facts.Approvals.Value {
		if slices.ContainsFunc(counted, a.By.Same) || !e.counts(a, digest) {
			continue
		}

		counted = append(counted, a.By)
		names = append(names, a.By.String())
	}

	slices.Sort(names)
	return names
}

// counts says whether an approval is for this commit, these parameters and these rules, has not
// expired, and was not given by the requester.
func (e *evaluation) counts(a Approval, digest string) bool {
	if a.SHA != e.request.SHA || a.Parameters != e.request.Parameters || a.Policy != digest || digest == "" {
		return false
	}

	expiry := a.At.Add(e.policy.Approvals.lifetime())
	return expiry.After(e.now) && !isRequester(a.By, e.request) && e.policy.Approvals.acceptsKind(a.By)
}

// CanApprove says why somebody's approval would not count; the zero Refusal: it would.
func (p Policy) CanApprove(by deployment.Actor, membership Fact[Membership], r Request) Refusal {
	rule, name := p.Approvals, displayName(by, membership)
	switch {
	case rule == nil:
		return Refusal{Reason: "the deployment needs no approval"}
	case isRequester(by, r):
		return Refusal{Reason: fmt.Sprintf("%s requested the deployment, so somebody else must approve it", name)}
	case by.App != "":
		return Refusal{Reason: fmt.Sprintf("%s is an app, and only people may approve", name)}
	case isTokenOnly(by) && !rule.acceptsKind(by):
		return Refusal{Reason: fmt.Sprintf("the API token %s is not allowed to approve", by.Token)}
	case isTokenOnly(by):
		return Refusal{}
	case by.ID == 0:
		return Refusal{Reason: "the approver is unknown"}
	case !rule.namesPeople():
		return Refusal{Reason: fmt.Sprintf("%s is not allowed to approve (allowed: %s)", name, rule)}
	}

	m := rule.subjects().match(by, membership)
	switch {
	case m.included:
		return Refusal{}
	case m.uncertain():
		why := fmt.Sprintf("cannot tell whether %s is allowed to approve: %s could not be read", name, m.missing.of(name))
		if m.missing.problem != "" {
			why += " (" + m.missing.problem + ")"
		}
		return Refusal{Reason: why, Unknown: true}
	default:
		return Refusal{Reason: fmt.Sprintf("%s is not allowed to approve (allowed: %s)", name, rule)}
	}
}

// ApproverNeeds returns what must be asked about a person before Eligible; nil: nothing.
func (p Policy) ApproverNeeds() *PersonNeeds {
	if p.Approvals == nil || !p.Approvals.namesPeople() {
		return nil
	}

	anybody := deployment.Actor{ID: -1}
	return p.Approvals.subjects().needs(anybody)
}

// isRequester says whether somebody requested the deployment. A token through which a person
// requested it counts as the requester, too, so that it cannot approve the deployment.
func isRequester(a deployment.Actor, r Request) bool {
	if isTokenOnly(a) && (a.Token == r.Requester.Token || a.Token == r.Creator.Token) {
		return true
	}
	return a.Same(r.Requester) || a.Same(r.Creator)
}

// acceptsKind says whether somebody is a person, or an API token that the rule names. Whether a
// person is among those who may approve was checked when the approval was given.
func (a Approvals) acceptsKind(by deployment.Actor) bool {
	if isTokenOnly(by) {
		return slices.Contains(a.Tokens, by.Token)
	}
	return by.App == "" && by.ID != 0
}

func (a Approvals) namesPeople() bool { return len(a.Users)+len(a.Teams) > 0 }

// subjects returns the people who may approve.
func (a Approvals) subjects() *Subjects { return &Subjects{Users: a.Users, Teams: a.Teams} }

func (a Approvals) lifetime() time.Duration {
	if a.Expires <= 0 {
		return DefaultApprovalLifetime
	}
	return a.Expires
}

// String names those who may approve.
func (a Approvals) String() string {
	all := slices.Concat(a.Users, a.Teams)
	for _, token := range a.Tokens {
		all = append(all, "token "+token)
	}
	return listNames(all)
}
