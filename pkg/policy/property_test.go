package policy

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// drawScenario combines several cases of the tables at random.
func drawScenario(r *rapid.T) *scenario {
	cases := allCases()
	s := newScenario()
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(cases)-1), 1, 6).Draw(r, "cases") {
		cases[i].given(s)
	}

	if rapid.Bool().Draw(r, "just accepted") {
		s.request.AcceptedAt = s.now
	}

	s.bindApprovals()
	return s
}

// bindApprovals binds the approvals to the policy as it is now, but for those that a case has bound
// to another one.
func (s *scenario) bindApprovals() {
	s.facts.Approvals.Value = slices.Clone(s.facts.Approvals.Value)
	for i := range s.facts.Approvals.Value {
		if s.facts.Approvals.Value[i].Policy != "others" {
			s.facts.Approvals.Value[i].Policy = s.policy.Digest()
		}
	}
}

// decisionRank orders decisions, the mildest first.
func decisionRank(d Decision) int {
	return slices.Index([]Decision{DecisionAllow, DecisionWait, DecisionReject}, d)
}

func TestProperty_OrderOfFactsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		before := summarize(s.evaluate())

		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		s.facts.Checks.Value = shuffled(rng, s.facts.Checks.Value)
		s.facts.Locks.Value = shuffled(rng, s.facts.Locks.Value)
		s.facts.Approvals.Value = shuffled(rng, s.facts.Approvals.Value)
		s.facts.Required.Value = shuffled(rng, s.facts.Required.Value)

		if got := summarize(s.evaluate()); got != before {
			r.Fatalf("got %s after shuffling the facts, want %s", got, before)
		}
	})
}

func shuffled[T any](rng *rand.Rand, list []T) []T {
	list = slices.Clone(list)
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// factRemovals make one fact unknown each.
var factRemovals = []func(*Facts){
	func(f *Facts) { f.Requester = Unknown[Membership]("removed") },
	func(f *Facts) { f.Requester.Value.Permission = Unknown[Permission]("removed") },
	func(f *Facts) { f.Requester.Value.Teams = nil },
	func(f *Facts) { f.Forcer = Unknown[Membership]("removed") },
	func(f *Facts) { f.Forcer.Value.Teams = nil },
	func(f *Facts) { f.Deployed = Unknown[string]("removed") },
	func(f *Facts) { f.Compared = Unknown[Comparison]("removed") },
	func(f *Facts) { f.Checks = Unknown[[]Check]("removed") },
	func(f *Facts) { f.Required = Unknown[[]CheckName]("removed") },
	func(f *Facts) { f.Pipelines = Unknown[[]deployment.Pipeline]("removed") },
	func(f *Facts) { f.After = nil },
	func(f *Facts) { f.Locks = Unknown[[]Lock]("removed") },
	func(f *Facts) { f.Approvals = Unknown[[]Approval]("removed") },
	func(f *Facts) { f.Approvers = nil },
	func(f *Facts) { f.Queue = Unknown[Queue]("removed") },
}

func TestProperty_UnknownFactNeverAllows(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		before := s.evaluate()
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(factRemovals)-1), 1, 4).Draw(r, "removed") {
			factRemovals[i](&s.facts)
		}

		after := s.evaluate()
		if before.Decision != DecisionAllow && after.Decision == DecisionAllow {
			r.Fatalf("got %s after facts became unknown, before it was %s", summarize(after), summarize(before))
		}
	})
}

// ruleAdditions add one rule each to a policy that lacks it.
var ruleAdditions = []struct {
	rule string
	add  func(*Policy)
}{
	{rule: RuleAllow, add: func(p *Policy) { p.Allow = &Subjects{Users: []string{"alice"}} }},
	{rule: RuleRefs, add: func(p *Policy) { p.Refs = []string{"main"} }},
	{rule: RuleRequireAhead, add: func(p *Policy) { p.RequireAhead = true }},
	{rule: RuleChecks, add: func(p *Policy) { p.Checks = &Checks{Set: ChecksAll} }},
	{rule: RuleAfter, add: func(p *Policy) { p.After = []string{"staging"} }},
	{rule: RuleFreeze, add: func(p *Policy) { p.Freezes = []Freeze{weekend} }},
	{rule: RuleApprovals, add: func(p *Policy) { p.Approvals = &Approvals{Count: 1, Users: []string{"bob"}} }},
}

