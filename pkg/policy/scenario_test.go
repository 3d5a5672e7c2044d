package policy

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// TestMain fixes the seed of the property tests, so that a run can be repeated. Another one is set
// with -rapid.seed; 0 stands for a random one, which rapid prints if a test fails.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.seed", "1"); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// scenario is the input of one evaluation. newScenario makes one in which alice deploys acme/api to
// production on a Wednesday at noon, every fact is known, and no rule is configured; changes make
// the rest.
type scenario struct {
	policy  Policy
	request Request
	facts   Facts
	now     time.Time
}

// change changes a scenario.
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
			Required:  Known([]CheckName(nil)),
			Pipelines: Known([]deployment.Pipeline(nil)),
			After:     map[string]Fact[PriorResult]{},
			Locks:     Known([]Lock(nil)),
			Approvals: Known([]Approval(nil)),
			Approvers: map[int64]Fact[Membership]{
				2: Known(Membership{Login: "bob"}),
				3: Known(Membership{Login: "carol", Teams: map[string]Fact[bool]{"acme/sre": Known(true)}}),
				4: Known(Membership{Login: "dave", Teams: map[string]Fact[bool]{"acme/sre": Known(true)}}),
			},
			Queue: Known(Queue{}),
		},
		now: noon,
	}
}

func scenarioWith(changes ...change) *scenario {
	s := newScenario()
	for _, c := range changes {
		c(s)
	}
	return s
}

func combine(changes ...change) change {
	return func(s *scenario) {
		for _, c := range changes {
			c(s)
		}
	}
}

func (s *scenario) evaluate() Verdict { return s.policy.Evaluate(s.request, s.facts, s.now) }

// verdictCase is one row of a table: a scenario and the summary of its verdict.
type verdictCase struct {
	name  string
	given change
	want  string
}

func runVerdictCases(t *testing.T, cases []verdictCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := scenarioWith(c.given).evaluate()
			if got := summarize(v); got != c.want {
				t.Errorf("got  %s\nwant %s\noutcomes %+v", got, c.want, v.Outcomes)
			}

			checkOutcomes(t, v)
		})
	}
}

// summarize writes a verdict in one line: the decision, the outcome that decided, and what else is
// not empty.
func summarize(v Verdict) string {
	text := string(v.Decision)
	if first := v.Deciding(); first.Code != "" {
		text += " " + string(first.Code) + ": " + first.Message
	}
	if v.Forced {
		text += " | forced"
	}
	if len(v.PassedLocks) > 0 {
		text += fmt.Sprintf(" | passes %v", v.PassedLocks)
	}
	if v.Cancels != 0 {
		text += fmt.Sprintf(" | cancels %d", v.Cancels)
	}
	if !v.Until.IsZero() {
		text += " | until " + v.Until.UTC().Format("2 Jan 15:04")
	}

	return text
}

// checkOutcomes checks what holds for every verdict: the outcomes are in the order of the rules,
// locks and concurrency are always among them, and each has a code and a message.
func checkOutcomes(t *testing.T, v Verdict) {
	t.Helper()
	order := []string{
		RuleAllow,
		RuleRefs,
		RuleRequireAhead,
		RuleChecks,
		RuleAfter,
		RuleFreeze,
		RuleLocks,
		RuleApprovals,
		RuleConcurrency,
		RuleForce,
		RuleMaxWait,
	}

	var names []string
	for _, o := range v.Outcomes {
		names = append(names, o.Rule)
		if o.Code == "" || o.Message == "" {
			t.Errorf("outcome has no code or no message: %+v", o)
		}
		if o.Code == CodeOK && o.Decision != DecisionAllow {
			t.Errorf("outcome has code %q, but the decision is %q: %+v", o.Code, o.Decision, o)
		}
	}

	inOrder := slices.IsSortedFunc(names, func(a, b string) int {
		return slices.Index(order, a) - slices.Index(order, b)
	})
	if !inOrder {
		t.Errorf("got rules in the order %v, want %v", names, order)
	}
	if !slices.Contains(names, RuleLocks) || !slices.Contains(names, RuleConcurrency) {
		t.Errorf("got rules %v, want %s and %s among them", names, RuleLocks, RuleConcurrency)
	}
}

func unchanged(*scenario) {}

func asQuestion(s *scenario) { s.request.Deployment, s.request.AcceptedAt = 0, time.Time{} }

func atTime(rfc3339 string) change {
	t, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		panic(err)
	}
	return func(s *scenario) { s.now, s.request.AcceptedAt = t, t.Add(-time.Minute) }
}

func acceptedAgo(d time.Duration) change {
	return func(s *scenario) { s.request.AcceptedAt = s.now.Add(-d) }
}

