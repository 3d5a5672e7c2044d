package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// approvals counts the people who said yes to exactly this.
func (j *evaluation) approvals() Outcome {
	a := j.p.Approvals
	if j.r.Deployment != 0 && !j.f.Approvals.Known {
		return unknown("the approvals", j.f.Approvals.Problem)
	}

	given := j.approvers()
	if missing := a.Count - len(given); missing > 0 {
		o := wait(CodeApprovalsMissing, "%d of %d approvals (%s)", missing, a.Count, a)
		o.Who = a.String()
		return o
	}

	return allow("approved by %s", few(given))
}

// approvers names those whose approval counts, each once.
func (j *evaluation) approvers() []string {
	if j.r.Deployment == 0 {
		return nil // nobody can approve what there is not
	}

	digest := j.p.Digest()
	var persons []deployment.Actor
	var names []string
	for _, given := range j.f.Approvals.Value {
		counted := slices.ContainsFunc(persons, given.By.Same)
		if counted || !j.counts(given, digest) {
			continue
		}

		persons, names = append(persons, given.By), append(names, given.By.String())
	}

	slices.Sort(names)
	return names
}

// counts says whether an approval is one of this commit with these parameters under these rules,
// still holds, and is somebody else's.
func (j *evaluation) counts(a Approval, digest string) bool {
	if a.SHA != j.r.SHA || a.Parameters != j.r.Parameters || a.Policy != digest || digest == "" {
		return false
	}
	if !a.At.Add(j.p.Approvals.life()).After(j.now) {
		return false
	}
	return !asked(a.By, j.r) && j.p.Approvals.person(a.By)
}

func (a Approvals) life() time.Duration {
	if a.Expires <= 0 {
		return DefaultApprovalLife
	}
	return a.Expires
}

// person says whether somebody counts as one: a person, or a token that was named.
func (a Approvals) person(by deployment.Actor) bool {
	if tokenOnly(by) {
		return slices.Contains(a.Tokens, by.Token)
	}
	return by.App == "" && by.ID != 0
}

// asked says whether somebody asked for the deployment: a token through which a person did is the
// same hand.
func asked(by deployment.Actor, r Request) bool {
	if tokenOnly(by) && (by.Token == r.Requester.Token || by.Token == r.Creator.Token) {
		return true
	}
	return by.Same(r.Requester) || by.Same(r.Creator)
}

// String names those who may approve.
func (a Approvals) String() string {
	all := slices.Concat(a.Users, a.Teams)
	for _, token := range a.Tokens {
		all = append(all, "token "+token)
	}
	return few(all)
}

// subjects are the people who may approve.
func (a Approvals) subjects() *Subjects { return &Subjects{Users: a.Users, Teams: a.Teams} }

// ApproverNeeds are the facts about somebody that Eligible needs; nil: none.
func (p Policy) ApproverNeeds() *PersonNeeds {
	if p.Approvals == nil || len(p.Approvals.Users)+len(p.Approvals.Teams) == 0 {
		return nil
	}
	return p.Approvals.subjects().ask(deployment.Actor{ID: -1}) // anybody
}

// Eligible says whether somebody's approval would count, or why not.
func (p Policy) Eligible(by deployment.Actor, standing Fact[Membership], r Request) (ok bool, why string) {
	name := who(by, standing)
	switch {
	case p.Approvals == nil:
		return false, "it needs no approval"
	case asked(by, r):
		return false, fmt.Sprintf("%s asked for it: somebody else must approve it", name)
	case by.App != "":
		return false, fmt.Sprintf("%s is an app: a person must approve it", name)
	case tokenOnly(by) && !p.Approvals.person(by):
		return false, fmt.Sprintf("the API token %s may not approve it", by.Token)
	case tokenOnly(by):
		return true, ""
	case by.ID == 0:
		return false, "it is not known who approves it"
	case len(p.Approvals.Users)+len(p.Approvals.Teams) == 0:
		return false, fmt.Sprintf("%s may not approve it; %s may", name, p.Approvals)
	}

	answer := p.Approvals.subjects().include(by, standing)
	switch {
	case answer.yes:
		return true, ""
	case answer.unsure != "":
		return false, fmt.Sprintf("GitHub does not say whether %s may approve it: %s", name, answer.unsure)
	default:
		return false, fmt.Sprintf("%s may not approve it; %s may", name, p.Approvals)
	}
}
