package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// evaluateApprovals says whether enough people have approved who may still do so.
func (e *evaluation) evaluateApprovals() Outcome {
	if e.request.Deployment != 0 && !e.facts.Approvals.Known {
		return unknown("the approvals", e.facts.Approvals.Problem)
	}

	rule, why := *e.policy.Approvals, ""
	if by := e.request.Requester; e.policy.askerUnknown(by, e.facts.Requester) && rule.Count < 2 {
		rule.Count = 2
		why = fmt.Sprintf(", because nobody knows who asked %s to deploy", displayName(by, e.facts.Requester))
	}

	approvers, unsure := e.approvers()
	missing := rule.Count - len(approvers)
	switch {
	case missing <= 0:
		return allow("approved by %s", listNames(approvers))
	case missing <= len(unsure):
		return unknown(unsure[0].what, unsure[0].problem)
	}

	o := wait(CodeApprovalsMissing, "%s%s", rule.describeMissing(missing), why)
	o.Who = rule.without(e.request, e.facts.Requester).String()
	return o
}

// without leaves out who requested the deployment, and may not approve it. A team stays: others are in it.
func (a Approvals) without(r Request, requester Fact[Membership]) Approvals {
	a.Users = slices.DeleteFunc(slices.Clone(a.Users), func(user string) bool {
		named := Subjects{Users: []string{user}}
		return named.listsID(r.Requester.ID) || named.listsID(r.Creator.ID) ||
			named.listsLogin(requester.Value.Login) || named.listsLogin(r.Requester.Login) ||
			named.listsLogin(r.Creator.Login)
	})
	a.Tokens = slices.DeleteFunc(slices.Clone(a.Tokens), func(token string) bool {
		return isRequester(deployment.Actor{Token: token}, r)
	})
	return a
}

// askerUnknown says whether a requester stands for people who are not known: an app, an API token in its own
// name, or an account that several people use. One of those who may approve may have asked for the
// deployment, so that a single approval could be that person's own.
func (p Policy) askerUnknown(requester deployment.Actor, membership Fact[Membership]) bool {
	return requester.App != "" || isTokenOnly(requester) || p.IsShared(requester, membership)
}