func toEnvironment(name string) change { return func(s *scenario) { s.request.Environment = name } }

func withMaxWait(d time.Duration) change { return func(s *scenario) { s.policy.MaxWait = d } }

func restrictTo(subjects Subjects) change { return func(s *scenario) { s.policy.Allow = &subjects } }

func requestedBy(a deployment.Actor) change {
	return func(s *scenario) {
		s.request.Requester, s.request.Creator = a, a
		s.facts.Requester.Value.Login = a.Login
	}
}

func requesterUnknown(problem string) change {
	return func(s *scenario) { s.facts.Requester = Unknown[Membership](problem) }
}

func requesterLogin(name string) change {
	return func(s *scenario) { s.facts.Requester.Value.Login = name }
}

func requesterPermission(p Fact[Permission]) change {
	return func(s *scenario) { s.facts.Requester.Value.Permission = p }
}

func requesterTeam(name string, member Fact[bool]) change {
	return func(s *scenario) {
		teams := maps.Clone(s.facts.Requester.Value.Teams)
		if teams == nil {
			teams = map[string]Fact[bool]{}
		}
		teams[name] = member
		s.facts.Requester.Value.Teams = teams
	}
}

func allowForce(subjects Subjects) change { return func(s *scenario) { s.policy.Force = &subjects } }

func forcedBy(a deployment.Actor) change {
	return func(s *scenario) { s.request.Force = &deployment.Force{By: a, Reason: "fire"} }
}

func forcerFacts(f Fact[Membership]) change { return func(s *scenario) { s.facts.Forcer = f } }

func allowedRefs(globs ...string) change { return func(s *scenario) { s.policy.Refs = globs } }

func requestedRef(name string) change { return func(s *scenario) { s.request.Ref = name } }

func requireAhead(deployed Fact[string], compared Fact[Comparison]) change {
	return func(s *scenario) {
		s.policy.RequireAhead = true
		s.facts.Deployed, s.facts.Compared = deployed, compared
	}
}

func requireAfter(environments ...string) change {
	return func(s *scenario) { s.policy.After = environments }
}

func priorResult(environment string, r PriorResult) change {
	return func(s *scenario) { s.facts.After[environment] = Known(r) }
}

func requireChecks(rule Checks, checks ...Check) change {
	return func(s *scenario) { s.policy.Checks, s.facts.Checks = &rule, Known(checks) }
}

func requiredChecks(names Fact[[]CheckName]) change {
	return func(s *scenario) { s.facts.Required = names }
}

// checkRun is a check that began at a minute of the hour before noon: a run of an app in its one
// suite, or a commit status if there is no app.
func checkRun(name, app string, state CheckState, minute int) Check {
	c := Check{
		Name:   name,
		Status: app == "",
		App:    app,
		State:  state,
		At:     noon.Add(time.Duration(minute-60) * time.Minute),
		ID:     int64(minute),
	}

	if app != "" {
		c.Suite = 1
	}

	return c
}

func frozenBy(freezes ...Freeze) change { return func(s *scenario) { s.policy.Freezes = freezes } }

func withLocks(locks ...Lock) change { return func(s *scenario) { s.facts.Locks = Known(locks) } }

func whenLocked(m Mode) change { return func(s *scenario) { s.policy.Locked = m } }

// lockBy is a lock on production. The smaller its id, the older it is.
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

// requireApprovals configures the approvals rule, with approvals that are bound to the policy as it
// is then, unless they name another one.
func requireApprovals(rule Approvals, given ...Approval) change {
	return func(s *scenario) {
		s.policy.Approvals, s.facts.Approvals = &rule, Known(slices.Clone(given))
		for i, a := range given {
			if a.Policy == "" {
				s.facts.Approvals.Value[i].Policy = s.policy.Digest()
			}
		}
	}
}

// approver sets what GitHub says about somebody who approved.
func approver(id int64, membership Fact[Membership]) change {
	return func(s *scenario) { s.facts.Approvers[id] = membership }
}

func sharedAccounts(users ...string) change {
	return func(s *scenario) { s.policy.SharedAccounts = users }
}

// approvalBy is an approval of an hour ago for the commit and the parameters of newScenario.
func approvalBy(a deployment.Actor, changes ...func(*Approval)) Approval {
	approval := Approval{By: a, At: noon.Add(-time.Hour), SHA: newCommit, Parameters: "params"}
	for _, c := range changes {
		c(&approval)
	}
	return approval
}

func withQueue(q Queue) change { return func(s *scenario) { s.facts.Queue = Known(q) } }

func withConcurrency(c Concurrency) change { return func(s *scenario) { s.policy.Concurrency = c } }
