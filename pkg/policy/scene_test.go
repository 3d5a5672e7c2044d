package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// scene is one question to the rules: alice deploys acme/api to production on a Wednesday at noon,
// everything is known, and nothing is in the way.
type scenario struct {
	policy  Policy
	request Request
	facts   Facts
	now     time.Time
}

// edit changes a scene.
type change func(*scenario)

var (
	noon      = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	newCommit = strings.Repeat("a1b2c3d4e5", 4)
	oldCommit = strings.Repeat("0f1e2d3c4b", 4)

	alice = deployment.Actor{ID: 1, Login: "alice"}
	bob   = deployment.Actor{ID: 2, Login: "bob"}
	carol = deployment.Actor{ID: 3, Login: "carol"}
	dave  = deployment.Actor{ID: 4, Login: "dave"}
	hubot = deployment.Actor{ID: 90, Login: "my-hubot[bot]", App: "my-hubot"}
	token = deployment.Actor{Token: "ops"}
)

func newScenario() *scenario {
	return &scenario{
		request: Request{
			Deployment:  7,
			Repository:  "acme/api",
			Environment: "production",
			Ref:         "main",
			SHA:         newCommit,
			Requester:   alice,
			Creator:     alice,
			AcceptedAt:  noon.Add(-time.Minute),
			Parameters:  "params",
		},
		facts: Facts{
			Requester: Known(Membership{
				Login:      "alice",
				Permission: Known(PermissionWrite),
				Teams:      map[string]Fact[bool]{"acme/sre": Known(false)},
			}),
			Forcer:    Unknown[Membership]("not asked"),
			Deployed:  Known(""),
			Compared:  Unknown[Comparison]("not asked"),
			Checks:    Known([]Check(nil)),
			Required:  Known([]string(nil)),
			After:     map[string]Fact[PriorResult]{},
			Locks:     Known([]Lock(nil)),
			Approvals: Known([]Approval(nil)),
			Queue:     Known(Queue{}),
		},
		now: noon,
	}
}

func (s *scenario) evaluate() Verdict { return s.policy.Evaluate(s.request, s.facts, s.now) }

func scenarioWith(edits ...change) *scenario {
	s := newScenario()
	for _, e := range edits {
		e(s)
	}
	return s
}

func combine(edits ...change) change {
	return func(s *scenario) {
		for _, e := range edits {
			e(s)
		}
	}
}

// said is a verdict in one line.
func summarize(v Verdict) string {
	text := string(v.Decision)
	if first := v.First(); first.Code != "" {
		text += " " + string(first.Code) + ": " + first.Message
	}
	if v.Forced {
		text += " | forced"
	}
	if len(v.Passed) > 0 {
		text += fmt.Sprintf(" | passes %v", v.Passed)
	}
	if v.Cancels != 0 {
		text += fmt.Sprintf(" | cancels %d", v.Cancels)
	}
	if !v.Until.IsZero() {
		text += " | until " + v.Until.UTC().Format("2 Jan 15:04")
	}

	return text
}

// ruling is one line of a table.
type verdictCase struct {
	name  string
	given change
	want  string
}

func runVerdictCases(t *testing.T, table []verdictCase) {
	t.Helper()
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			v := scenarioWith(c.given).evaluate()
			if got := summarize(v); got != c.want {
				t.Errorf("got  %s\nwant %s\n%+v", got, c.want, v.Outcomes)
			}

			checkRuleOrder(t, v)
		})
	}
}

// inOrder wants the outcomes in the order of the rules, locks and concurrency always among them,
// each with a code and a message.
func checkRuleOrder(t *testing.T, v Verdict) {
	t.Helper()
	order := []string{
		RuleAllow, RuleRefs, RuleRequireAhead, RuleChecks, RuleAfter, RuleFreeze, RuleLocks, RuleApprovals, RuleConcurrency, RuleForce, RuleMaxWait,
	}
	var names []string
	for _, o := range v.Outcomes {
		names = append(names, o.Rule)
		if o.Code == "" || o.Message == "" || o.Code == CodeOK && o.Decision != DecisionAllow {
			t.Errorf("outcome %+v", o)
		}
	}

	at := func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) }
	if !slices.IsSortedFunc(names, at) || !slices.Contains(names, RuleLocks) ||
		!slices.Contains(names, RuleConcurrency) {
		t.Errorf("rules %v", names)
	}
}

func unchanged(*scenario) {}

func restrictTo(s Subjects) change { return func(c *scenario) { c.policy.Allow = &s } }