// IsShared says whether several people use somebody's account. One that was named by its login stays shared under
// a new one.
func (p Policy) IsShared(a deployment.Actor, membership Fact[Membership]) bool {
	if a.App != "" || a.ID == 0 {
		return false
	}

	accounts := Subjects{Users: p.SharedAccounts}
	return slices.Contains(p.SharedIDs, a.ID) ||
		accounts.listsID(a.ID) ||
		accounts.listsLogin(a.Login) ||
		accounts.listsLogin(membership.Value.Login)
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

// approvers returns the names of those whose approval counts, each once, and what is missing to know
// whether those of others do. A question has none.
func (e *evaluation) approvers() (names []string, unsure []missingFact) {
	people := e.policy.Approvals.subjects()
	for _, a := range e.boundApprovals() {
		switch {
		case e.localOnly || isTokenOnly(a.By):
			names = append(names, a.By.String())
			continue
		case !e.policy.Approvals.namesPeople():
			continue
		}

		membership := e.facts.Approvers[a.By.ID]
		m, name := people.match(a.By, membership), displayName(a.By, membership)
		switch {
		case m.included:
			names = append(names, name)
		case m.uncertain():
			unsure = append(unsure, missingFact{what: m.missing.of(name), problem: m.missing.problem})
		}
	}

	slices.Sort(names)
	return names, unsure
}

// boundApprovals returns the approvals that count if those who gave them may still approve, at most
// one of each person.
func (e *evaluation) boundApprovals() []Approval {
	if e.request.Deployment == 0 {
		return nil
	}

	digest := e.route.Digest()
	var bound []Approval
	for _, a := range e.facts.Approvals.Value {
		known := slices.ContainsFunc(bound, func(b Approval) bool { return b.By.Same(a.By) })
		if !known && e.counts(a, digest) {
			bound = append(bound, a)
		}
	}

	return bound
}

// ApproversToCheck returns what must be asked about those who approved, by the ids of their accounts, to
// know whether they may still do so.
func (p Policy) ApproversToCheck(r Request, given []Approval, now time.Time) map[int64]*PersonNeeds {
	if p.Approvals == nil || !p.Approvals.namesPeople() {
		return nil
	}

	e := &evaluation{policy: p, route: p, request: r, now: now}
	e.facts.Approvals = Known(given)
	people := map[int64]*PersonNeeds{}
	for _, a := range e.boundApprovals() {
		if needs := p.Approvals.subjects().needs(a.By); needs != nil {
			people[a.By.ID] = needs
		}
	}

	return people
}

// counts says whether an approval is for this commit, these parameters and these rules, has not
// expired, and was given neither by the requester nor through an account that several people use.
func (e *evaluation) counts(a Approval, digest string) bool {
	if a.SHA != e.request.SHA || a.Parameters != e.request.Parameters || a.Policy != digest || digest == "" {
		return false
	}

	expiry := a.At.Add(e.policy.Approvals.lifetime())
	return expiry.After(e.now) && !isRequester(a.By, e.request) && e.policy.Approvals.acceptsKind(a.By) &&
		!e.policy.IsShared(a.By, e.facts.Approvers[a.By.ID])
}

// CanApprove says why somebody's approval would not count; the zero Refusal: it would.
func (p Policy) CanApprove(by deployment.Actor, membership Fact[Membership], r Request) Refusal {
	rule := p.Approvals
	if rule == nil {
		return Refusal{Reason: "the deployment needs no approval"}
	}
	if refusal := p.refuseOwn(by, membership, r); refusal.Refused() {
		return refusal
	}
	if isTokenOnly(by) && rule.acceptsKind(by) {
		return Refusal{}
	}

	named := rule.subjects()
	if !rule.namesPeople() {
		named = nil
	}

	return canApprove(named, rule.String(), by, membership)
}

// CanApproveHold says why somebody may not approve a job that CircleCI holds through this service; the zero
// Refusal: they may. Nobody approves what they asked for, so nobody approves what an app asked for, an API token
// in its own name, or an account that several people use: it is not known who made it ask.
func (p Policy) CanApproveHold(by deployment.Actor, membership Fact[Membership], r Request) Refusal {
	if p.HoldApprovers == nil {
		const format = "nobody may approve hold jobs of %s here: approve in CircleCI, or set holds in the route"
		return Refusal{Reason: fmt.Sprintf(format, r.Environment)}
	}
	if refusal := p.refuseOwn(by, membership, r); refusal.Refused() {
		return refusal
	}
	if p.askerUnknown(r.Requester, Fact[Membership]{}) {
		const format = "nobody knows who asked %s to deploy, so nobody may approve it here: approve in CircleCI"
		return Refusal{Reason: fmt.Sprintf(format, displayName(r.Requester, Fact[Membership]{}))}
	}

	return canApprove(p.HoldApprovers, p.HoldApprovers.String(), by, membership)
}

// refuseOwn refuses those who can approve nothing of this deployment, whomever the rule names.
func (p Policy) refuseOwn(by deployment.Actor, membership Fact[Membership], r Request) Refusal {
	name := displayName(by, membership)
	switch {
	case isRequester(by, r):
		return Refusal{Reason: fmt.Sprintf("%s requested the deployment, so somebody else must approve it", name)}
	case by.App != "":
		return Refusal{Reason: fmt.Sprintf("%s is an app, and only people may approve", name)}
	case p.IsShared(by, membership):
		return Refusal{Reason: fmt.Sprintf("several people use the account %s, so it may not approve", name)}
	default:
		return Refusal{}
	}
}

// canApprove says why somebody is not one of those who may approve. named are these people, nil: there are
// none; allowed names them all for people.
func canApprove(named *Subjects, allowed string, by deployment.Actor, membership Fact[Membership]) Refusal {
	name := displayName(by, membership)
	refused := Refusal{Reason: fmt.Sprintf("%s is not allowed to approve (allowed: %s)", name, allowed)}
	switch {
	case isTokenOnly(by):
		return Refusal{Reason: fmt.Sprintf("the API token %s is not allowed to approve", by.Token)}
	case by.ID == 0:
		return Refusal{Reason: "the approver is unknown"}
	case named == nil:
		return refused
	}

	m := named.match(by, membership)
	switch {
	case m.included:
		return Refusal{}
	case m.uncertain():
		const format = "cannot tell whether %s is allowed to approve: %s could not be read"
		why := fmt.Sprintf(format, name, m.missing.of(name))
		if m.missing.problem != "" {
			why += " (" + m.missing.problem + ")"
		}
		if m.missing.noAccount {
			return Refusal{Reason: why + checkAccount}
		}
		return Refusal{Reason: why, Unknown: true}
	default:
		return refused
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

// HoldApproverNeeds returns what must be asked about a person before CanApproveHold; nil: nothing.
func (p Policy) HoldApproverNeeds() *PersonNeeds {
	anybody := deployment.Actor{ID: -1}
	return p.HoldApprovers.needs(anybody)
}

// isRequester says whether somebody requested the deployment. A token through which a person
// requested it counts as the requester, too, so that it cannot approve the deployment.
func isRequester(a deployment.Actor, r Request) bool {
	if isTokenOnly(a) && (a.Token == r.Requester.Token || a.Token == r.Creator.Token) {
		return true
	}
	return a.Same(r.Requester) || a.Same(r.Creator)
}

// acceptsKind says whether somebody is a person, or an API token that the rule names.
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