func hasRule(p Policy, name string) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return r.name == name && r.configured(p) })
}

func TestProperty_AnotherRuleNeverAllowsMore(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		before := s.evaluate()
		addition := ruleAdditions[rapid.IntRange(0, len(ruleAdditions)-1).Draw(r, "rule")]
		if hasRule(s.policy, addition.rule) {
			r.Skip()
		}

		addition.add(&s.policy)
		s.bindApprovals()

		after := s.evaluate()
		if decisionRank(after.Decision) < decisionRank(before.Decision) {
			r.Fatalf("got %s with the rule %s, without it was %s", summarize(after), addition.rule, summarize(before))
		}
	})
}

func TestProperty_ForceOverridesOnlyForcibleRules(t *testing.T) {
	firm := []string{RuleAllow, RuleRefs, RuleApprovals, RuleConcurrency}
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		s.policy.Force = &Subjects{Users: []string{"id:2"}}
		s.bindApprovals()

		s.request.Force = &deployment.Force{By: bob, Reason: "fire"}
		forced := s.evaluate()
		s.request.Force = nil
		plain := s.evaluate()

		for _, want := range plain.Outcomes {
			if want.Rule == RuleMaxWait { // it depends on the outcomes of the others
				continue
			}

			got := forced.Outcomes[slices.IndexFunc(forced.Outcomes, func(o Outcome) bool { return o.Rule == want.Rule })]
			switch {
			case slices.Contains(firm, want.Rule):
				if got != want {
					r.Fatalf("got %+v where it is forced, want %+v", got, want)
				}
				if want.Decision != DecisionAllow && decisionRank(forced.Decision) < decisionRank(want.Decision) {
					r.Fatalf("got %s where it is forced, in spite of %+v", summarize(forced), want)
				}
			case got.Decision != DecisionAllow:
				r.Fatalf("got %+v where it is forced, want it to be overridden", got)
			}
		}

		want := slices.ContainsFunc(forced.Outcomes, func(o Outcome) bool { return o.Forced })
		if forced.Forced != want {
			r.Fatalf("got forced %v, want %v: %+v", forced.Forced, want, forced.Outcomes)
		}
	})
}

func TestProperty_VerdictFitsOutcomes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		v := s.evaluate()

		strictest, waitsForRules, lacksFact := DecisionAllow, false, false
		for _, o := range v.Outcomes {
			if decisionRank(o.Decision) > decisionRank(strictest) {
				strictest = o.Decision
			}
			waitsForRules = waitsForRules || o.Decision == DecisionWait && o.Rule != RuleConcurrency
			lacksFact = lacksFact || o.Code == CodeUnknown

			if !o.Until.IsZero() && (!o.Until.After(s.now) || o.Decision == DecisionAllow) {
				r.Fatalf("got outcome %+v at %s", o, s.now)
			}
		}

		if v.Decision != strictest {
			r.Fatalf("got %s, want %s: %+v", v.Decision, strictest, v.Outcomes)
		}
		if !v.Until.IsZero() && (!v.Until.After(s.now) || v.Decision != DecisionWait) {
			r.Fatalf("got %s at %s", summarize(v), s.now)
		}
		if v.Cancels != 0 && (v.Decision != DecisionWait || waitsForRules || v.Deciding().Code != CodeCanceling) {
			r.Fatalf("got %s, want to cancel only where nothing else is waited for", summarize(v))
		}
		if v.LacksFacts() != lacksFact {
			r.Fatalf("got unsure %v, want %v: %s", v.LacksFacts(), lacksFact, summarize(v))
		}
	})
}

// TestProperty_LocalIsMilder checks that the full evaluation never allows what the local one does
// not.
func TestProperty_LocalIsMilder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		if s.now.Sub(s.request.AcceptedAt) > time.Hour {
			s.request.AcceptedAt = s.now
		}

		local, full := s.policy.EvaluateLocal(s.request, s.facts, s.now), s.evaluate()
		if decisionRank(full.Decision) < decisionRank(local.Decision) {
			r.Fatalf("got %s in full, but %s locally", summarize(full), summarize(local))
		}
		if local.Cancels != 0 {
			r.Fatalf("got %s locally, want it to cancel nothing", summarize(local))
		}
	})
}