func requestedBy(a deployment.Actor) change {
	return func(s *scenario) {
		s.request.Requester, s.request.Creator = a, a
		s.facts.Requester.Value.Login = a.Login
	}
}

func requesterLogin(name string) change {
	return func(s *scenario) { s.facts.Requester.Value.Login = name }
}

func requesterPermission(p Fact[Permission]) change {
	return func(s *scenario) { s.facts.Requester.Value.Permission = p }
}

func requesterTeam(name string, is Fact[bool]) change {
	return func(s *scenario) {
		teams := maps.Clone(s.facts.Requester.Value.Teams)
		if teams == nil {
			teams = map[string]Fact[bool]{}
		}
		teams[name] = is
		s.facts.Requester.Value.Teams = teams
	}
}

func requesterUnknown(problem string) change {
	return func(s *scenario) { s.facts.Requester = Unknown[Membership](problem) }
}

func allowedRefs(globs ...string) change { return func(s *scenario) { s.policy.Refs = globs } }

func requestedRef(name string) change { return func(s *scenario) { s.request.Ref = name } }

func requireAhead(deployed Fact[string], c Fact[Comparison]) change {
	return func(s *scenario) { s.policy.RequireAhead, s.facts.Deployed, s.facts.Compared = true, deployed, c }
}

func requireChecks(c Checks, list ...Check) change {
	return func(s *scenario) { s.policy.Checks, s.facts.Checks = &c, Known(list) }
}

func requiredChecks(f Fact[[]string]) change { return func(s *scenario) { s.facts.Required = f } }

// run is a check of minute at.
func checkRun(name, app string, state CheckState, at int) Check {
	return Check{Name: name, App: app, State: state, At: noon.Add(time.Duration(at-60) * time.Minute), ID: int64(at)}
}

func acceptedAgo(ago time.Duration) change {
	return func(s *scenario) { s.request.AcceptedAt = s.now.Add(-ago) }
}

func asQuestion(s *scenario) { s.request.Deployment, s.request.AcceptedAt = 0, time.Time{} }

func requireAfter(environments ...string) change {
	return func(s *scenario) { s.policy.After = environments }
}

func toEnvironment(name string) change { return func(s *scenario) { s.request.Environment = name } }

func priorResult(environment string, p PriorResult) change {
	return func(s *scenario) { s.facts.After[environment] = Known(p) }
}

func frozenBy(list ...Freeze) change { return func(s *scenario) { s.policy.Freezes = list } }

func atTime(when string) change {
	return func(s *scenario) {
		t, err := time.Parse(time.RFC3339, when)
		if err != nil {
			panic(err)
		}
		s.now, s.request.AcceptedAt = t, t.Add(-time.Minute)
	}
}

func withLocks(list ...Lock) change { return func(s *scenario) { s.facts.Locks = Known(list) } }

func lockBy(id int64, owner deployment.Actor, reason string) Lock {
	return Lock{
		ID:           id,
		RepositoryID: 5,
		Environment:  "production",
		Owner:        owner,
		Reason:       reason,
		TakenAt:      noon.Add(time.Duration(id-100) * time.Minute),
	}
}

func (l Lock) until(d time.Duration) Lock {
	l.ExpiresAt = noon.Add(d)
	return l
}

func whenLocked(m Mode) change { return func(s *scenario) { s.policy.Locked = m } }

// approvals wants them, and has those that were given to exactly this.
func requireApprovals(a Approvals, given ...Approval) change {
	return func(s *scenario) {
		s.policy.Approvals, s.facts.Approvals = &a, Known(slices.Clone(given))
		for i, one := range given {
			if one.Policy == "" {
				s.facts.Approvals.Value[i].Policy = s.policy.Digest()
			}
		}
	}
}

func approvalBy(who deployment.Actor, change ...func(*Approval)) Approval {
	a := Approval{By: who, At: noon.Add(-time.Hour), SHA: newCommit, Parameters: "params"}
	for _, c := range change {
		c(&a)
	}
	return a
}

func withQueue(l Queue) change { return func(s *scenario) { s.facts.Queue = Known(l) } }

func withConcurrency(c Concurrency) change { return func(s *scenario) { s.policy.Concurrency = c } }

func forcedBy(by deployment.Actor) change {
	return func(s *scenario) { s.request.Force = &deployment.Force{By: by, Reason: "fire"} }
}

func allowForce(s Subjects) change { return func(c *scenario) { c.policy.Force = &s } }

func forcerFacts(f Fact[Membership]) change { return func(s *scenario) { s.facts.Forcer = f } }

func withMaxWait(d time.Duration) change { return func(s *scenario) { s.policy.MaxWait = d } }
