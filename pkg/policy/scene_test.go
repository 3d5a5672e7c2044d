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
type scene struct {
	p   Policy
	r   Request
	f   Facts
	now time.Time
}

// edit changes a scene.
type edit func(*scene)

var (
	noon   = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	commit = strings.Repeat("a1b2c3d4e5", 4)
	older  = strings.Repeat("0f1e2d3c4b", 4)

	alice = deployment.Actor{ID: 1, Login: "alice"}
	bob   = deployment.Actor{ID: 2, Login: "bob"}
	carol = deployment.Actor{ID: 3, Login: "carol"}
	dave  = deployment.Actor{ID: 4, Login: "dave"}
	hubot = deployment.Actor{ID: 90, Login: "my-hubot[bot]", App: "my-hubot"}
	token = deployment.Actor{Token: "ops"}
)

func base() *scene {
	return &scene{
		r: Request{
			Deployment:  7,
			Repository:  "acme/api",
			Environment: "production",
			Ref:         "main",
			SHA:         commit,
			Requester:   alice,
			Creator:     alice,
			AcceptedAt:  noon.Add(-time.Minute),
			Parameters:  "params",
		},
		f: Facts{
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

func (s *scene) verdict() Verdict { return s.p.Evaluate(s.r, s.f, s.now) }

func made(edits ...edit) *scene {
	s := base()
	for _, e := range edits {
		e(s)
	}
	return s
}

func all(edits ...edit) edit {
	return func(s *scene) {
		for _, e := range edits {
			e(s)
		}
	}
}

// said is a verdict in one line.
func said(v Verdict) string {
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
type ruling struct {
	name string
	do   edit
	want string
}

func judged(t *testing.T, table []ruling) {
	t.Helper()
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			v := made(c.do).verdict()
			if got := said(v); got != c.want {
				t.Errorf("got  %s\nwant %s\n%+v", got, c.want, v.Outcomes)
			}

			inOrder(t, v)
		})
	}
}

// inOrder wants the outcomes in the order of the rules, locks and concurrency always among them,
// each with a code and a message.
func inOrder(t *testing.T, v Verdict) {
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

func nothing(*scene) {}

func allowOnly(s Subjects) edit { return func(c *scene) { c.p.Allow = &s } }

func by(a deployment.Actor) edit {
	return func(s *scene) {
		s.r.Requester, s.r.Creator = a, a
		s.f.Requester.Value.Login = a.Login
	}
}

func login(name string) edit { return func(s *scene) { s.f.Requester.Value.Login = name } }

func permission(p Fact[Permission]) edit {
	return func(s *scene) { s.f.Requester.Value.Permission = p }
}

func team(name string, is Fact[bool]) edit {
	return func(s *scene) {
		teams := maps.Clone(s.f.Requester.Value.Teams)
		if teams == nil {
			teams = map[string]Fact[bool]{}
		}
		teams[name] = is
		s.f.Requester.Value.Teams = teams
	}
}

func stranger(problem string) edit {
	return func(s *scene) { s.f.Requester = Unknown[Membership](problem) }
}

func refs(globs ...string) edit { return func(s *scene) { s.p.Refs = globs } }

func ref(name string) edit { return func(s *scene) { s.r.Ref = name } }

func ahead(deployed Fact[string], c Fact[Comparison]) edit {
	return func(s *scene) { s.p.RequireAhead, s.f.Deployed, s.f.Compared = true, deployed, c }
}

func checks(c Checks, list ...Check) edit {
	return func(s *scene) { s.p.Checks, s.f.Checks = &c, Known(list) }
}

func required(f Fact[[]string]) edit { return func(s *scene) { s.f.Required = f } }

// run is a check of minute at.
func run(name, app string, state CheckState, at int) Check {
	return Check{Name: name, App: app, State: state, At: noon.Add(time.Duration(at-60) * time.Minute), ID: int64(at)}
}

func accepted(ago time.Duration) edit { return func(s *scene) { s.r.AcceptedAt = s.now.Add(-ago) } }

func question(s *scene) { s.r.Deployment, s.r.AcceptedAt = 0, time.Time{} }

func after(environments ...string) edit { return func(s *scene) { s.p.After = environments } }

func environment(name string) edit { return func(s *scene) { s.r.Environment = name } }

func past(environment string, p PriorResult) edit {
	return func(s *scene) { s.f.After[environment] = Known(p) }
}

func freezes(list ...Freeze) edit { return func(s *scene) { s.p.Freezes = list } }

func at(when string) edit {
	return func(s *scene) {
		t, err := time.Parse(time.RFC3339, when)
		if err != nil {
			panic(err)
		}
		s.now, s.r.AcceptedAt = t, t.Add(-time.Minute)
	}
}

func locks(list ...Lock) edit { return func(s *scene) { s.f.Locks = Known(list) } }

func lock(id int64, owner deployment.Actor, reason string) Lock {
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

func lockedMode(m Mode) edit { return func(s *scene) { s.p.Locked = m } }

// approvals wants them, and has those that were given to exactly this.
func approvals(a Approvals, given ...Approval) edit {
	return func(s *scene) {
		s.p.Approvals, s.f.Approvals = &a, Known(slices.Clone(given))
		for i, one := range given {
			if one.Policy == "" {
				s.f.Approvals.Value[i].Policy = s.p.Digest()
			}
		}
	}
}

func yes(who deployment.Actor, change ...func(*Approval)) Approval {
	a := Approval{By: who, At: noon.Add(-time.Hour), SHA: commit, Parameters: "params"}
	for _, c := range change {
		c(&a)
	}
	return a
}

func line(l Queue) edit { return func(s *scene) { s.f.Queue = Known(l) } }

func how(c Concurrency) edit { return func(s *scene) { s.p.Concurrency = c } }

func force(by deployment.Actor) edit {
	return func(s *scene) { s.r.Force = &deployment.Force{By: by, Reason: "fire"} }
}

func forcers(s Subjects) edit { return func(c *scene) { c.p.Force = &s } }

func forcer(f Fact[Membership]) edit { return func(s *scene) { s.f.Forcer = f } }

func maxWait(d time.Duration) edit { return func(s *scene) { s.p.MaxWait = d } }
