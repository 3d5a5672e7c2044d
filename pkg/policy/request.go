package policy

import (
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Request is what the rules decide about: a deployment, or a question about one that does not exist.
type Request struct {
	Deployment  int64 // GitHub's id; 0: a question
	Repository  string
	Environment string
	Ref         string // as GitHub sent it; may be empty in a question
	BuildRef    string // what is built, if the requester can choose it; empty: it is Ref, or the route's own
	SHA         string

	Requester deployment.Actor // the creator, unless this service created the deployment for somebody
	Creator   deployment.Actor // as GitHub shows it

	AcceptedAt time.Time         // zero in a question
	Parameters string            // digest of the target and its parameters, which approvals are bound to
	Force      *deployment.Force // nil: nobody forces the deployment
	Rollback   bool              // it deploys again what ran there before
	Unproven   bool              // with Rollback: what ran was rolled back from, or was forced

	// AskedHere says that Requester asked this service, so that GitHub has not checked what they may do.
	AskedHere bool
}

// Needs lists the facts that a policy needs to decide about a request. Locks and Queue are not in
// it: they are always needed.
type Needs struct {
	Requester *PersonNeeds // nil: nothing about the requester
	Forcer    *PersonNeeds // nil: nobody forces the deployment, or Requester covers it
	Deployed  bool
	Compared  bool // only where something is deployed
	Checks    bool
	Required  bool
	Pipelines bool
	After     []string // in lower case
	Approvals bool
}

// passesForward says whether the rules about what is new let a request pass.
func (r Request) passesForward() bool { return r.Rollback && !r.Unproven }

// CheckQuery asks for the checks of a commit.
type CheckQuery struct {
	SHA string

	// Names are those that matter; nil: all of them. The answer may hold others as well.
	Names []string

	// History asks also for statuses and check runs that newer ones have replaced.
	History bool
}

// QueryChecks returns the query for the checks that the policy needs, which may depend on the
// checks that are required.
func (p Policy) QueryChecks(r Request, required []CheckName) CheckQuery {
	q := CheckQuery{SHA: r.SHA}
	if p.Checks == nil {
		return q
	}

	names := p.Checks.Names
	if p.Checks.Set == ChecksRequired {
		names = required
	}
	for _, n := range names {
		q.Names = append(q.Names, n.Name)
	}

	slices.Sort(q.Names)
	q.Names = slices.Compact(q.Names)
	return q
}

// PersonNeeds lists what is asked about a person, beside their current login.
type PersonNeeds struct {
	Permission bool
	Teams      []string // org/team, in lower case
}

// Needs returns the facts that Evaluate needs for a request. Of those, EvaluateLocal needs only the
// approvals.
func (p Policy) Needs(r Request) Needs {
	p = p.of(r)
	if r.passesForward() {
		p.RequireAhead, p.Checks, p.After = false, nil, nil
	}

	n := Needs{
		Requester: p.Allow.needs(r.Requester),
		Deployed:  p.RequireAhead,
		Compared:  p.RequireAhead,
		Checks:    p.Checks != nil,
		Required:  p.Checks != nil && p.Checks.Set == ChecksRequired,
		Pipelines: p.Checks != nil,
		After:     lowerAll(p.environmentsBefore(r.Environment)),
		Approvals: p.Approvals != nil && r.Deployment != 0,
	}

	if r.Force == nil {
		return n
	}

	forcer := p.Force.needs(r.Force.By)
	if r.Force.By.Same(r.Requester) {
		n.Requester = n.Requester.merge(forcer)
	} else {
		n.Forcer = forcer
	}

	return n
}

// merge returns what is in one of both.
func (n *PersonNeeds) merge(other *PersonNeeds) *PersonNeeds {
	if n == nil {
		return other
	}
	if other == nil {
		return n
	}

	teams := slices.Concat(n.Teams, other.Teams)
	slices.Sort(teams)
	return &PersonNeeds{
		Permission: n.Permission || other.Permission,
		Teams:      slices.Compact(teams),
	}
}
